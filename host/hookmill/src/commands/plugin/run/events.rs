//! A file of events, read by the parser of `POST /events`.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use hookmill_domain::event::{BadEvent, Envelope, Kinds, Posted, parse, parse_lines};
use serde::de::IgnoredAny;

/// The most events of a file.
const EVENTS_MAX: usize = 100_000;
/// The largest file.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Events, and the bytes that they stand in.
pub(crate) struct Events {
    bytes: Vec<u8>,
    envelopes: Vec<Envelope>,
}

impl Events {
    /// One event whose `data` is this text.
    pub(crate) fn of_one(envelope: Envelope, data: String) -> Events {
        Events {
            bytes: data.into_bytes(),
            envelopes: vec![envelope],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.envelopes.len()
    }

    /// An event and its data as they were posted.
    pub(crate) fn get(&self, number: usize) -> anyhow::Result<(&Envelope, &str)> {
        let event = self.envelopes.get(number).context("there is no such event")?;
        let data = std::str::from_utf8(&self.bytes[event.data.clone()]).context("the event's data is not text")?;
        Ok((event, data))
    }
}

/// Reads the events of a file: one, an array of them, or one on each line. `-` is standard input.
pub(crate) fn read(path: &Path, kinds: &Kinds) -> anyhow::Result<Events> {
    let bytes = bytes(path)?;
    let name = path.display();
    let envelopes = envelopes(&bytes, kinds)?.map_err(|error| match error.pointer.as_str() {
        "" => anyhow::anyhow!("{name}: {}", error.message),
        pointer => anyhow::anyhow!("{name}: at {pointer}: {}", error.message),
    })?;
    Ok(Events { bytes, envelopes })
}

/// The bytes of a file. `-` is standard input.
pub(super) fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let read = || {
        let mut bytes = Vec::new();
        if path.as_os_str() == "-" {
            std::io::stdin().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        } else {
            std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        }
        std::io::Result::Ok(bytes)
    };
    let name = path.display();
    let bytes = read().with_context(|| format!("can not read {name}"))?;
    anyhow::ensure!(
        bytes.len() as u64 <= FILE_BYTES_MAX,
        "{name} has more than {FILE_BYTES_MAX} bytes: run parts of it"
    );
    Ok(bytes)
}

fn envelopes(bytes: &[u8], kinds: &Kinds) -> anyhow::Result<Result<Vec<Envelope>, BadEvent>> {
    if is_lines(bytes) {
        let events = parse_lines(bytes, kinds, EVENTS_MAX);
        return events.with_context(|| format!("there are more than {EVENTS_MAX} events: run parts of the file"));
    }
    Ok(parse(bytes, kinds, EVENTS_MAX).map(|posted| match posted {
        Posted::One(event) => vec![event],
        Posted::Batch(events) => events,
    }))
}

/// Whether the first line is a whole value, and others follow: an event that is laid out on several lines has half of one there.
fn is_lines(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let (Some(first), Some(_)) = (lines.next(), lines.next()) else {
        return false;
    };
    serde_json::from_slice::<IgnoredAny>(first).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"event": "document_text", "data": {"id": "a"}}"#;

    fn check(file: &str, expected: Result<usize, &str>) {
        let read = envelopes(file.as_bytes(), &Kinds::default()).expect("few");
        match expected {
            Ok(count) => assert_eq!(read.expect(file).len(), count, "{file}"),
            Err(pointer) => assert_eq!(read.expect_err(file).pointer, pointer, "{file}"),
        }
    }

    #[test]
    fn files_are_told_apart_by_what_they_hold() {
        check(ONE, Ok(1));
        check(&format!("\n{ONE}\n\n"), Ok(1));
        check(&ONE.replace(", ", ",\n"), Ok(1));
        check(&format!("{ONE}\n{ONE}\r\n\n{ONE}"), Ok(3));
        check(&format!("[{ONE},\n{ONE}]"), Ok(2));
        check(&format!("[\n{ONE}\n,\n{ONE}]\n"), Ok(2));
        check(&format!("{ONE}\n{{"), Err("/1"));
        check(&format!("[{ONE}, 5]"), Err("/1"));
        check("", Err(""));
    }
}
