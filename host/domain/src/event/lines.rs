//! A batch as lines of JSON, one event a line (`application/x-ndjson`). Empty lines are passed over.

use super::{BadEvent, Envelope, Kinds, Posted, parse};

/// Reads a batch of lines. Ranges in the answer are into `body`; pointers begin with the event's position, as in an array. What is beyond
/// `batch_max` is not read: `None`.
pub fn parse_lines(body: &[u8], kinds: &Kinds, batch_max: usize) -> Option<Result<Vec<Envelope>, BadEvent>> {
    let mut events = Vec::new();
    let mut start = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let at = start;
        start += line.len();
        if line.trim_ascii().is_empty() {
            continue;
        }
        if events.len() == batch_max {
            return None;
        }
        let position = events.len();
        match parse(line, kinds, 1) {
            Ok(Posted::One(event)) => events.push(moved(event, at)),
            Ok(Posted::Batch(_)) => return Some(Err(bad(position, "", "must be an object"))),
            Err(error) => return Some(Err(bad(position, &error.pointer, &error.message))),
        }
    }
    if events.is_empty() {
        return Some(Err(BadEvent {
            pointer: String::new(),
            message: "is a batch without an event".to_owned(),
        }));
    }
    Some(Ok(events))
}

fn moved(event: Envelope, by: usize) -> Envelope {
    Envelope {
        data: event.data.start + by..event.data.end + by,
        ..event
    }
}

fn bad(position: usize, pointer: &str, message: &str) -> BadEvent {
    BadEvent {
        pointer: format!("/{position}{pointer}"),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_into_the_body() {
        let body =
            b"\n{\"event\":\"document_text\",\"data\":{\"id\":\"a\"}}\r\n\n {\"event\":\"document_delete\",\"data\": {\"id\":\"b\"} }";
        let events = parse_lines(body, &Kinds::default(), 2).expect("two").expect("events");
        assert_eq!(events.len(), 2);
        assert_eq!(&body[events[0].data.clone()], b"{\"id\":\"a\"}");
        assert_eq!(&body[events[1].data.clone()], b"{\"id\":\"b\"}");
        assert!(parse_lines(body, &Kinds::default(), 1).is_none(), "one too many");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |body: &str, pointer: &str| {
            let error = parse_lines(body.as_bytes(), &Kinds::default(), 3).expect("few").expect_err(body);
            assert_eq!(error.pointer, pointer, "{error}");
        };
        check("\n\n", "");
        check(
            "{\"event\":\"document_text\",\"data\":{\"id\":\"a\"}}\n{\"event\":\"document_text\"}",
            "/1/data",
        );
        check("[{\"event\":\"document_text\",\"data\":{\"id\":\"a\"}}]", "/0");
        check("{\"event\":", "/0");
    }
}
