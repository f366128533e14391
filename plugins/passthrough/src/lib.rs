//! The default plugin: wraps an event's data in the documented payload, to the byte.
//!
//! `{"event": "document_text", "organization": "contractfit1", "data": {…}}`, with `"inbox": "…"` and `"project": "…"`
//! between organization and data where the event has them. The data is copied as it was posted and never read; the
//! payload is written into one allocation.

use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result};
use payload::payload;

struct Passthrough;

impl Plugin for Passthrough {
    fn transform(event: Event, _: Integration) -> Result<Outcome> {
        Ok(Request::raw_json(payload(&event)).into())
    }
}

hookmill_plugin::export!(Passthrough, panics = silent);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: &Event, expected: &str) {
        let config = hookmill_plugin::Json::new("null").expect("it is JSON");
        let outcome = Passthrough::transform(event.clone(), Integration::example(config));
        assert_eq!(
            outcome.expect("it never fails"),
            Outcome::Deliver(vec![Request::raw_json(expected)])
        );
    }

    #[test]
    fn the_documented_payload() {
        check(
            &Event::example(
                "document_text",
                r#"{"id": "5e7a0daf255bf93741177061", "text": "example document text"}"#,
            ),
            r#"{"event": "document_text", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061", "text": "example document text"}}"#,
        );
    }

    #[test]
    fn inbox_and_project_stand_before_the_data() {
        let mut event = Event::example("document_delete", r#"{"id":"1"}"#);
        event.project = Some("p".to_owned());
        check(
            &event,
            r#"{"event": "document_delete", "organization": "contractfit1", "project": "p", "data": {"id":"1"}}"#,
        );
        event.inbox = Some("i".to_owned());
        check(
            &event,
            r#"{"event": "document_delete", "organization": "contractfit1", "inbox": "i", "project": "p", "data": {"id":"1"}}"#,
        );
    }

    #[test]
    fn data_is_copied_unread() {
        let data =
            "{ \"z\":1.10,\t\"id\": \"1\", \"a\": 1e400, \"e\": \"\\u00e9é\", \"n\": {\"k\":1,\"k\":2}, \"i\": 12345678901234567890 \n}";
        check(
            &Event::example("document_predict", data),
            &format!("{{\"event\": \"document_predict\", \"organization\": \"contractfit1\", \"data\": {data}}}"),
        );
    }

    #[test]
    fn names_are_escaped() {
        let mut event = Event::example("k\"\\\u{1}\u{1f}é", "{}");
        event.organization = "\n\u{7f}".to_owned();
        check(
            &event,
            "{\"event\": \"k\\\"\\\\\\u0001\\u001fé\", \"organization\": \"\\u000a\u{7f}\", \"data\": {}}",
        );
    }
}
