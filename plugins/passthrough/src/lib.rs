//! The default plugin: wraps an event's data in the documented payload, to the byte.
//!
//! `{"event": "document_text", "organization": "contractfit1", "data": {…}}`, with `"inbox": "…"` and `"project": "…"`
//! between organization and data where the event has them. The data is copied as it was posted and never read; the
//! payload is written into one allocation.

use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result};

struct Passthrough;

impl Plugin for Passthrough {
    fn transform(event: Event, _: Integration) -> Result<Outcome> {
        Ok(Request::raw_json(payload(&event)).into())
    }
}

hookmill_plugin::export!(Passthrough, panics = silent);

/// What the fixed parts of a payload come to, with room for a few escapes.
const FRAME_BYTES: usize = 96;

fn payload(event: &Event) -> String {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let names_bytes = event.kind.len() + event.organization.len() + optional(&event.inbox) + optional(&event.project);
    let mut payload = String::with_capacity(FRAME_BYTES + names_bytes + event.data.len());
    payload.push_str("{\"event\": ");
    push_string(&mut payload, &event.kind);
    payload.push_str(", \"organization\": ");
    push_string(&mut payload, &event.organization);
    if let Some(inbox) = &event.inbox {
        payload.push_str(", \"inbox\": ");
        push_string(&mut payload, inbox);
    }
    if let Some(project) = &event.project {
        payload.push_str(", \"project\": ");
        push_string(&mut payload, project);
    }
    payload.push_str(", \"data\": ");
    payload.push_str(&event.data);
    payload.push('}');
    payload
}

/// Writes text as a JSON string: quotes, backslashes and control characters escaped, everything else as it is.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().any(needs_escape) {
        text.chars().for_each(|char| push_escaped(out, char));
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn push_escaped(out: &mut String, char: char) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\0'..='\x1f' => {
            out.push_str("\\u00");
            out.push(hex_digit(char as u32 >> 4));
            out.push(hex_digit(char as u32));
        }
        _ => out.push(char),
    }
}

/// The digit of the lowest four bits.
fn hex_digit(number: u32) -> char {
    char::from(b"0123456789abcdef"[number as usize & 0xf])
}

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
