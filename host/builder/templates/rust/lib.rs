//! Sends a document's id and its total, and nothing else.

use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result, json};

struct Totals;

impl Plugin for Totals {
    fn transform(event: Event, _: Integration) -> Result<Outcome> {
        if event.kind != "document_predict" {
            return Ok(Outcome::skip(format!("{} has no total", event.kind)));
        }
        let document = event.document()?;
        let total = document.value("gross_amount").ok_or("the document has no gross amount")?;
        Ok(Request::json(&json!({ "document": document.id, "total": total }))?.into())
    }
}

hookmill_plugin::export!(Totals);

#[cfg(test)]
mod tests {
    use hookmill_plugin::{Json, Value};

    use super::*;

    /// The outcome of an event as it is posted.
    fn outcome(posted: &str) -> Result<Outcome> {
        let posted: Value = Event::example("", posted).parse()?;
        let kind = posted["event"].as_str().ok_or("the sample has no kind")?;
        let event = Event::example(kind, &posted["data"].to_string());
        // No configuration at all, whatever type it has.
        Totals::transform(event, Integration::example(Json::new("{}")?.parse()?))
    }

    #[test]
    fn a_prediction_gives_its_total() -> Result<()> {
        let expected = json!({ "document": "5e7a0daf255bf93741177061", "total": 152.11 });
        let sent = outcome(include_str!("../events/document_predict.json"))?;
        assert_eq!(sent, Request::json(&expected)?.into());
        Ok(())
    }

    #[test]
    fn other_kinds_are_skipped() -> Result<()> {
        let skipped = outcome(include_str!("../events/document_text.json"))?;
        assert_eq!(skipped, Outcome::skip("document_text has no total"));
        Ok(())
    }
}
