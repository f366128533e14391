use bytes::Bytes;

use super::*;
use crate::outcome::Method;

fn request(body: &str) -> Request {
    Request {
        target: None,
        method: Method::Post,
        path: None,
        query: Vec::new(),
        headers: Vec::new(),
        content_type: "application/json".to_owned(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn told(old: &[Request], new: &[Request]) -> Vec<String> {
    let found = differences(old, new, 16 * 1024);
    assert!(!found.more);
    let side = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let line = |found: Difference| format!("{} {} > {}", found.at, side(found.old), side(found.new));
    found.found.into_iter().map(line).collect()
}

#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(told(&[request(old)], &[request(new)]), expected);
}

#[test]
fn json_is_compared_value_by_value() {
    check(r#"{"a":1,"b":[1,2]}"#, r#"{"a":1,"b":[1,2]}"#, &[]);
    check(
        r#"{"id":"x","total":1.10,"lines":[{"n":1},{"n":2}],"gone":null}"#,
        r#"{"id":"x","total":1.1,"lines":[{"n":1},{"n":3},4],"new/one":"é"}"#,
        &[
            "/requests/0/body/total 1.10 > 1.1",
            "/requests/0/body/lines/1/n 2 > 3",
            "/requests/0/body/lines/2 - > 4",
            "/requests/0/body/gone null > -",
            "/requests/0/body/new~1one - > \"é\"",
        ],
    );
    check(r#"{"a":[1]}"#, r#"{"a":{"0":1}}"#, &[r#"/requests/0/body/a [1] > {"0":1}"#]);
    check(r#"{"a":1,"a":2}"#, r#"{"a":1,"a":3}"#, &["/requests/0/body/a 2 > 3"]);
}

#[test]
fn what_is_only_written_in_another_way_is_shown_as_text() {
    check(
        r#"{"a":1,"b":2}"#,
        r#"{"b":2,"a":1}"#,
        &[r#"/requests/0/body {"a":1,"b":2} > {"b":2,"a":1}"#],
    );
    check(r#"{"a": 1}"#, r#"{"a":1}"#, &[r#"/requests/0/body {"a": 1} > {"a":1}"#]);
}

#[test]
fn text_is_shown_from_a_little_before_the_first_difference() {
    let (old, new) = (
        format!("{}old{}", "é".repeat(200), "x".repeat(300)),
        format!("{}new", "é".repeat(200)),
    );
    let found = told(&[request(&old)], &[request(&new)]).remove(0);
    let (before, xs) = ("é".repeat(20), "x".repeat(197));
    assert_eq!(found, format!("/requests/0/body …{before}old{xs}… > …{before}new"));
    let bytes = |bytes: &'static [u8]| Request {
        body: Bytes::from_static(bytes),
        ..request("")
    };
    let found = told(&[bytes(b"\xff")], &[bytes(b"\xfe")]).remove(0);
    assert!(found.starts_with("/requests/0/body 1 bytes, SHA-256 a8100ae6"), "{found}");
}

#[test]
fn every_field_and_every_request() {
    let plain = request("a");
    let other = Request {
        target: Some("review".parse().expect("a name")),
        method: Method::Put,
        path: Some("/p".to_owned()),
        query: vec![("k".to_owned(), "v".to_owned())],
        headers: vec![("x-a".to_owned(), "1".to_owned()), ("x-b".to_owned(), "2".to_owned())],
        content_type: "text/csv".to_owned(),
        ..plain.clone()
    };
    assert_eq!(
        told(std::slice::from_ref(&plain), &[other, plain.clone()]),
        [
            "/requests/0/target default > review",
            "/requests/0/method POST > PUT",
            "/requests/0/path - > /p",
            "/requests/0/query - > k=v",
            "/requests/0/headers - > x-a: 1, x-b: 2",
            "/requests/0/content_type application/json > text/csv",
            "/requests/1 - > POST to default: application/json, 1 bytes: a",
        ]
    );
}

/// What a guest can answer with to make this take long, or much.
#[test]
fn the_work_and_the_words_are_bounded() {
    let many = |value: char| format!("[{}]", vec![value.to_string(); 100_000].join(","));
    let found = differences(&[request(&many('1'))], &[request(&many('2'))], 4096);
    assert!(found.more && found.found.len() > 50, "{}", found.found.len());
    let told: usize = found.found.iter().map(|found| found.at.len() + 2).sum();
    assert!(told <= 4096, "{told}");

    let deep = |end: &str| format!("{}{end}{}", "[".repeat(100_000), "]".repeat(100_000));
    let found = differences(&[request(&deep("1"))], &[request(&deep("2"))], 4096);
    assert_eq!(found.found.len(), 1);
    assert!(
        found.found[0].at.ends_with("/0/0") && found.found[0].old != found.found[0].new,
        "{found:?}"
    );

    let long = |value: u8| format!("{{\"{}\":{value}}}", "k".repeat(500_000));
    let found = differences(&[request(&long(1))], &[request(&long(2))], 4096);
    assert_eq!(found.found.len(), 1);
    assert!(found.found[0].at.len() < 500);
    let large = |value: u8| format!("{{\"k\":\"{}\",\"v\":{value}}}", "k".repeat(2_000_000));
    let found = differences(&[request(&large(1))], &[request(&large(2))], 4096);
    assert_eq!(found.found[0].at, "/requests/0/body", "it is not taken apart");
}
