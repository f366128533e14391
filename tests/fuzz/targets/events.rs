//! Bodies of `POST /events`: the data of whatever is taken stands in the body just where the envelope says, and an event that is written
//! anew from its envelope is read as the same one by itself, in an array and in a line.

use hookmill_domain::event::{Envelope, Kinds, Posted, parse, parse_lines};
use serde_json::value::RawValue;

/// The most events of a batch here.
const BATCH_MAX: usize = 8;

/// Reads a body in both forms.
pub(crate) fn run(body: &[u8]) {
    let kinds = Kinds::default();
    match parse(body, &kinds, BATCH_MAX) {
        Ok(Posted::One(event)) => check(body, &event, &kinds),
        Ok(Posted::Batch(events)) => check_all(body, &events, &kinds),
        Err(error) => assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{error:?}"),
    }
    match parse_lines(body, &kinds, BATCH_MAX) {
        None => {}
        Some(Ok(events)) => check_all(body, &events, &kinds),
        Some(Err(error)) => assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{error:?}"),
    }
}

fn check_all(body: &[u8], events: &[Envelope], kinds: &Kinds) {
    assert!((1..=BATCH_MAX).contains(&events.len()));
    let mut end = 0;
    for event in events {
        assert!(event.data.start > end, "events stand one after the other");
        end = event.data.end;
        check(body, event, kinds);
    }
}

fn check(body: &[u8], event: &Envelope, kinds: &Kinds) {
    let data = &body[event.data.clone()];
    assert!(data.starts_with(b"{") && data.ends_with(b"}"));
    let raw: &RawValue = serde_json::from_slice(data).expect("data is JSON");
    assert_eq!(raw.get().as_bytes(), data);
    // A reader that knows fewer numbers than JSON, and no key that stands twice, finds the same id where it finds any.
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) {
        assert_eq!(value["id"], event.document.as_str());
    }
    let (head, whole) = written(event, data);
    let at = |start: usize| Envelope {
        data: start + head..start + head + data.len(),
        ..event.clone()
    };
    assert_eq!(parse(&whole, kinds, 1), Ok(Posted::One(at(0))));
    assert_eq!(parse(&[b"[", &whole[..], b"]"].concat(), kinds, 1), Ok(Posted::Batch(vec![at(1)])));
    if !whole.contains(&b'\n') {
        assert_eq!(parse_lines(&whole, kinds, 1), Some(Ok(vec![at(0)])));
    }
}

/// The event as somebody else would write it, and where its data begins.
fn written(event: &Envelope, data: &[u8]) -> (usize, Vec<u8>) {
    let members = [
        ("project", event.project.as_ref().map(ToString::to_string)),
        ("id", event.id.as_ref().map(ToString::to_string)),
        ("event", Some(event.kind.to_string())),
        ("inbox", event.inbox.as_ref().map(ToString::to_string)),
        ("organization", event.organization.as_ref().map(ToString::to_string)),
    ];
    let head: String = members
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name:?}:{},", serde_json::Value::from(text?))))
        .collect();
    let head = format!("{{{head}\"data\":");
    (head.len(), [head.as_bytes(), data, b"}"].concat())
}
