//! Bodies of `POST /events`: whatever is taken stands in the body just where the envelope says, and an event is read alike by itself, in an
//! array and in a line.

use std::ops::Range;

use hookmill_domain::event::{Envelope, Kinds, Posted, parse, parse_lines};
use serde_json::value::RawValue;

/// The most events of a batch here.
const BATCH_MAX: usize = 8;

/// Reads a body in both forms.
pub(crate) fn run(body: &[u8]) {
    let kinds = Kinds::default();
    match parse(body, &kinds, BATCH_MAX) {
        Ok(Posted::One(event)) => {
            assert_eq!(body[event.whole.clone()], *body.trim_ascii());
            check(body, &event, &kinds);
        }
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
        assert!(event.whole.start >= end, "events stand one after the other");
        end = event.whole.end;
        check(body, event, kinds);
    }
}

fn check(body: &[u8], event: &Envelope, kinds: &Kinds) {
    assert!(event.whole.start < event.data.start && event.data.end < event.whole.end);
    let data = &body[event.data.clone()];
    assert!(data.starts_with(b"{") && data.ends_with(b"}"));
    let raw: &RawValue = serde_json::from_slice(data).expect("data is JSON");
    assert_eq!(raw.get().as_bytes(), data);
    // A reader that knows fewer numbers than JSON, and no key that stands twice, finds the same id where it finds any.
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) {
        assert_eq!(value["id"], event.document.as_str());
    }
    let whole = &body[event.whole.clone()];
    let alone = Envelope {
        data: moved(&event.data, event.whole.start),
        whole: 0..whole.len(),
        ..event.clone()
    };
    assert_eq!(parse(whole, kinds, 1), Ok(Posted::One(alone.clone())));
    let in_array = Envelope {
        data: alone.data.start + 1..alone.data.end + 1,
        whole: 1..whole.len() + 1,
        ..alone.clone()
    };
    assert_eq!(parse(&[b"[", whole, b"]"].concat(), kinds, 1), Ok(Posted::Batch(vec![in_array])));
    if !whole.contains(&b'\n') {
        assert_eq!(parse_lines(whole, kinds, 1), Some(Ok(vec![alone])));
    }
}

fn moved(range: &Range<usize>, back: usize) -> Range<usize> {
    range.start - back..range.end - back
}
