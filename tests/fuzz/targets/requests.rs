//! What a plugin asks for, against its integration's target: what passes stays below the target's path, leaves the target's query and
//! headers alone, and is one request.
//!
//! The input is a row of fields with the byte 0xff between them, which no text holds: first the target's URL, then fields with a letter in
//! front: `p` the path, `q` a query key and `=` and its value, `h` a header and `:` and its value, `c` the content type, `t` the target,
//! `b` the body.

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::{Facts, PluginRef, TargetFacts};
use hookmill_domain::outcome::{Body, Fault, GuestRequest, Method, ParkCode};
use hookmill_domain::request::{Request, plan};
use hookmill_domain::target::{HEADERS_MAX, TargetUrl};
use http::{HeaderName, HeaderValue};
use url::Url;
use url::form_urlencoded;

/// Headers that the target sets.
const SET: [&str; 2] = ["authorization", "x-token"];

/// Judges a request, and what is made of it.
pub(crate) fn run(input: &[u8]) {
    let mut fields = input.split(|byte| *byte == 0xff).map_while(|field| std::str::from_utf8(field).ok());
    let Some(Ok(target)) = fields.next().map(TargetUrl::parse) else {
        return;
    };
    check_target(&target);
    let wish = wish(fields);
    match plan(vec![wish.clone()], &facts(&target)) {
        Ok(planned) => {
            let [request] = planned.as_slice() else {
                panic!("one was asked for")
            };
            assert_eq!(
                (&wish.path, &wish.query, &wish.headers),
                (&request.path, &request.query, &request.headers)
            );
            check_path(&target, request);
            check_query(&target, request);
            check_headers(request);
            let frozen = request.freeze();
            assert_eq!(Request::thaw(&frozen).expect("it was just frozen"), *request);
            assert_eq!(request.digest(), Digest::of(&frozen));
        }
        Err(fault) => {
            assert_eq!(fault.code, ParkCode::InvalidRequest);
            assert!(fault.message.starts_with("request 1: ") && fault.message.len() <= Fault::MESSAGE_BYTES_MAX);
        }
    }
}

fn wish<'a>(fields: impl Iterator<Item = &'a str>) -> GuestRequest {
    let mut wish = GuestRequest {
        body: Body::Json(Bytes::new()),
        target: None,
        method: Method::Post,
        path: None,
        query: Vec::new(),
        headers: Vec::new(),
        content_type: None,
    };
    let pair = |text: &str, between| {
        let (name, value) = text.split_once(between).unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    for field in fields {
        let mut chars = field.chars();
        let letter = chars.next();
        let text = chars.as_str();
        match letter {
            Some('p') => wish.path = Some(text.to_owned()),
            Some('q') => wish.query.push(pair(text, '=')),
            Some('h') => wish.headers.push(pair(text, ':')),
            Some('c') => wish.content_type = Some(text.to_owned()),
            Some('t') => wish.target = Some(text.to_owned()),
            Some('b') => wish.body = Body::Bytes(Bytes::copy_from_slice(text.as_bytes())),
            _ => {}
        }
    }
    wish
}

fn facts(target: &TargetUrl) -> Facts {
    let target = TargetFacts {
        name: None,
        headers: SET.map(str::to_owned).to_vec(),
        query_keys: target.query_keys(),
    };
    Facts {
        events: vec!["document_text".parse().expect("a kind")],
        inboxes: None,
        projects: None,
        enabled: true,
        plugin: PluginRef::passthrough(),
        config: "null".into(),
        targets: vec![target],
    }
}

fn check_target(target: &TargetUrl) {
    assert_eq!(
        TargetUrl::parse(target.as_str()).as_ref(),
        Ok(target),
        "it is read again as it is written"
    );
    assert!(target.path().starts_with('/') && !target.authority().is_empty() && target.port() > 0);
    let url = Url::parse(target.as_str()).expect("a URL");
    assert!(matches!(url.scheme(), "http" | "https"));
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
}

/// Origin and path as others read them: a browser's way, and that of a server that decodes, takes `\` for `/`, cuts parameters off and
/// resolves dots.
fn check_path(target: &TargetUrl, request: &Request) {
    let joined = target
        .join(request.path.as_deref(), &request.query)
        .expect("what passed the checks is not too long");
    let url = Url::parse(&format!("{}{joined}", target.origin())).expect("a URL");
    let own = Url::parse(target.as_str()).expect("a URL");
    assert_eq!(url.origin(), own.origin());
    assert_eq!(
        (url.path(), url.query()),
        (joined.path(), joined.query()),
        "nothing in it is resolved or repaired"
    );
    let Some(path) = &request.path else {
        assert_eq!(url.path(), own.path());
        return;
    };
    let below = url
        .path()
        .strip_prefix(own.path().trim_end_matches('/'))
        .expect("it stays below the target's path");
    assert!(below.starts_with('/') && below.len() > 1);
    let (own, below, asked) = (resolved(own.path()), resolved(url.path()), resolved(path));
    assert_eq!(below, [own, asked.clone()].concat());
    assert!(!asked.is_empty());
}

fn resolved(path: &str) -> Vec<String> {
    // Plus is plus in a path; everything else is decoded as a form's value is.
    let decoded: String = form_urlencoded::parse(format!("={}", path.replace('+', "%2B").replace('&', "%26")).as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect();
    let mut segments = Vec::new();
    for segment in decoded.replace('\\', "/").split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" if segment.is_empty() => {}
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment.to_owned()),
        }
    }
    segments
}

fn check_query(target: &TargetUrl, request: &Request) {
    let joined = target.join(request.path.as_deref(), &request.query).expect("it was joined before");
    let own = Url::parse(target.as_str()).expect("a URL");
    let own: Vec<(String, String)> = own.query_pairs().into_owned().collect();
    let read: Vec<(String, String)> = form_urlencoded::parse(joined.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    assert_eq!(read, [own.clone(), request.query.clone()].concat());
    for (key, _) in &request.query {
        let is_same = |(own, _): &(String, String)| own.eq_ignore_ascii_case(key);
        assert!(!own.iter().any(is_same), "{key:?} is the target's");
    }
}

fn check_headers(request: &Request) {
    assert!(request.headers.len() <= HEADERS_MAX);
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let meant = name.as_str().replace('_', "-");
        let is_framing = [
            "host",
            "content-length",
            "content-type",
            "transfer-encoding",
            "connection",
            "user-agent",
        ]
        .contains(&&*meant);
        assert!(!is_framing && !SET.contains(&&*meant), "{name}");
        assert!(!meant.starts_with("webhook-") && !meant.starts_with("proxy-"), "{name}");
        check_value(value);
    }
    check_value(&request.content_type);
}

fn check_value(value: &str) {
    assert!(value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')), "{value:?}");
    assert_eq!(value.trim_matches([' ', '\t']), value);
    assert!(HeaderValue::from_str(value).is_ok(), "{value:?}");
}
