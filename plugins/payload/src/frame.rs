//! The documented payload around an event's data.

use hookmill_plugin::Event;

use crate::string::push_string;

/// What the fixed parts of a payload come to, with room for a few escapes.
const FRAME_BYTES: usize = 96;

/// The payload of an event: `{"event": "document_text", "organization": "contractfit1", "data": {…}}`, with
/// `"inbox": "…"` and `"project": "…"` between organization and data where the event has them. The data is copied as it
/// was posted and never read; the payload is written into one allocation.
pub fn payload(event: &Event) -> String {
    let mut payload = head(event, event.data.len());
    payload.push_str(&event.data);
    payload.push('}');
    payload
}

/// A payload as far as its data, with room for this much data and for what closes it: a `}`.
pub fn head(event: &Event, data_bytes: usize) -> String {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let names_bytes = event.kind.len() + event.organization.len() + optional(&event.inbox) + optional(&event.project);
    let mut head = String::with_capacity(FRAME_BYTES + names_bytes + data_bytes);
    head.push_str("{\"event\": ");
    push_string(&mut head, &event.kind);
    head.push_str(", \"organization\": ");
    push_string(&mut head, &event.organization);
    if let Some(inbox) = &event.inbox {
        head.push_str(", \"inbox\": ");
        push_string(&mut head, inbox);
    }
    if let Some(project) = &event.project {
        head.push_str(", \"project\": ");
        push_string(&mut head, project);
    }
    head.push_str(", \"data\": ");
    head
}
