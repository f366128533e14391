//! What a plugin answers, against its integration's targets: what passes stays below its target's path, leaves that target's query and
//! headers alone, and is the request that was asked for; what does not names the first that breaks a rule, each judged alone.
//!
//! The input is a row of fields with the byte 0xff between them, which no text holds: first the default target's URL, then fields with a
//! letter in front. Of the request: `p` the path, `q` a query key and `=` and its value, `h` a header and `:` and its value, `c` the content
//! type, `t` the target, `m` the method, `b` and `j` the body. `n` begins the next request. Of the integration: `u` a further target's URL.
//! Of the answer: `s` a skip and its reason, `r` a reject, `e` a list without a request.

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::{Facts, PluginRef, TargetFacts};
use hookmill_domain::outcome::{Body, Fault, GuestRequest, Method, Outcome, ParkCode};
use hookmill_domain::request::{Decided, Request, decide};
use hookmill_domain::target::{HEADERS_MAX, TargetUrl};
use http::{HeaderName, HeaderValue};
use url::Url;
use url::form_urlencoded;

/// What targets are called, the default one first, and the headers that each sets.
const TARGETS: [(Option<&str>, &[&str]); 3] = [
    (None, &["authorization", "x-token"]),
    (Some("review"), &["x-desk"]),
    (Some("archive"), &[]),
];

/// Judges an answer, and what is made of it.
pub(crate) fn run(input: &[u8]) {
    let mut fields = input.split(|byte| *byte == 0xff).map_while(|field| std::str::from_utf8(field).ok());
    let Some(Ok(target)) = fields.next().map(TargetUrl::parse) else {
        return;
    };
    let (answer, targets) = asked(target, fields);
    targets.iter().for_each(check_target);
    let facts = facts(&targets);
    let decided = decide(answer.clone(), &facts);
    match answer {
        Outcome::Skip(reason) => assert_eq!(decided, Ok(Decided::Skipped(reason))),
        Outcome::Reject(reason) => {
            let fault = decided.expect_err("a reject parks");
            assert_eq!(fault.code, ParkCode::Rejected);
            let cut = reason.strip_prefix(fault.message.as_str()).expect("it is the plugin's word");
            assert!(cut.is_empty() || fault.message.len() > Fault::MESSAGE_BYTES_MAX - 4);
        }
        Outcome::Deliver(wishes) if wishes.is_empty() => assert!(matches!(decided, Ok(Decided::Skipped(_)))),
        Outcome::Deliver(wishes) => check_decided(&wishes, decided, &facts, &targets),
    }
}

/// All of them, each as it was asked for and as it is decided alone; or none, for the first that is refused alone.
fn check_decided(wishes: &[GuestRequest], decided: Result<Decided, Fault>, facts: &Facts, targets: &[TargetUrl]) {
    let alone = |wish: &GuestRequest| decide(Outcome::Deliver(vec![wish.clone()]), facts);
    match decided {
        Ok(Decided::Requests(requests)) => {
            assert_eq!(requests.len(), wishes.len());
            for (wish, request) in wishes.iter().zip(&requests) {
                check_request(wish, request, targets);
                assert_eq!(alone(wish), Ok(Decided::Requests(vec![request.clone()])));
            }
        }
        Ok(Decided::Skipped(why)) => panic!("requests were asked for: {why}"),
        Err(fault) => {
            assert_eq!(fault.code, ParkCode::InvalidRequest);
            assert!(fault.message.len() <= Fault::MESSAGE_BYTES_MAX);
            let mut refused = wishes
                .iter()
                .map(alone)
                .enumerate()
                .filter_map(|(at, alone)| Some((at, alone.err()?)));
            let (at, of_first) = refused.next().expect("one of them breaks a rule");
            let why = |message: &str, number: usize| message.strip_prefix(&format!("request {number}: ")).map(str::to_owned);
            let breach = why(&of_first.message, 1).expect("it names the request");
            let fields = ["target: ", "path: ", "query: ", "headers: ", "content-type: "];
            assert!(fields.iter().any(|field| breach.starts_with(field)), "it names the field: {breach}");
            let same = why(&fault.message, at + 1).expect("it names the request");
            // A message that is cut has less of it behind a longer number.
            assert!(breach.starts_with(&same) || same.starts_with(&breach), "{same}: {breach}");
        }
    }
}

fn check_request(wish: &GuestRequest, request: &Request, targets: &[TargetUrl]) {
    assert_eq!(wish.target.as_deref(), request.target.as_ref().map(|name| name.as_str()));
    assert_eq!(
        (&wish.path, &wish.query, &wish.headers, wish.method, wish.body.bytes()),
        (&request.path, &request.query, &request.headers, request.method, &request.body)
    );
    let content_type = wish.content_type.as_deref().unwrap_or(wish.body.default_content_type());
    assert_eq!(content_type, request.content_type);
    let named = TARGETS.iter().zip(targets).find(|((name, _), _)| *name == wish.target.as_deref());
    let ((_, headers), target) = named.expect("it is one of the integration's");
    check_path(target, request);
    check_query(target, request);
    check_headers(headers, request);
    let frozen = request.freeze();
    assert_eq!(Request::thaw(&frozen).expect("it was just frozen"), *request);
    assert_eq!(request.digest(), Digest::of(&frozen));
}

/// The plugin's answer, and the targets of its integration.
fn asked<'a>(default: TargetUrl, fields: impl Iterator<Item = &'a str>) -> (Outcome, Vec<TargetUrl>) {
    let mut targets = vec![default];
    let mut wishes = vec![wish()];
    let mut other = None;
    let pair = |text: &str, between| {
        let (name, value) = text.split_once(between).unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    for field in fields {
        let mut chars = field.chars();
        let letter = chars.next();
        let text = chars.as_str();
        let wish = wishes.last_mut().expect("there is one from the beginning");
        match letter {
            Some('p') => wish.path = Some(text.to_owned()),
            Some('q') => wish.query.push(pair(text, '=')),
            Some('h') => wish.headers.push(pair(text, ':')),
            Some('c') => wish.content_type = Some(text.to_owned()),
            Some('t') => wish.target = Some(text.to_owned()),
            Some('m') => wish.method = Method::from_text(text).unwrap_or_default(),
            Some('b') => wish.body = Body::Bytes(Bytes::copy_from_slice(text.as_bytes())),
            Some('j') => wish.body = Body::Json(Bytes::copy_from_slice(text.as_bytes())),
            Some('n') => wishes.push(self::wish()),
            Some('u') if targets.len() < TARGETS.len() => targets.extend(TargetUrl::parse(text)),
            Some('s') => other = Some(Outcome::Skip(text.to_owned())),
            Some('r') => other = Some(Outcome::Reject(text.to_owned())),
            Some('e') => other = Some(Outcome::Deliver(Vec::new())),
            _ => {}
        }
    }
    (other.unwrap_or(Outcome::Deliver(wishes)), targets)
}

/// A request of which nothing is said yet.
fn wish() -> GuestRequest {
    GuestRequest {
        body: Body::Text(Bytes::new()),
        target: None,
        method: Method::Post,
        path: None,
        query: Vec::new(),
        headers: Vec::new(),
        content_type: None,
    }
}

fn facts(targets: &[TargetUrl]) -> Facts {
    let facts = |((name, headers), target): (&(Option<&str>, &[&str]), &TargetUrl)| TargetFacts {
        name: name.map(|name| name.parse().expect("a target's name")),
        headers: headers.iter().map(|header| (*header).to_owned()).collect(),
        query_keys: target.query_keys(),
    };
    Facts {
        events: vec!["document_text".parse().expect("a kind")],
        inboxes: None,
        projects: None,
        enabled: true,
        plugin: PluginRef::passthrough(),
        config: "null".into(),
        targets: TARGETS.iter().zip(targets).map(facts).collect(),
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

fn check_headers(set: &[&str], request: &Request) {
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
        assert!(!is_framing && !set.contains(&&*meant), "{name}");
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
