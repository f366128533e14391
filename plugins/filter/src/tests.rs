//! The plugin on sample events and on the corners of its conditions.

#[path = "../../../tests/fuzz/targets/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/targets/filter.rs"]
mod fuzz;
#[path = "../../../tests/fuzz/targets/tree.rs"]
mod tree;

use hookmill_plugin::{Event, Integration, Json, Outcome, Plugin, Request, Value, schema};
use payload::payload;
use serde::Deserialize;

use super::{Filter, Settings};

fn json<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    Json::new(text).and_then(|json| json.parse()).expect("the test's own JSON fits")
}

/// What becomes of an event under a condition: nothing but "deliver" if it is delivered as it is, or the reason.
fn run(event: &Event, condition: &str) -> String {
    let settings: Settings = json(&format!(r#"{{"deliver_if": {condition}}}"#));
    match Filter::transform(event.clone(), Integration::example(settings)) {
        Err(error) => format!("reject: {error}"),
        Ok(Outcome::Skip(reason)) => format!("skip: {reason}"),
        Ok(Outcome::Deliver(requests)) => {
            assert_eq!(requests, [Request::raw_json(payload(event))]);
            "deliver".to_owned()
        }
    }
}

const DATA: &str = r#"{"id": "1", "n": 1.10, "big": 12345678901234567890, "s": "90", "t": "caf\u00e9 \"x\"", "yes": true, "none": null,
    "list": [3, 12, "7", {"v": 5}], "object": {"k": 1, "k": 2, "\u006b": "three"}, "empty": [], "amount": "-12.50", "é/~": "ü"}"#;

/// Whether an event with that data satisfies a condition.
fn holds(condition: &str) -> bool {
    run(&Event::example("document_predict", DATA), condition) == "deliver"
}

#[track_caller]
fn check(condition: &str, expected: bool) {
    assert_eq!(holds(condition), expected, "{condition}");
    assert_eq!(holds(&format!(r#"{{"not": {condition}}}"#)), !expected, "not {condition}");
}

/// Checks operators on the value at a pointer.
#[track_caller]
fn at(pointer: &str, operators: &str, expected: bool) {
    check(&format!(r#"{{"pointer": "/data/{pointer}", {operators}}}"#), expected);
}

#[test]
fn what_satisfies_is_delivered_to_the_byte_and_what_does_not_is_skipped() {
    let mut event = Event::example(
        "document_predict",
        "{ \"z\":1.10,\t\"a\": 1e400, \"a\": \"\\u00e9é\", \"id\": \"1\" \n}",
    );
    event.project = Some("p".to_owned());
    assert_eq!(run(&event, r#"{"pointer": "/data/z", "equals": 1.1}"#), "deliver");
    assert_eq!(
        run(&event, r#"{"pointer": "/data/z", "equals": 1.2}"#),
        "skip: the condition does not hold: what stands at /data/z does not fit (plugin_config/deliver_if)"
    );
}

#[test]
fn the_names_beside_the_data_count_too() {
    let mut event = Event::example("document_text", "{}");
    event.inbox = Some("5e7a\"".to_owned());
    for (condition, expected) in [
        (r#"{"pointer": "/event", "equals": "document_text"}"#, true),
        (r#"{"pointer": "/organization", "starts_with": "contract"}"#, true),
        (r#"{"pointer": "/inbox", "in": ["5e7b", "5e7a\""]}"#, true),
        (r#"{"pointer": "/project", "exists": true}"#, false),
        (r#"{"pointer": "/project", "exists": false}"#, true),
        (r#"{"pointer": "/data", "exists": true}"#, true),
    ] {
        assert_eq!(run(&event, condition) == "deliver", expected, "{condition}");
    }
}

#[test]
fn equality_is_of_the_same_type() {
    at("n", r#""equals": 1.1"#, true);
    at("n", r#""equals": 11e-1"#, true);
    at("n", r#""equals": "1.10""#, false);
    at("n", r#""not_equals": 1.1"#, false);
    at("n", r#""not_equals": 1.10000000000000000001"#, true);
    at("big", r#""equals": 12345678901234567890"#, true);
    at("big", r#""equals": 12345678901234567891"#, false);
    at("s", r#""equals": 90"#, false);
    at("s", r#""in": [90, "90"]"#, true);
    at("t", r#""equals": "café \"x\"""#, true);
    at("yes", r#""equals": true"#, true);
    at("yes", r#""equals": false"#, false);
    at("yes", r#""equals": "true""#, false);
    at("none", r#""equals": null"#, true);
    at("none", r#""not_equals": null"#, false);
    at("none", r#""equals": false"#, false);
    at("id", r#""not_equals": null"#, true);
    at("list", r#""equals": null"#, false);
    at("list", r#""not_equals": "x""#, true);
    at("é~1~0", r#""equals": "ü""#, true);
}

#[test]
fn order_is_of_numbers_and_of_strings_that_are_numbers() {
    for (pointer, number) in [("n", "1.1"), ("s", "90"), ("amount", "-12.5"), ("big", "12345678901234567890")] {
        at(pointer, &format!(r#""less_than": {number}"#), false);
        at(pointer, &format!(r#""at_most": {number}"#), true);
        at(pointer, &format!(r#""greater_than": {number}"#), false);
        at(pointer, &format!(r#""at_least": {number}"#), true);
        at(pointer, r#""less_than": 1e30, "greater_than": -1e30"#, true);
        at(pointer, r#""at_least": 1e30"#, false);
        at(pointer, r#""at_most": -1e30"#, false);
    }
    at(
        "big",
        r#""less_than": 12345678901234567890.1, "greater_than": 12345678901234567889.9"#,
        true,
    );
    // However its characters are written, a string means the same number.
    let event = Event::example(
        "document_predict",
        r#"{"id": "1", "amount": "\u0031000", "sign": "\u002d1\u002e5"}"#,
    );
    assert_eq!(
        run(&event, r#"{"pointer": "/data/amount", "at_least": 1000, "at_most": 1000}"#),
        "deliver"
    );
    assert_eq!(
        run(&event, r#"{"pointer": "/data/sign", "at_least": -1.5, "at_most": -1.5}"#),
        "deliver"
    );
    for other in ["t", "yes", "none", "list", "object"] {
        at(other, r#""less_than": 1e99"#, false);
        at(other, r#""at_least": -1e99"#, false);
    }
}

#[test]
fn strings_are_searched_by_what_they_mean() {
    at("t", r#""contains": "é \"""#, true);
    at("t", r#""contains": "É""#, false);
    at("t", r#""contains": "u00e9""#, false);
    at("t", r#""contains": """#, true);
    at("t", r#""starts_with": "café""#, true);
    at("t", r#""starts_with": "afé""#, false);
    at("t", r#""ends_with": "x\"""#, true);
    at("t", r#""ends_with": "x""#, false);
    at("n", r#""contains": "1""#, false);
    at("list", r#""contains": "7""#, false);
    at("list/*", r#""contains": "7""#, true);
    at("yes", r#""starts_with": "t""#, false);
}

#[test]
fn a_missing_value_passes_nothing_but_its_absence() {
    for missing in ["x", "n/x", "empty/*", "list/9", "object/k/0"] {
        at(missing, r#""exists": false"#, true);
        for operators in [
            r#""exists": true"#,
            r#""equals": null"#,
            r#""not_equals": 1"#,
            r#""in": [null]"#,
            r#""less_than": 1"#,
            r#""at_least": 0"#,
            r#""contains": """#,
            r#""exists": false, "not_equals": 1"#,
        ] {
            at(missing, operators, false);
        }
    }
    at("none", r#""exists": true"#, true);
    at("none", r#""exists": false"#, false);
    at("empty", r#""exists": true"#, true);
    at("n", r#""exists": false, "equals": 1.1"#, false);
}

#[test]
fn of_many_values_one_must_pass_everything() {
    at("list/*", r#""at_least": 3"#, true);
    at("list/*", r#""greater_than": 7, "less_than": 13"#, true);
    at("list/*", r#""greater_than": 3, "less_than": 7"#, false);
    at("list/*", r#""greater_than": 12"#, false);
    at("list/*/v", r#""equals": 5"#, true);
    at("*/v", r#""exists": true"#, false);
    at("*/*/v", r#""exists": true"#, true);
    at("*", r#""equals": "ü""#, true);
    at("list/1", r#""equals": 12"#, true);
    at("list/01", r#""exists": true"#, false);
    // A key that stands twice, or thrice, however it is written.
    at("object/k", r#""equals": 1"#, true);
    at("object/k", r#""equals": 2"#, true);
    at("object/k", r#""equals": "three""#, true);
    at("object/k", r#""equals": 4"#, false);
    at("object/k", r#""not_equals": 1"#, true);
}

#[test]
fn conditions_are_combined() {
    let (yes, no) = (
        r#"{"pointer": "/data/n", "exists": true}"#,
        r#"{"pointer": "/data/n", "exists": false}"#,
    );
    for (template, expected) in [
        (r#"{"all": [Y, Y]}"#, true),
        (r#"{"all": [Y, N]}"#, false),
        (r#"{"any": [N, Y]}"#, true),
        (r#"{"any": [N, N]}"#, false),
        (r#"{"all": [Y], "any": [N, Y], "not": N}"#, true),
        (r#"{"all": [Y], "any": [N, Y], "not": Y}"#, false),
        (r#"{"all": [N], "any": [N, Y], "not": N}"#, false),
        (r#"{"all": [Y], "any": [N], "not": N}"#, false),
        (r#"{"pointer": "/data/s", "equals": "90", "any": [N, Y]}"#, true),
        (r#"{"pointer": "/data/s", "equals": "91", "any": [N, Y]}"#, false),
        (r#"{"any": [{"all": [Y, {"not": {"any": [N, Y]}}]}, N]}"#, false),
        (r#"{"all": [{"any": [N, {"not": {"all": [Y, N]}}]}, Y]}"#, true),
    ] {
        let condition = template.replace('Y', yes).replace('N', no);
        assert_eq!(holds(&condition), expected, "{template}");
    }
}

#[test]
fn the_reason_says_which_condition_fails_and_nothing_of_the_event() {
    #[track_caller]
    fn reason(condition: &str, expected: &str) {
        let reason = run(&Event::example("document_predict", DATA), condition);
        assert_eq!(reason, format!("skip: the condition does not hold: {expected}"), "{condition}");
    }
    let (yes, no) = (
        r#"{"pointer": "/data/s", "equals": "90"}"#,
        r#"{"pointer": "/data/s", "equals": "91"}"#,
    );
    reason(
        &format!(r#"{{"all": [{yes}, {{"any": [{no}, {yes}], "all": [{yes}, {no}]}}, {no}]}}"#),
        "what stands at /data/s does not fit (plugin_config/deliver_if/all/1/all/1)",
    );
    reason(
        &format!(r#"{{"all": [{yes}, {{"any": [{no}, {no}]}}]}}"#),
        "none of any holds (plugin_config/deliver_if/all/1)",
    );
    reason(
        &format!(r#"{{"not": {yes}}}"#),
        "what is under not holds (plugin_config/deliver_if)",
    );
    reason(
        r#"{"all": [{"pointer": "/data/x/*/y", "at_least": 1}]}"#,
        "there is nothing at /data/x/*/y (plugin_config/deliver_if/all/0)",
    );
    reason(
        r#"{"pointer": "/data/s", "exists": false}"#,
        "there is something at /data/s (plugin_config/deliver_if)",
    );
}

#[test]
fn more_conditions_than_are_followed_at_once() {
    let conditions: Vec<String> = (0..300)
        .map(|number| format!(r#"{{"pointer": "/data/list/*", "equals": {number}}}"#))
        .collect();
    let all = conditions.join(", ");
    check(&format!(r#"{{"any": [{all}]}}"#), true);
    assert_eq!(
        run(&Event::example("k", r#"{"list": [299]}"#), &format!(r#"{{"any": [{all}]}}"#)),
        "deliver"
    );
    let present: Vec<String> = (0..300).map(|_| r#"{"pointer": "/data/n", "equals": 1.1}"#.to_owned()).collect();
    check(&format!(r#"{{"all": [{}]}}"#, present.join(", ")), true);
    check(
        &format!(r#"{{"all": [{}, {{"pointer": "/data/n", "equals": 1}}]}}"#, present.join(", ")),
        false,
    );
}

#[test]
fn what_is_deep_is_passed_over() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let event = Event::example("document_text", &format!(r#"{{"deep": {deep}, "a": 1}}"#));
    let deepest = format!("/data/deep{}", "/0".repeat(30));
    assert_eq!(run(&event, r#"{"pointer": "/data/a", "equals": 1}"#), "deliver");
    assert_eq!(run(&event, &format!(r#"{{"pointer": "{deepest}", "exists": true}}"#)), "deliver");
}

#[test]
fn a_low_confidence_is_kept_back() {
    let low = include_str!("../../../tests/samples/document_predict_low_confidence.json");
    let sure = include_str!("../../../tests/samples/document_predict.json");
    let condition = r#"{"not": {"pointer": "/data/prediction/annotations/net_amount/*/confidence", "less_than": 60}}"#;
    #[derive(Deserialize)]
    struct Posted {
        data: Json,
    }
    for (posted, expected) in [(sure, true), (low, false)] {
        let posted: Posted = json(posted);
        let event = Event::example("document_predict", posted.data.as_str());
        assert_eq!(run(&event, condition) == "deliver", expected);
    }
}

#[test]
fn a_configuration_that_is_not_in_order_is_refused() {
    let refused = |condition: &str| {
        let config = Json::new(format!(r#"{{"deliver_if": {condition}}}"#)).expect("the test's own JSON");
        config.parse::<Settings>().expect_err(condition).to_string()
    };
    for condition in ["{}", r#"{"all": []}"#, r#"{"pointer": "/data/a", "exists": true, "any": []}"#] {
        assert!(refused(condition).starts_with("a condition says something"), "{condition}");
    }
    for condition in [r#"{"pointer": "/data/a"}"#, r#"{"equals": null}"#, r#"{"not": {"exists": true}}"#] {
        assert!(refused(condition).starts_with("a pointer stands with operators"), "{condition}");
    }
    assert!(refused(r#"{"pointer": "data", "exists": true}"#).starts_with("a pointer begins with /"));
    assert!(refused(r#"{"pointer": "/data/a", "equals": [1]}"#).starts_with("it is no string, number"));
    assert!(refused(r#"{"pointer": "/data/a", "less_than": "1"}"#).starts_with("it is no number"));
    assert!(refused(r#"{"pointer": "/data/a", "exists": null}"#).starts_with("invalid type: null"));
    assert!(refused(r#"{"pointer": "/data/a", "matches": "x"}"#).starts_with("unknown field `matches`"));
    let nested = |depth: usize| {
        let inner = r#"{"pointer": "/data/a", "exists": true}"#;
        r#"{"not": "#.repeat(depth) + inner + &"}".repeat(depth)
    };
    let config = |depth| Json::new(format!(r#"{{"deliver_if": {}}}"#, nested(depth))).expect("JSON");
    assert!(config(4).parse::<Settings>().is_ok());
    assert!(refused(&nested(5)).starts_with("all, any and not stand in one another at most 4 deep"));
}

#[test]
fn the_schema_says_what_the_configuration_may_be() {
    let text = schema::<Settings>();
    let schema: Value = json(&text);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["title"], &schema["type"]), (&"Filter".into(), &"object".into()));
    assert_eq!(schema["required"], hookmill_plugin::json!(["deliver_if"]));
    assert_eq!(schema["properties"]["deliver_if"]["$ref"], "#/$defs/Condition", "{text}");
    let conditions = schema["$defs"].as_object().expect("an object");
    assert_eq!(
        conditions.keys().collect::<Vec<_>>(),
        ["Condition", "Condition1", "Condition2", "Condition3", "Condition4"]
    );
    for (name, within) in [
        ("Condition", Some("Condition1")),
        ("Condition3", Some("Condition4")),
        ("Condition4", None),
    ] {
        let condition = &conditions[name];
        assert_eq!(
            (&condition["additionalProperties"], &condition["minProperties"]),
            (&false.into(), &1.into())
        );
        let properties = condition["properties"].as_object().expect("an object");
        for property in properties.values() {
            assert!(property["title"].is_string() && property["description"].is_string(), "{text}");
            assert_eq!(property.get("default"), None);
        }
        assert_eq!(
            properties.get("not").map(|not| not["$ref"].clone()),
            within.map(|within| format!("#/$defs/{within}").into())
        );
        assert_eq!(properties.len(), if within.is_some() { 15 } else { 12 });
        assert_eq!(
            condition["dependentRequired"].as_object().map(|operators| operators.len()),
            Some(11),
            "each operator needs a pointer"
        );
    }
    let properties = &schema["$defs"]["Condition"]["properties"];
    assert_eq!(properties["exists"]["type"], "boolean");
    assert_eq!(properties["less_than"]["type"], "number");
    assert_eq!(
        properties["equals"]["type"],
        hookmill_plugin::json!(["string", "number", "boolean", "null"])
    );
    assert_eq!(properties["in"]["items"]["type"], properties["equals"]["type"]);
    assert!(properties["pointer"]["pattern"].is_string());
    assert_eq!(payload::SEGMENTS_MAX, 32, "the pattern counts so far");
}

#[test]
fn the_corpus_of_fuzzing() {
    let inputs = corpus::inputs(include_str!("../../../tests/fuzz/corpus/filter.txt"));
    inputs.iter().for_each(|input| fuzz::run(input));
}
