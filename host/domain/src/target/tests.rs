use super::*;

fn target(text: &str) -> TargetUrl {
    TargetUrl::parse(text).expect("a valid target")
}

#[test]
fn urls_and_bare_addresses_are_read() {
    for (text, url, authority, ip) in [
        (
            "http://localhost:3000/alfred/document_predict",
            "http://localhost:3000/alfred/document_predict",
            "localhost:3000",
            None,
        ),
        ("HTTPS://Example.COM", "https://example.com/", "example.com", None),
        ("https://example.com:443/a", "https://example.com/a", "example.com", None),
        (
            "https://bücher.example/",
            "https://xn--bcher-kva.example/",
            "xn--bcher-kva.example",
            None,
        ),
        ("http://my_host.example./x", "http://my_host.example./x", "my_host.example.", None),
        ("192.0.2.1", "http://192.0.2.1/", "192.0.2.1", Some("192.0.2.1")),
        ("192.0.2.1:3000", "http://192.0.2.1:3000/", "192.0.2.1:3000", Some("192.0.2.1")),
        ("192.0.2.1/a?b=c", "http://192.0.2.1/a?b=c", "192.0.2.1", Some("192.0.2.1")),
        (
            "192.0.2.1:3000/a/b",
            "http://192.0.2.1:3000/a/b",
            "192.0.2.1:3000",
            Some("192.0.2.1"),
        ),
        ("::1", "http://[::1]/", "[::1]", Some("::1")),
        ("[2001:db8::1]:80/a", "http://[2001:db8::1]/a", "[2001:db8::1]", Some("2001:db8::1")),
        // Spellings of an address, as the URL standard reads them.
        ("http://127.1/", "http://127.0.0.1/", "127.0.0.1", Some("127.0.0.1")),
        ("http://2130706433/", "http://127.0.0.1/", "127.0.0.1", Some("127.0.0.1")),
        ("http://0x7f.0.0.01/", "http://127.0.0.1/", "127.0.0.1", Some("127.0.0.1")),
        ("http://0177.0.0.1/", "http://127.0.0.1/", "127.0.0.1", Some("127.0.0.1")),
        ("http://１２７.0.0.1/", "http://127.0.0.1/", "127.0.0.1", Some("127.0.0.1")),
        (
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "[::ffff:127.0.0.1]",
            Some("::ffff:127.0.0.1"),
        ),
        // Dots are resolved when it is saved, so what is shown is what is sent.
        ("http://h.example/a/%2e%2e/b", "http://h.example/b", "h.example", None),
    ] {
        let target = target(text);
        assert_eq!(target.as_str(), url, "{text}");
        assert_eq!(target.authority(), authority, "{text}");
        assert_eq!(target.literal_ip(), ip.map(|ip| ip.parse().expect("an address")), "{text}");
        assert_eq!(TargetUrl::parse(target.as_str()).expect("again"), target, "{text}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_reason() {
    use TargetError as E;
    for (text, error) in [
        ("", E::Scheme),
        ("example.com/hook", E::Scheme),
        ("ftp://example.com/", E::Scheme),
        ("file:///etc/passwd", E::Scheme),
        ("javascript:alert(1)", E::Scheme),
        ("http:example.com", E::Scheme),
        ("//example.com", E::Scheme),
        ("127.1", E::Scheme),
        ("2130706433", E::Scheme),
        ("http://", E::NoHost),
        ("http:///example.com", E::NoHost),
        ("http://:80/", E::NoHost),
        ("http://?a", E::NoHost),
        ("http://h.example:99999/", E::Port),
        ("http://h.example:0/", E::Port),
        ("192.0.2.1:http", E::Port),
        ("http://1.2.3.4.5/", E::Host),
        ("http://300.1.1.1/", E::Host),
        ("http://a..b/", E::Host),
        ("http://a%00b/", E::Host),
        ("http://a(b)/", E::Host),
        ("http://[::1/", E::Host),
        ("http://u:p@h.example/", E::Credentials),
        ("http://u@h.example/", E::Credentials),
        ("http://h.example/a#b", E::Fragment),
        ("http://h.example/#", E::Fragment),
        (" http://h.example/", E::Character { found: ' ' }),
        ("http://h.example/a\n", E::Character { found: '\n' }),
        ("http://h.ex\tample/", E::Character { found: '\t' }),
        ("http://h.example\\@evil/", E::Character { found: '\\' }),
    ] {
        assert_eq!(TargetUrl::parse(text), Err(error), "{text:?}");
    }
    let long = format!("http://h.example/{}", "a".repeat(TARGET_URL_BYTES_MAX));
    assert!(matches!(TargetUrl::parse(&long), Err(E::TooLong { bytes: 2065 })));
    let longer_when_sent = format!("http://h.example/{}", "ü".repeat(1000));
    assert!(matches!(TargetUrl::parse(&longer_when_sent), Err(E::TooLong { .. })));
    assert_eq!(
        E::Credentials.to_string(),
        "the URL holds a user name or password: put credentials into `headers`, as `Authorization`"
    );
}

#[test]
fn parts_are_told() {
    let plain = target("http://h.example/a/b/?k=1&K%20l=2&k=3");
    assert_eq!((plain.is_https(), plain.port()), (false, 80));
    assert_eq!(plain.path(), "/a/b/");
    assert_eq!(plain.origin(), "http://h.example");
    assert_eq!(plain.query_keys(), ["k", "K l", "k"]);
    let tls = target("https://[2001:db8::1]:8443");
    assert_eq!((tls.is_https(), tls.port()), (true, 8443));
    assert_eq!(tls.origin(), "https://[2001:db8::1]:8443");
    assert_eq!(target("http://a.localhost:1/").known_ip(), Some(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(target("http://LOCALHOST./").known_ip(), Some(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(target("http://notlocalhost/").known_ip(), None);
    assert_eq!(format!("{:?}", target("http://h/x?token=s")), "TargetUrl(http://h/x?…)");
    assert_eq!(
        serde_json::to_string(&target("192.0.2.1")).expect("serializes"),
        "\"http://192.0.2.1/\""
    );
    assert!(serde_json::from_str::<TargetUrl>("\"nope\"").is_err());
}

#[test]
fn a_plugins_parts_go_below_the_targets() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    for (base, path, query, expected) in [
        ("http://h/", None, vec![], "/"),
        ("http://h", Some("/a"), vec![], "/a"),
        ("http://h/x", Some("/a/b"), vec![], "/x/a/b"),
        ("http://h/x/", Some("/a"), vec![], "/x/a"),
        ("http://h/x/", None, vec![], "/x/"),
        ("http://h/x?k=v%20w", None, vec![], "/x?k=v%20w"),
        ("http://h/x?k=v", Some("/a"), vec![pair("b", "c d&e")], "/x/a?k=v&b=c+d%26e"),
        ("http://h/x?", None, vec![pair("b", "")], "/x?b="),
        ("http://h/x", None, vec![pair("ü", "#?")], "/x?%C3%BC=%23%3F"),
        ("http://h/x", Some("/a b/ü%2Fc\"<{"), vec![], "/x/a%20b/%C3%BC%2Fc%22%3C%7B"),
    ] {
        let joined = target(base).join(path, &query).expect("short enough");
        assert_eq!(joined.as_str(), expected, "{base} {path:?} {query:?}");
    }
    let long = "/a".repeat(REQUEST_TARGET_BYTES_MAX);
    assert!(target("http://h/").join(Some(&long), &[]).is_err());
    // The worst that the checks let pass still fits.
    let path = format!("/{}", "ü".repeat((PLUGIN_PATH_BYTES_MAX - 1) / 2));
    let query = vec![pair("", ""); PLUGIN_QUERY_BYTES_MAX / 4]
        .into_iter()
        .chain([pair(&"ü".repeat(PLUGIN_QUERY_BYTES_MAX / 4 - 1), "")])
        .collect::<Vec<_>>();
    assert_eq!(check_plugin_path(&path), Ok(()));
    assert_eq!(check_plugin_query(&query, &[""; 0]), Ok(()));
    let base = format!("http://h/{}", "a".repeat(TARGET_URL_BYTES_MAX - 9));
    assert!(target(&base).join(Some(&path), &query).is_ok());
}

#[test]
fn paths_that_leave_the_target_are_refused() {
    for path in [
        "/a",
        "/a/b.c",
        "/a;v=1/b",
        "/...",
        "/..a",
        "/a%20b",
        "/ü",
        "/%C3%BC",
        "/a:b@c",
        "/%252e%252e",
        "/a b",
    ] {
        assert_eq!(check_plugin_path(path), Ok(()), "{path:?}");
    }
    let dots = |segment: &str| PathError::DotSegment { segment: segment.into() };
    let holds = |found| PathError::Character { found };
    for (path, error) in [
        ("", PathError::NoSlash),
        ("a", PathError::NoSlash),
        ("http://evil.example/", PathError::NoSlash),
        ("\\evil", PathError::NoSlash),
        ("/", PathError::EmptySegment),
        ("//", PathError::EmptySegment),
        ("//evil.example", PathError::EmptySegment),
        ("/a//b", PathError::EmptySegment),
        ("/a/", PathError::EmptySegment),
        ("/..", dots("..")),
        ("/../a", dots("..")),
        ("/a/../b", dots("..")),
        ("/a/./b", dots(".")),
        ("/%2e%2e/a", dots("..")),
        ("/.%2E/a", dots("..")),
        ("/%2e", dots(".")),
        ("/..;/a", dots("..;")),
        ("/..;x=1/a", dots("..;x=1")),
        ("/%2e%2e%3b/a", dots("..;")),
        ("/.;/a", dots(".;")),
        ("/a\\b", holds('\\')),
        ("/a%5cb", holds('\\')),
        ("/a%2fb", holds('/')),
        ("/..%2f..", holds('/')),
        ("/a?b=c", holds('?')),
        ("/a%3Fb", holds('?')),
        ("/a#b", holds('#')),
        ("/a%23b", holds('#')),
        ("/a\r\nHost: x", holds('\r')),
        ("/a%0d%0aHost:x", holds('\r')),
        ("/a%00", holds('\0')),
        ("/a\u{7f}", holds('\u{7f}')),
        ("/a%C2%85", holds('\u{85}')),
        ("/a%", PathError::Encoding),
        ("/a%2", PathError::Encoding),
        ("/a%zz", PathError::Encoding),
        ("/a%+1", PathError::Encoding),
        ("/%c0%ae%c0%ae/a", PathError::Encoding),
        ("/%ff", PathError::Encoding),
    ] {
        assert_eq!(check_plugin_path(path), Err(error), "{path:?}");
    }
    let long = "/a".repeat(PLUGIN_PATH_BYTES_MAX);
    assert_eq!(check_plugin_path(&long), Err(PathError::TooLong));
}

#[test]
fn query_keys_of_the_target_stay_its_own() {
    let keys = ["token".to_owned(), "Api.Key".to_owned()];
    for key in ["a", "tokens", "xtoken", "apikey", ""] {
        assert_eq!(check_plugin_query_key(key, &keys), Ok(()), "{key:?}");
    }
    for key in [
        "token", "TOKEN", " token", "token[]", "token[a]", "token\0x", "api_key", "Api.Key", "api key", "api-key",
    ] {
        assert!(check_plugin_query_key(key, &keys).is_err(), "{key:?}");
    }
    let query = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    assert_eq!(check_plugin_query(&query("a", "b"), &keys), Ok(()));
    assert_eq!(
        check_plugin_query(&query("token", "b"), &keys),
        Err(QueryError::SetByTarget { key: "token".into() })
    );
    let long = "v".repeat(PLUGIN_QUERY_BYTES_MAX);
    assert_eq!(check_plugin_query(&query("a", &long), &keys), Err(QueryError::TooLong));
}

const OF_THE_HOST: [&str; 17] = [
    "host",
    "Content-Length",
    "CONTENT-TYPE",
    "content_type",
    "Expect",
    "Transfer-Encoding",
    "transfer_encoding",
    "TE",
    "Trailer",
    "Upgrade",
    "Connection",
    "Keep-Alive",
    "Proxy-Authorization",
    "proxy-",
    "webhook-id",
    "Webhook-Anything",
    "webhook_signature",
];

#[test]
fn headers_of_a_plugin() {
    let sets = ["authorization", "x-api-key"];
    for name in ["X-Custom", "accept", "cookie", "hosting", "web-hook", "testing"] {
        assert!(check_plugin_header(name, "v", &sets).is_ok(), "{name}");
    }
    for name in OF_THE_HOST.into_iter().chain(["User-Agent", "user_agent"]) {
        let error = check_plugin_header(name, "v", &sets);
        assert_eq!(error, Err(HeaderError::Forbidden { name: name.into() }));
    }
    for name in ["Authorization", "X-API-Key", "x_api_key"] {
        let error = check_plugin_header(name, "v", &sets);
        assert_eq!(error, Err(HeaderError::SetByTarget { name: name.into() }));
    }
    for name in ["", "a b", "a:", "a\r\nb", "ü", ":path", "a\0"] {
        let error = check_plugin_header(name, "v", &sets);
        assert_eq!(error, Err(HeaderError::Name { name: name.into() }));
    }
    for value in ["a\r\nX: y", "a\n", "\r", "a\0b", " a", "a\t", "é", "\u{7f}"] {
        let error = check_plugin_header("x", value, &sets);
        assert_eq!(error, Err(HeaderError::Value { name: "x".into() }));
    }
    for value in ["", "a b", "a\tb", "\"quoted\"; q=0.5"] {
        assert!(check_plugin_header("x", value, &sets).is_ok(), "{value:?}");
    }
    let pairs = |count: usize| vec![("x-a".to_owned(), "v".to_owned()); count];
    assert_eq!(check_plugin_headers(&pairs(HEADERS_MAX), &sets), Ok(()));
    assert_eq!(check_plugin_headers(&pairs(HEADERS_MAX + 1), &sets), Err(HeaderError::TooMany));
}

#[test]
fn headers_of_an_integration() {
    for name in OF_THE_HOST {
        let error = check_integration_header(name, "v");
        assert_eq!(error, Err(HeaderError::Forbidden { name: name.into() }));
    }
    let (name, value) = check_integration_header("User-Agent", "Ours/1").expect("its own");
    assert_eq!(name, "user-agent");
    assert!(value.is_sensitive());
    let doubled = check_integration_headers([("A-b", "1"), ("a-B", "2")]);
    assert_eq!(doubled, Err(HeaderError::Doubled { name: "a-B".into() }));
    let names: Vec<String> = (0..=HEADERS_MAX).map(|n| format!("x-{n}")).collect();
    let many = |count| names.iter().take(count).map(|name| (name.as_str(), "v"));
    assert!(check_integration_headers(many(HEADERS_MAX)).is_ok());
    assert_eq!(check_integration_headers(many(HEADERS_MAX + 1)), Err(HeaderError::TooMany));
    let long = "v".repeat(HEADERS_BYTES_MAX - 1);
    assert!(check_integration_headers([("x", long.as_str())]).is_ok());
    assert_eq!(check_integration_headers([("xy", long.as_str())]), Err(HeaderError::TooLong));
}

#[test]
fn content_types() {
    for value in ["application/json", "text/plain; charset=utf-8", "application/vnd.api+json"] {
        assert!(check_content_type(value).is_ok(), "{value}");
    }
    for value in ["", "json", "a/b\r\nx: y", "/b", "a/", "a b/c", " a/b", "a/b "] {
        assert!(check_content_type(value).is_err(), "{value:?}");
    }
    assert!(check_content_type(&format!("a/{}", "b".repeat(1024))).is_err());
}
