use expect_test::{Expect, expect};

use super::*;

const LEAST: &str = r#""type":"webhook","events":["document_text"],"target":"https://a.example""#;

fn read(body: &str) -> Result<Draft, FieldError> {
    new(Form::read(body, 64)?, &Kinds::default(), &Limits::default())
}

/// What is said of an integration that has this beside what it must have.
fn refused(beside: &str, expected: Expect) {
    refused_whole(&format!("{{{LEAST},{beside}}}"), expected);
}

fn refused_whole(body: &str, expected: Expect) {
    let error = serde_json::to_value(read(body).expect_err(body)).expect("JSON");
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    expected.assert_eq(&format!("{}: {}", text("pointer"), text("message")));
}

#[test]
fn the_documented_example() {
    let draft = read(
        r#"{"type": "webhook", "events": ["document_predict"], "target": "http://localhost:3000/alfred/document_predict",
            "headers": {"Authorization": "Bearer abcdefg1234567989"}}"#,
    );
    let draft = draft.expect("an integration");
    assert_eq!(draft.targets[0].url.as_str(), "http://localhost:3000/alfred/document_predict");
    assert_eq!(draft.targets[0].headers[0].1, "Bearer abcdefg1234567989");
    assert!(draft.enabled && !draft.paused && draft.plugin.is_none());
    assert_eq!(&*draft.config, "null");
}

#[test]
fn what_it_may_add() {
    let draft = read(&format!(
        r#"{{{LEAST},"header":{{"X":"1"}},"targets":{{"z":{{"target":"10.0.0.1"}},"a":{{"url":"http://b.example","headers":{{"Y":"2"}}}}}},
            "plugin":"flatten@12","plugin_config":{{ "a":1e300,"b":1.10 }},"retry":{{"delays_ms":[0,1000]}},"timeout_ms":1,
            "inboxes":["i"],"projects":["p"],"enabled":false,"paused":true,"description":"d","metadata":{{"a": 1}}}}"#
    ));
    let draft = draft.expect("an integration");
    let names: Vec<_> = draft
        .targets
        .iter()
        .map(|target| target.name.as_ref().map(TargetName::as_str))
        .collect();
    assert_eq!(names, [None, Some("z"), Some("a")], "in the order of the body");
    assert_eq!(draft.targets[1].url.as_str(), "http://10.0.0.1/");
    assert_eq!(&*draft.config, r#"{ "a":1e300,"b":1.10 }"#);
    assert_eq!(
        draft.plugin.as_ref().map(|(name, version)| (name.as_str(), *version)),
        Some(("flatten", Some(12)))
    );
    assert_eq!(draft.metadata.as_deref(), Some(r#"{"a": 1}"#));
    assert!(!draft.enabled && draft.paused);
    let events = read(r#"{"type":"webhook","events":["document_text","document_fail"],"target":"1.2.3.4:80/x"}"#);
    assert_eq!(
        events.expect("an integration").events[0].as_str(),
        "document_fail",
        "kinds are sorted"
    );
}

#[test]
fn what_it_must_have() {
    refused_whole("{}", expect!["/type: is missing"]);
    refused_whole(
        r#"{"type":"sftp"}"#,
        expect!["/type: integrations of the type sftp are the product's own; here there is webhook alone"],
    );
    refused_whole(r#"{"type":"Webhook"}"#, expect!["/type: unknown type; known is webhook"]);
    refused_whole(r#"{"type":"webhook"}"#, expect!["/events: is missing"]);
    refused_whole(r#"{"type":"webhook","events":["document_text"]}"#, expect!["/target: is missing"]);
    refused_whole(
        r#"{"type":"webhook","events":"document_text"}"#,
        expect!["/events: must be an array"],
    );
    refused_whole(r#"{"type":"webhook","events":[]}"#, expect!["/events: holds at least one kind"]);
    refused_whole(
        r#"{"type":"webhook","events":["document_text","document_eaten"]}"#,
        expect![
            "/events/1: unknown kind; known are document_delete, document_evaluate, document_fail, document_predict, document_reject, document_split, document_text"
        ],
    );
    refused_whole(
        r#"{"type":"webhook","events":["document_text","document_text"]}"#,
        expect!["/events/1: is given more than once"],
    );
    refused_whole(
        r#"{"type":"webhook","events":["document_text"],"target":"ftp://a.example"}"#,
        expect!["/target: the target must begin with http:// or https://, or be an IP address"],
    );
    refused_whole(
        r#"{"type":"webhook","events":["document_text"],"target":"https://u:p@a.example"}"#,
        expect!["/target: the URL holds a user name or password: put credentials into `headers`, as `Authorization`"],
    );
}

#[test]
fn what_it_may_not_add() {
    refused(
        r#""colour":"red""#,
        expect![
            "/colour: unknown field; known are description, enabled, events, header, headers, inboxes, metadata, paused, plugin, plugin_config, projects, retry, target, target_gone, targets, timeout_ms, type"
        ],
    );
    refused(
        r#""header":{},"headers":{}"#,
        expect!["/header: is given beside `headers`, which means the same"],
    );
    refused(
        r#""headers":{"Content-Length":"5"}"#,
        expect![[r#"/headers/Content-Length: the header "Content-Length" is set by the host"#]],
    );
    refused(r#""headers":{"X":5}"#, expect!["/headers/X: must be a string"]);
    refused(
        r#""headers":{"a/b":"5"}"#,
        expect![[r#"/headers/a~1b: "a/b" is not a valid header name"#]],
    );
    refused(
        r#""headers":{"X":"a","x":"b"}"#,
        expect![[r#"/headers/x: the header "x" is given twice"#]],
    );
    refused(
        r#""headers":{"X":"***"}"#,
        expect!["/headers/X: *** stands for a value that is not shown, and there is none here"],
    );
    refused(
        r#""targets":{"default":{"target":"1.2.3.4"}}"#,
        expect![
            "/targets/default: a target's name is 1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit, and not `default`"
        ],
    );
    refused(r#""targets":{"a":"1.2.3.4"}"#, expect!["/targets/a: must be an object"]);
    refused(r#""targets":{"a":{}}"#, expect!["/targets/a/target: is missing"]);
    refused(
        r#""targets":{"a":{"target":"1.2.3.4","url":"1.2.3.4"}}"#,
        expect!["/targets/a/url: is given beside `target`, which means the same"],
    );
    refused(
        r#""targets":{"a":{"target":"1.2.3.4","name":"a"}}"#,
        expect!["/targets/a/name: unknown field; known are gone, header, headers, target, url"],
    );
    refused(
        r#""plugin":"a@0""#,
        expect!["/plugin: what follows the @ is a version's number, from 1"],
    );
    refused(
        r#""plugin":"a@+1""#,
        expect!["/plugin: what follows the @ is a version's number, from 1"],
    );
    refused(
        r#""plugin":"A""#,
        expect!["/plugin: a plugin's name is 1 to 64 lower-case letters, digits, `_` or `-`, beginning with a letter or digit"],
    );
    refused(
        r#""retry":{"delays_ms":[86400001]}"#,
        expect!["/retry/delays_ms/0: must be a whole number from 0 to 86400000"],
    );
    refused(
        &format!(r#""retry":{{"delays_ms":[{}1]}}"#, "1,".repeat(50)),
        expect!["/retry/delays_ms: holds at most 50 waits"],
    );
    refused(
        r#""timeout_ms":60001"#,
        expect!["/timeout_ms: must be a whole number from 1 to 60000"],
    );
    refused(r#""inboxes":[]"#, expect!["/inboxes: holds at least one id; leave it out for all"]);
    refused(
        r#""projects":[""]"#,
        expect!["/projects/0: an id of the product is 1 to 128 bytes of text without control characters"],
    );
    refused(r#""metadata":[]"#, expect!["/metadata: must be an object"]);
    refused(
        r#""metadata":{"owner":"\ud83dx"}"#,
        expect!["/metadata/owner: holds half of a surrogate pair"],
    );
    refused(
        &format!(r#""plugin_config":"{}""#, "x".repeat(64 * 1024)),
        expect!["/plugin_config: has 65538 bytes; it may have 65536"],
    );
    refused(
        r#""plugin_config":{"mask":[{"keep_last":4,"keep_last":2}]}"#,
        expect!["/plugin_config/mask/0/keep_last: is given more than once"],
    );
    refused(
        r#""plugin_config":{"at_least":1e400}"#,
        expect!["/plugin_config/at_least: is a number that is too large: a 64-bit floating-point number holds up to about 1.8e308"],
    );
    refused(
        r#""target_gone":true"#,
        expect!["/target_gone: is for the receiver to say, by answering 410"],
    );
}
