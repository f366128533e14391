//! What receivers get of what was posted: the documented payload to the byte, by scope, and once for each event's own id.

mod batches;
mod exact;
mod scopes;

use crate::parts::receiver::Received;

const KINDS: [&str; 7] = [
    "document_text",
    "document_split",
    "document_predict",
    "document_evaluate",
    "document_delete",
    "document_fail",
    "document_reject",
];

/// The payload that an event of contractfit1 is documented to become.
fn payload(kind: &str, inbox: Option<&str>, project: Option<&str>, data: &str) -> String {
    let mut payload = format!(r#"{{"event": "{kind}", "organization": "contractfit1""#);
    for (name, value) in [("inbox", inbox), ("project", project)] {
        if let Some(value) = value {
            payload.push_str(&format!(r#", "{name}": "{value}""#));
        }
    }
    payload + r#", "data": "# + data + "}"
}

fn body(got: &Received) -> &str {
    std::str::from_utf8(&got.body).expect("a payload is text")
}
