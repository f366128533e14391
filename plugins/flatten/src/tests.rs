//! The plugin on whole sample events and on the corners of its rules.

use hookmill_plugin::{Body, Event, Integration, Json, Outcome, Plugin, Request, schema};
use serde::Deserialize;

use super::{Flatten, Settings};

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../tests/samples/", $name, ".json"))
    };
}

#[derive(Deserialize)]
struct Posted {
    event: String,
    data: Json,
}

fn event(posted: &str) -> Event {
    let posted: Posted = serde_json_of(posted);
    Event::example(&posted.event, posted.data.as_str())
}

fn serde_json_of<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    Json::new(text).and_then(|json| json.parse()).expect("the test's own JSON fits")
}

/// What becomes of an event under a configuration, in an integration with one further target, `review`: the target and
/// the body of the one request, or the reason of a skip or a rejection.
fn run(event: Event, config: &str) -> String {
    let mut integration = Integration::example(serde_json_of::<Settings>(config));
    integration.targets.push("review".to_owned());
    match Flatten::transform(event, integration) {
        Err(error) => format!("reject: {error}"),
        Ok(Outcome::Skip(reason)) => format!("skip: {reason}"),
        Ok(Outcome::Deliver(requests)) => match requests.as_slice() {
            [
                Request {
                    body: Body::Json(body),
                    target: None,
                    ..
                },
            ] => body.clone(),
            [
                Request {
                    body: Body::Json(body),
                    target: Some(target),
                    ..
                },
            ] => format!("{target}: {body}"),
            other => panic!("not one JSON request: {other:?}"),
        },
    }
}

#[track_caller]
fn check(event: Event, config: &str, expected: &str) {
    assert_eq!(run(event, config), expected);
}

fn predict(data: &str) -> Event {
    Event::example("document_predict", data)
}

const PREDICTED: &str = r#"{"BIC": "GEBABEBB", "IBAN": "BE90290050800032", "VAT_number": "BE0665922717", "amount_payable": 152.11, "currency": "EUR", "customer_number": "77-1042", "due_date": "2017-10-03", "gross_amount": 152.11, "invoice_date": "2017-10-05", "invoice_number": "10.837.642", "net_amount": 143.5, "order_number": "PO-2017-00318", "sender_name": "Papeterie de l'Étang NV", "tax_amount": 8.61, "type": "invoice"}"#;

#[test]
fn a_prediction_becomes_the_short_form() {
    check(event(sample!("document_predict")), "{}", PREDICTED);
    check(event(sample!("document_reject")), "{}", PREDICTED);
}

#[test]
fn what_the_reviewer_said_wins() {
    let expected = PREDICTED
        .replace(r#""due_date": "2017-10-03""#, r#""due_date": "2017-11-03""#)
        .replace("10.837.642", "10.837.643")
        .replace(r#""order_number": "PO-2017-00318", "#, "");
    check(event(sample!("document_evaluate")), "{}", &expected);
}

#[test]
fn only_the_fields_that_are_asked_for() {
    let config = r#"{"fields": ["net_amount", "IBAN", "colour"]}"#;
    check(
        event(sample!("document_predict")),
        config,
        r#"{"IBAN": "BE90290050800032", "net_amount": 143.5, "type": "invoice"}"#,
    );
}

#[test]
fn low_confidence_goes_to_review() {
    let low = || event(sample!("document_predict_low_confidence"));
    let config = r#"{"review_below": 60, "fields": ["net_amount", "currency"]}"#;
    check(
        low(),
        config,
        r#"review: {"currency": "EUR", "net_amount": 1435.0, "type": "invoice"}"#,
    );
    let config = r#"{"review_below": 38, "fields": ["net_amount", "currency"]}"#;
    check(low(), config, r#"{"currency": "EUR", "net_amount": 1435.0, "type": "invoice"}"#);
    let config = r#"{"review_below": 60, "fields": ["currency"]}"#;
    check(low(), config, r#"{"currency": "EUR", "type": "invoice"}"#);
    let config = r#"{"review_below": 60, "review_target": "desk"}"#;
    check(
        low(),
        config,
        "reject: net_amount has confidence 38, below 60, but the integration has no target named desk",
    );
    check(event(sample!("document_predict")), r#"{"review_below": 60}"#, PREDICTED);
}

#[test]
fn what_people_have_settled_is_not_reviewed_again() {
    let data = r#"{"id": "1", "prediction": {"annotations": {"a": [{"value": "x", "confidence": 1}]}}}"#;
    let config = r#"{"review_below": 99}"#;
    check(predict(data), config, r#"review: {"a": "x"}"#);
    check(Event::example("document_evaluate", data), config, r#"{"a": "x"}"#);
    check(Event::example("document_reject", data), config, r#"{"a": "x"}"#);
    let gold = r#"{"id": "1", "feedback": {"annotations": {"a": [{"value": "x", "gold": "y", "confidence": 1}]}}}"#;
    check(predict(gold), config, r#"{"a": "y"}"#);
}

#[test]
fn amounts_keep_their_digits_and_other_values_become_strings() {
    let data = r#"{"id": "1", "prediction": {"annotations": {
        "amount": [{"value": 1.10}], "amount_due": [{"value": "-12.50"}], "big_amount": [{"value": 12345678901234567890.10}],
        "count": [{"value": 3}], "flag": [{"value": true}], "name": [{"value": "caf\u00e9 \"x\""}], "nothing": [{"value": null}], "none": []
    }}}"#;
    check(
        predict(data),
        "{}",
        r#"{"amount": 1.10, "amount_due": -12.50, "big_amount": 12345678901234567890.10, "count": "3", "flag": "true", "name": "caf\u00e9 \"x\""}"#,
    );
}

#[test]
fn an_amount_that_is_no_number_is_sent_as_it_stands_and_looked_at() {
    let data = r#"{"id": "1", "prediction": {"annotations": {"net_amount": [{"value": "1.234,56", "confidence": 99}]}}}"#;
    check(predict(data), "{}", r#"{"net_amount": "1.234,56"}"#);
    check(predict(data), r#"{"review_below": 10}"#, r#"review: {"net_amount": "1.234,56"}"#);
}

#[test]
fn confidences_may_be_strings() {
    let data =
        r#"{"id": "1", "prediction": {"annotations": {"a": [{"value": "x", "confidence": "40"}, {"value": "y", "confidence": "41"}]}}}"#;
    check(predict(data), "{}", r#"{"a": "y"}"#);
    check(predict(data), r#"{"review_below": 42}"#, r#"review: {"a": "y"}"#);
}

#[test]
fn other_kinds_are_skipped_and_a_document_without_prediction_is_refused() {
    check(event(sample!("document_text")), "{}", "skip: document_text carries no prediction");
    check(event(sample!("document_split")), "{}", "skip: document_split carries no prediction");
    check(
        event(sample!("document_delete")),
        "{}",
        "skip: document_delete carries no prediction",
    );
    check(event(sample!("document_fail")), "{}", "skip: document_fail carries no prediction");
    check(
        Event::example("document_new", r#"{"id": "1"}"#),
        "{}",
        "skip: document_new carries no prediction",
    );
    check(
        predict(r#"{"id": "1"}"#),
        "{}",
        "reject: the document has neither prediction nor feedback",
    );
    check(predict(r#"{"id": "1", "prediction": {}}"#), "{}", "{}");
}

#[test]
fn the_schema_says_what_the_configuration_may_be() {
    let schema: hookmill_plugin::Value = serde_json_of(&schema::<Settings>());
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(
        schema["type"],
        hookmill_plugin::json!(["object", "null"]),
        "everything has a default"
    );
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["review_below"]["minimum"], 0);
    assert_eq!(schema["properties"]["review_below"]["maximum"], 100);
    assert_eq!(schema["properties"]["review_target"]["default"], "review");
    assert_eq!(schema.get("required"), None);
}
