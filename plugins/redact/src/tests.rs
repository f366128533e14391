//! The plugin on sample events, on the corners of its rules, and on random data.

#[path = "../../../tests/fuzz/targets/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/targets/redact.rs"]
mod fuzz;
mod hostile;
#[path = "../../../tests/fuzz/targets/tree.rs"]
mod tree;

use hookmill_plugin::{Body, Event, Integration, Json, Outcome, Plugin, Request, Value, schema};
use serde::Deserialize;

use super::{Redact, Settings};

fn json<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    Json::new(text).and_then(|json| json.parse()).expect("the test's own JSON fits")
}

/// What becomes of an event: the body of the one request, or the reason of a rejection.
fn run(event: Event, config: &str) -> String {
    match Redact::transform(event, Integration::example(json::<Settings>(config))) {
        Err(error) => format!("reject: {error}"),
        Ok(Outcome::Deliver(requests)) => match requests.as_slice() {
            [
                Request {
                    body: Body::Json(body), ..
                },
            ] => {
                assert_eq!(requests, [Request::raw_json(body.clone())]);
                body.clone()
            }
            other => panic!("not one JSON request: {other:?}"),
        },
        Ok(skip) => panic!("{skip:?}"),
    }
}

/// What becomes of data.
fn redacted(data: &str, config: &str) -> String {
    let body = run(Event::example("document_text", data), config);
    let Some(data) = body.strip_prefix(r#"{"event": "document_text", "organization": "contractfit1", "data": "#) else {
        return body;
    };
    data.strip_suffix('}').expect("the payload is closed").to_owned()
}

#[track_caller]
fn check(data: &str, config: &str, expected: &str) {
    assert_eq!(redacted(data, config), expected, "{config}");
}

/// Drops at these pointers.
fn drop(pointers: &[&str]) -> String {
    let rules: Vec<String> = pointers.iter().map(|pointer| format!(r#"{{"pointer": {pointer:?}}}"#)).collect();
    format!(r#"{{"drop": [{}]}}"#, rules.join(", "))
}

/// Masks at this pointer, with these fields beside.
fn mask(pointer: &str, more: &str) -> String {
    format!(r#"{{"mask": [{{"pointer": {pointer:?}{more}}}]}}"#)
}

#[test]
fn a_document_without_its_bank_account() {
    const SAMPLE: &str = include_str!("../../../tests/samples/document_predict.json");
    #[derive(Deserialize)]
    struct Posted {
        inbox: Option<String>,
        project: Option<String>,
        data: Json,
    }
    let posted: Posted = json(SAMPLE);
    let data = posted.data.as_str();
    let mut event = Event::example("document_predict", data);
    event.inbox = posted.inbox;
    event.project = posted.project;
    let config = r#"{"mask": [
        {"pointer": "/data/prediction/annotations/IBAN/*/value", "keep_last": 4, "required": true},
        {"pointer": "/data/prediction/annotations/IBAN/*/text"}
    ]}"#;
    let body = run(event.clone(), config);
    let mut expected = run(event, &drop(&["/data/colour"]));
    assert!(expected.ends_with(&format!(", \"data\": {data}}}")));
    for (shown, hidden) in [
        ("BE90290050800032", "***0032"),
        ("BE44310180430345", "***0345"),
        ("BE90 2900 5080 0032", "***"),
        ("BE44 3101 8043 0345", "***"),
    ] {
        assert_eq!(expected.matches(shown).count(), 1, "{shown}");
        expected = expected.replace(shown, hidden);
    }
    assert_eq!(body, expected);
}

#[test]
fn members_go_with_their_commas() {
    let data = "{ \"a\" : 1 ,\t\"b\":2,\n \"c\": [3] , \"d\":4 }";
    check(data, &drop(&["/data/a"]), "{ \"b\":2,\n \"c\": [3] , \"d\":4 }");
    check(data, &drop(&["/data/b"]), "{ \"a\" : 1,\n \"c\": [3] , \"d\":4 }");
    check(data, &drop(&["/data/d"]), "{ \"a\" : 1 ,\t\"b\":2,\n \"c\": [3] }");
    check(data, &drop(&["/data/a", "/data/b"]), "{ \"c\": [3] , \"d\":4 }");
    check(data, &drop(&["/data/b", "/data/c"]), "{ \"a\" : 1 , \"d\":4 }");
    check(data, &drop(&["/data/a", "/data/c"]), "{ \"b\":2 , \"d\":4 }");
    check(data, &drop(&["/data/c", "/data/d"]), "{ \"a\" : 1 ,\t\"b\":2 }");
    check(data, &drop(&["/data/*"]), "{  }");
    check(data, &drop(&["/data/c/0"]), "{ \"a\" : 1 ,\t\"b\":2,\n \"c\": [] , \"d\":4 }");
    check("{\"a\":1}", &drop(&["/data/a"]), "{}");
}

#[test]
fn elements_go_by_the_positions_that_they_were_posted_with() {
    let data = r#"{"l": [0, 1, [2], {"x": 3}, 4]}"#;
    check(data, &drop(&["/data/l/0"]), r#"{"l": [1, [2], {"x": 3}, 4]}"#);
    check(data, &drop(&["/data/l/0", "/data/l/1"]), r#"{"l": [[2], {"x": 3}, 4]}"#);
    check(data, &drop(&["/data/l/4", "/data/l/2/0"]), r#"{"l": [0, 1, [], {"x": 3}]}"#);
    check(data, &drop(&["/data/l/*/x"]), r#"{"l": [0, 1, [2], {}, 4]}"#);
    check(data, &drop(&["/data/l/-", "/data/l/5", "/data/l/00", "/data/l/+1"]), data);
}

#[test]
fn values_of_every_type_are_masked() {
    for value in [
        r#""secret""#,
        r#""""#,
        "17",
        "-0.5e7",
        "true",
        "false",
        "null",
        "[1, 2]",
        r#"{"a": {}}"#,
    ] {
        let data = format!(r#"{{"before": 1.10 , "x" :{value}, "after": [ ]}}"#);
        check(&data, &mask("/data/x", ""), r#"{"before": 1.10 , "x" :"***", "after": [ ]}"#);
        check(
            &data,
            &mask("/data/x", r#", "replacement": "a \"b\\\n""#),
            r#"{"before": 1.10 , "x" :"a \"b\\\u000a", "after": [ ]}"#,
        );
        check(
            &data,
            &mask("/data/x", r#", "replacement": """#),
            r#"{"before": 1.10 , "x" :"", "after": [ ]}"#,
        );
    }
    check(r#"{"l":["a" , 2 ,[3]]}"#, &mask("/data/l/*", ""), r#"{"l":["***" , "***" ,"***"]}"#);
}

#[test]
fn the_last_letters_and_digits_are_kept_where_as_many_are_hidden() {
    #[track_caller]
    fn keep(value: &str, keep_last: usize, expected: &str) {
        let config = mask("/data/x", &format!(r#", "keep_last": {keep_last}"#));
        check(&format!(r#"{{"x": {value}}}"#), &config, &format!(r#"{{"x": {expected}}}"#));
    }
    keep(r#""BE90290050800032""#, 4, r#""***0032""#);
    keep(r#""12345678""#, 4, r#""***5678""#);
    keep(r#""1234567""#, 4, r#""***""#);
    keep(r#""1234""#, 4, r#""***""#);
    keep(r#""""#, 4, r#""***""#);
    keep(r#""123""#, 0, r#""***""#);
    keep("12345678", 4, r#""***5678""#);
    keep("-12345.678", 4, r#""***5678""#);
    keep("-1234567.8e-9", 4, r#""***5678""#);
    // What does not identify hides nothing: signs, points, zeros in front, exponents.
    keep("-7", 1, r#""***""#);
    keep("0.57", 2, r#""***""#);
    keep("-1.5", 2, r#""***""#);
    keep("-0.0057", 1, r#""***7""#);
    keep("57E+10", 2, r#""***""#);
    keep("-0.00", 1, r#""***""#);
    keep("false", 1, r#""***""#);
    keep("null", 1, r#""***""#);
    keep("[1,2,3,4]", 1, r#""***""#);
    keep(r#"{"a":12345678}"#, 1, r#""***""#);
    // Characters, however they are written; what is kept stays written so.
    // Spaces and separators neither hide nor are kept.
    keep(r#""BE90 2900 5080 0032""#, 4, r#""***0032""#);
    keep(r#""BE90-2900.5080/0032 ""#, 6, r#""***800032""#);
    keep(r#""+1 (7) - ""#, 1, r#""***7""#);
    keep(r#""- - - - 7""#, 1, r#""***""#);
    keep(r#""0.57""#, 2, r#""***""#);
    keep(r#""\u0030057""#, 2, r#""***""#);
    keep(r#""0""#, 1, r#""***""#);
    keep(r#""éé\u00e9é""#, 2, r#""***\u00e9é""#);
    keep(r#""\ud835\udd0d\ud835\udd0e""#, 1, r#""***\ud835\udd0e""#);
    keep(r#""\ud835\udd0d""#, 1, r#""***""#);
    keep(r#""a\n\"b\u0000""#, 1, r#""***b""#);
    keep(r#""\ud83d\ude00\ud83d\ude01""#, 1, r#""***""#);
    keep(r#""\ud83dx""#, 1, r#""***""#);
}

#[test]
fn every_key_of_the_name_is_redacted() {
    let data = r#"{"iban":"S1","x":1,"\u0069ban":"S2","y":2,"iban":{"iban":"S3"},"\u0069\u0062\u0061\u006e" : [ "S4" ] , "z" : 3}"#;
    check(data, &drop(&["/data/iban"]), r#"{"x":1,"y":2 , "z" : 3}"#);
    check(
        data,
        &mask("/data/iban", ""),
        r#"{"iban":"***","x":1,"\u0069ban":"***","y":2,"iban":"***","\u0069\u0062\u0061\u006e" : "***" , "z" : 3}"#,
    );
    check(
        data,
        &mask("/data/iban/*", ""),
        r#"{"iban":"S1","x":1,"\u0069ban":"S2","y":2,"iban":{"iban":"***"},"\u0069\u0062\u0061\u006e" : [ "***" ] , "z" : 3}"#,
    );
    // The way there may stand twice as well.
    check(
        r#"{"p":{"s":"S1"},"\u0070":{"\u0073":"S2"},"p":[{"s":"S3"}],"p":"S4"}"#,
        &drop(&["/data/p/s", "/data/p/*/s"]),
        r#"{"p":{},"\u0070":{},"p":[{}],"p":"S4"}"#,
    );
    let escaped = r#"{"a\/b":"S1","a/b":"S2","a\u002Fb":"S3","m~n":"S4","m\u007en":"S5","":"S6","\\u0069ban":1}"#;
    check(
        escaped,
        &drop(&["/data/a~1b", "/data/m~0n", "/data/", "/data/iban"]),
        r#"{"\\u0069ban":1}"#,
    );
}

#[test]
fn of_several_rules_the_one_that_hides_most_counts() {
    let data = r#"{"a":{"b":"12345678","c":1},"d":2}"#;
    let config = r#"{"mask": [
        {"pointer": "/data/a/b", "keep_last": 4, "replacement": "k4"},
        {"pointer": "/data/*/b", "keep_last": 2, "replacement": "k2"},
        {"pointer": "/data/a/*", "keep_last": 2, "replacement": "second"}
    ]}"#;
    check(data, config, r#"{"a":{"b":"k278","c":"second"},"d":2}"#);
    let config = r#"{"mask": [{"pointer": "/data/a/b", "keep_last": 4}], "drop": [{"pointer": "/data/*/b"}]}"#;
    check(data, config, r#"{"a":{"c":1},"d":2}"#);
    let config = r#"{"mask": [{"pointer": "/data/a"}, {"pointer": "/data/a/b", "keep_last": 4}], "drop": [{"pointer": "/data/a/c"}]}"#;
    check(data, config, r#"{"a":"***","d":2}"#);
    check(data, &drop(&["/data/a", "/data/a", "/data/a/b", "/data/a/*"]), r#"{"d":2}"#);
}

#[test]
fn what_leads_nowhere_is_no_error_unless_it_is_required() {
    let data = r#"{"a": {"b": [1]}, "c": null}"#;
    check(
        data,
        &drop(&["/data/x", "/data/a/x", "/data/c/x", "/data/a/b/0/x", "/data/a/b/1"]),
        data,
    );
    let required = |pointer: &str| format!(r#"{{"drop": [{{"pointer": {pointer:?}, "required": true}}]}}"#);
    check(data, &required("/data/c"), r#"{"a": {"b": [1]}}"#);
    check(data, &required("/data/*/b"), r#"{"a": {}, "c": null}"#);
    check(
        data,
        &required("/data/a/x"),
        "reject: there is nothing at /data/a/x, where something must be hidden",
    );
    check(
        data,
        &required("/data/a/b/*/y"),
        "reject: there is nothing at /data/a/b/*/y, where something must be hidden",
    );
    // What is hidden with all around it was there.
    let config = r#"{"drop": [{"pointer": "/data/a"}], "mask": [{"pointer": "/data/a/b/0", "required": true}]}"#;
    check(data, config, r#"{"c": null}"#);
    let config = r#"{"drop": [{"pointer": "/data/a"}], "mask": [{"pointer": "/data/a/b/1", "required": true}]}"#;
    check(
        data,
        config,
        "reject: there is nothing at /data/a/b/1, where something must be hidden",
    );
}

#[test]
fn what_stands_beside_the_data_stays() {
    let mut event = Event::example("document_delete", r#"{"id":"1","inbox":"2"}"#);
    event.inbox = Some("i".to_owned());
    event.project = Some("p\"".to_owned());
    assert_eq!(
        run(event, &drop(&["/data/inbox"])),
        r#"{"event": "document_delete", "organization": "contractfit1", "inbox": "i", "project": "p\"", "data": {"id":"1"}}"#
    );
}

#[test]
fn data_that_can_not_be_followed_is_refused_without_a_word_of_it() {
    for data in [
        "",
        "{",
        r#"{"a":"#,
        r#"{"a" "secret"}"#,
        r#"{"a":"secret"#,
        "{secret:1}",
        r#"{"a":1 "b":2}"#,
    ] {
        let said = redacted(data, &drop(&["/data/a"]));
        assert!(said.starts_with("reject: the data can not be followed"), "{data}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn what_is_deep_or_large_is_passed_over() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let data = format!(r#"{{"deep":{deep},"s":{deep},"t":1}}"#);
    check(
        &data,
        &drop(&["/data/s", "/data/deep/0/0/0/x"]),
        &format!(r#"{{"deep":{deep},"t":1}}"#),
    );
    let pointer = format!("/data/deep{}", "/0".repeat(30));
    let masked = format!(r#"{{"deep":{}"***"{},"s":{deep},"t":1}}"#, "[".repeat(30), "]".repeat(30));
    check(&data, &mask(&pointer, ""), &masked);
}

#[test]
fn a_configuration_that_is_not_in_order_is_refused() {
    let refused = |config: &str| {
        let config = Json::new(config).expect("the test's own JSON");
        config.parse::<Settings>().expect_err("it is not in order").to_string()
    };
    assert!(refused("{}").starts_with("there is nothing to drop or to mask"));
    assert!(refused(r#"{"drop": []}"#).starts_with("there is nothing to drop or to mask"));
    assert!(refused(&drop(&["/text"])).starts_with("/text does not lead into /data/"));
    assert!(refused(&drop(&["/data"])).starts_with("/data does not lead into /data/"));
    assert!(refused(&drop(&["data/text"])).starts_with("a pointer begins with /"));
    assert!(refused(&drop(&["/data/~x"])).starts_with("in a pointer, ~ is written ~0"));
    assert!(refused(r#"{"drop": [{"pointer": "/data/a", "keep_last": 1}]}"#).starts_with("unknown field `keep_last`"));
    assert!(refused(&mask("/data/a", r#", "keep_last": -1"#)).starts_with("invalid value"));
    assert!(refused(&drop(&["/data/a"; 129])).starts_with("there are more than 128 rules"));
}

#[test]
fn the_schema_says_what_the_configuration_may_be() {
    let text = schema::<Settings>();
    let schema: Value = json(&text);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["title"], &schema["type"]), (&"Redact".into(), &"object".into()));
    assert_eq!(
        (&schema["additionalProperties"], &schema["minProperties"]),
        (&false.into(), &1.into())
    );
    assert_eq!(schema.get("required"), None);
    for list in ["drop", "mask"] {
        let list = &schema["properties"][list];
        assert_eq!((&list["minItems"], &list["maxItems"]), (&1.into(), &64.into()), "{text}");
        assert_eq!(list.get("default"), None, "{text}");
        assert!(list["title"].is_string() && list["description"].is_string(), "{text}");
    }
    let mask = &schema["$defs"]["MaskRule"];
    assert_eq!(mask["required"], hookmill_plugin::json!(["pointer"]));
    assert_eq!(mask["additionalProperties"], false);
    let properties = &mask["properties"];
    assert_eq!(properties["replacement"]["default"], "***");
    assert_eq!(
        (&properties["keep_last"]["minimum"], &properties["keep_last"]["maximum"]),
        (&0.into(), &64.into()),
        "{text}"
    );
    assert_eq!(properties["pointer"]["pattern"], "^/data(/([^/~]|~[01])*){1,31}$");
    assert_eq!(payload::SEGMENTS_MAX, 32, "the pattern counts so far");
    for property in properties.as_object().expect("an object").values() {
        assert!(property["title"].is_string() && property["description"].is_string(), "{text}");
    }
}

#[test]
fn the_corpus_of_fuzzing() {
    let inputs = corpus::inputs(include_str!("../../../tests/fuzz/corpus/redact.txt"));
    inputs.iter().for_each(|input| fuzz::run(input));
}
