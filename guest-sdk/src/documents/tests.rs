//! Documents as the product posts them, and the forms that it is known to vary.

use serde::Deserialize;

use super::*;
use crate::{Content, Error, Event};

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
    let posted: Posted = serde_json::from_str(posted).expect("a sample is an event");
    Event::example(&posted.event, posted.data.as_str())
}

fn document(data: &str) -> Document {
    Event::example("document_predict", data)
        .document()
        .expect("the test's own document fits")
}

fn text(value: Option<&Json>) -> Option<String> {
    value.map(Json::to_string)
}

#[test]
fn every_sample_reads_by_its_kind() -> Result<(), Error> {
    let document_id = "5e7a0daf255bf93741177061".to_owned();
    let expected = DocumentText {
        id: document_id.clone(),
        text: "example document text".to_owned(),
    };
    assert_eq!(event(sample!("document_text")).content()?, Content::Text(expected));
    assert_eq!(
        event(sample!("document_delete")).content()?,
        Content::Delete(DocumentId { id: document_id })
    );
    assert!(matches!(event(sample!("document_fail")).content()?, Content::Fail(_)));
    assert!(matches!(event(sample!("document_predict")).content()?, Content::Predict(_)));
    assert!(matches!(event(sample!("document_evaluate")).content()?, Content::Evaluate(_)));
    assert!(matches!(event(sample!("document_reject")).content()?, Content::Reject(_)));
    assert_eq!(Event::example("document_new", "{}").content()?, Content::Other);
    Ok(())
}

#[test]
fn a_split_has_its_numbers_as_strings_or_as_numbers() -> Result<(), Error> {
    let Content::Split(split) = event(sample!("document_split")).content()? else {
        panic!("a split")
    };
    let sections: Vec<_> = split.sections.iter().map(|section| (section.page, section.confidence)).collect();
    assert_eq!(sections, [(Some(0), Some(96.0)), (Some(2), Some(83.0))]);
    let data = r#"{"id": "1", "sections": [{"page": 3, "confidence": 97}, {"page": "x", "confidence": null}, {"page": -1}]}"#;
    let split: DocumentSplit = Event::example("document_split", data).parse()?;
    let sections: Vec<_> = split.sections.iter().map(|section| (section.page, section.confidence)).collect();
    assert_eq!(sections, [(Some(3), Some(97.0)), (None, None), (None, None)]);
    Ok(())
}

#[test]
fn a_whole_document_reads_down_to_its_parts() -> Result<(), Error> {
    let document = event(sample!("document_evaluate")).document()?;
    assert_eq!(document.page_count, Some(2));
    assert_eq!(document.document_type(), Some("invoice"));
    let iban = &document.prediction.as_ref().expect("it was predicted").annotations["IBAN"];
    assert_eq!(iban.len(), 2);
    assert_eq!(
        iban[0].upper_left,
        Some(Position {
            page: 1,
            line: 44,
            column: 12
        })
    );
    let lines = document
        .prediction
        .as_ref()
        .expect("it was predicted")
        .lines
        .read()?
        .expect("it has lines");
    assert_eq!(lines["line_items"].len(), 3);
    assert_eq!(text(lines["line_items"][2]["amount"].settled()).as_deref(), Some("17.6"));
    assert_eq!(document.files.read()?.expect("it has a file")[0].page_count, Some(2));
    assert_eq!(document.submitted.read()?.expect("it is submitted").value, Some(true));
    assert_eq!(document.opened_by.read()?.expect("somebody opened it").len(), 1);
    assert_eq!(document.status_data.read()?.expect("it has a status").submit_attempts, Some(1));
    assert_eq!(document.timings.read()?.expect("it took time").processing_period, Some(33.562));
    assert_eq!(document.meta_information.read()?.expect("it has some")["channel"], "email");
    Ok(())
}

#[test]
fn feedback_replaces_the_prediction_of_a_field_whole() -> Result<(), Error> {
    let document = event(sample!("document_evaluate")).document()?;
    assert_eq!(text(document.value("due_date")).as_deref(), Some(r#""2017-11-03""#));
    assert_eq!(document.value("order_number"), None, "its gold value is null");
    let emptied = r#"{"id": "1", "prediction": {"annotations": {"a": [{"value": 1}], "b": [{"value": 2}]}},
        "feedback": {"annotations": {"a": []}}}"#;
    let document = self::document(emptied);
    assert_eq!(document.value("a"), None);
    assert_eq!(text(document.value("b")).as_deref(), Some("2"));
    assert_eq!(document.fields().into_iter().collect::<Vec<_>>(), ["a", "b"]);
    Ok(())
}

#[test]
fn of_several_values_gold_counts_first_then_confidence_then_order() {
    let best = |found: &str| {
        let data = format!(r#"{{"id": "1", "prediction": {{"annotations": {{"a": {found}}}}}}}"#);
        text(document(&data).value("a"))
    };
    assert_eq!(
        best(r#"[{"value": 1, "confidence": 5}, {"value": 2, "confidence": "7"}]"#).as_deref(),
        Some("2")
    );
    assert_eq!(
        best(r#"[{"value": 1, "confidence": 7}, {"value": 2, "confidence": 7}]"#).as_deref(),
        Some("1")
    );
    assert_eq!(best(r#"[{"value": 1}, {"value": 2, "confidence": 1}]"#).as_deref(), Some("2"));
    assert_eq!(best(r#"[{"value": 1, "confidence": 99}, {"gold": 2}]"#).as_deref(), Some("2"));
    assert_eq!(best(r#"[{"value": null, "confidence": 99}, {"value": 2}]"#).as_deref(), Some("2"));
    assert_eq!(best("[]"), None);
}

#[test]
fn only_what_is_read_must_fit() {
    let document = document(r#"{"id": "1", "new": {"a": 1e400}, "lock": 7, "timings": null, "prediction": {"lines": []}}"#);
    assert!(document.lock.read().is_err());
    assert_eq!(document.timings.read().expect("null is absent"), None);
    assert!(document.prediction.expect("it is there").lines.read().is_err());
    assert!(
        Event::example("document_predict", r#"{"inbox": "1"}"#).document().is_err(),
        "a document has an id"
    );
    assert!(
        Event::example("document_predict", r#"{"id": "1", "prediction": 3}"#)
            .document()
            .is_err()
    );
}
