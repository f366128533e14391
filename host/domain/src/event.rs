//! An event as a client posts it. `data` is never parsed into values: it is checked for its form and one `id`, and kept as the bytes
//! that came.

mod diagnosis;
mod kinds;
mod lines;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::names::{ClientEventId, Kind, OrganizationName, ProductId};

pub use kinds::Kinds;
pub use lines::parse_lines;

use diagnosis::diagnose;

/// What a client posted of one event, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What happened.
    pub kind: Kind,
    /// Named by operators alone.
    pub organization: Option<OrganizationName>,
    /// The inbox that the document belongs to.
    pub inbox: Option<ProductId>,
    /// The project that the document belongs to.
    pub project: Option<ProductId>,
    /// The client's own id of the event.
    pub id: Option<ClientEventId>,
    /// `data.id`: the document's.
    pub document: ProductId,
    /// Where `data` stands in the bytes that were posted.
    pub data: Range<usize>,
}

/// Why a body is not an event, or not a batch of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadEvent {
    /// A JSON Pointer (RFC 6901) to what is wrong; empty for the body as a whole.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

impl BadEvent {
    fn new(pointer: impl Into<String>, message: impl fmt::Display) -> BadEvent {
        BadEvent {
            pointer: pointer.into(),
            message: message.to_string(),
        }
    }

    fn at(mut self, position: usize) -> BadEvent {
        self.pointer = format!("/{position}{}", self.pointer);
        self
    }
}

/// A body of `POST /events`: one event, or several as an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// A JSON object.
    One(Envelope),
    /// A JSON array of objects.
    Batch(Vec<Envelope>),
}

/// Reads a body of `POST /events`. Ranges in the answer are into `body`. A batch of more than `batch_max` events is not read further.
pub fn parse(body: &[u8], kinds: &Kinds, batch_max: usize) -> Result<Posted, BadEvent> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        return parse_one(body, body, kinds).map(Posted::One);
    }
    let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| BadEvent::new("", broken_json(&error)))?;
    if items.is_empty() {
        return Err(BadEvent::new("", "is a batch without an event"));
    }
    if items.len() > batch_max {
        return Err(BadEvent::new(
            "",
            format_args!("a batch holds at most {batch_max} events, this one {}", items.len()),
        ));
    }
    let events = items
        .iter()
        .enumerate()
        .map(|(position, item)| parse_one(body, item.get().as_bytes(), kinds).map_err(|error| error.at(position)));
    events.collect::<Result<_, _>>().map(Posted::Batch)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    organization: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    inbox: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    project: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads one event that stands somewhere in `body`.
fn parse_one(body: &[u8], event: &[u8], kinds: &Kinds) -> Result<Envelope, BadEvent> {
    let wire: Wire<'_> = serde_json::from_slice(event).map_err(|error| diagnose(event, &error))?;
    let kind = kinds.get(&wire.event).ok_or_else(|| {
        let known: Vec<&str> = kinds.iter().map(Kind::as_str).collect();
        BadEvent::new("/event", format_args!("unknown kind; known are {}", known.join(", ")))
    })?;
    let document = document_id(wire.data.get())?;
    Ok(Envelope {
        kind: kind.clone(),
        organization: named("/organization", wire.organization)?,
        inbox: named("/inbox", wire.inbox)?,
        project: named("/project", wire.project)?,
        id: named("/id", wire.id)?,
        document,
        data: range_in(body, wire.data.get().as_bytes()),
    })
}

fn named<T: std::str::FromStr<Err: fmt::Display>>(pointer: &str, text: Option<Cow<'_, str>>) -> Result<Option<T>, BadEvent> {
    text.map(|text| text.parse().map_err(|error| BadEvent::new(pointer, error)))
        .transpose()
}

/// Where `part`, a slice of `whole`, stands in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// The one `id` of a `data` object.
fn document_id(data: &str) -> Result<ProductId, BadEvent> {
    struct Ids;

    impl<'de> Visitor<'de> for Ids {
        type Value = (u32, Option<Cow<'de, RawValue>>);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut count, mut id) = (0, None);
            while let Some(key) = map.next_key::<Text<'de>>()? {
                if key.0 == "id" {
                    count += 1;
                    id = Some(Cow::Borrowed(map.next_value::<&'de RawValue>()?));
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok((count, id))
        }
    }

    if !data.starts_with('{') {
        return Err(BadEvent::new("/data", "must be an object"));
    }
    let mut reader = serde_json::Deserializer::from_str(data);
    let (count, id) = reader
        .deserialize_map(Ids)
        .map_err(|error| BadEvent::new("/data", broken_json(&error)))?;
    if count > 1 {
        return Err(BadEvent::new("/data/id", "is given more than once"));
    }
    let id = id.ok_or_else(|| BadEvent::new("/data/id", "is missing: the document's id"))?;
    let id: Cow<'_, str> = serde_json::from_str::<Text<'_>>(id.get())
        .map_err(|_| match id.get().starts_with('"') {
            true => BadEvent::new("/data/id", "must be Unicode text: it holds half a surrogate pair"),
            false => BadEvent::new("/data/id", "must be a string"),
        })?
        .0;
    id.parse().map_err(|error| BadEvent::new("/data/id", error))
}

/// A string that borrows from its source where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn broken_json(error: &serde_json::Error) -> String {
    format!("is not JSON: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(body: &str) -> Result<Envelope, BadEvent> {
        match parse(body.as_bytes(), &Kinds::default(), 1000)? {
            Posted::One(envelope) => Ok(envelope),
            Posted::Batch(_) => panic!("a batch"),
        }
    }

    fn refused(body: &str, pointer: &str, message: &str) {
        let error = parse(body.as_bytes(), &Kinds::default(), 3).expect_err(body);
        assert_eq!(error.pointer, pointer, "{body}: {error}");
        assert!(error.message.contains(message), "{body}: {error}");
    }

    #[test]
    fn data_keeps_its_bytes() {
        let data = r#"{ "z":1.10,  "n":1e400,"é":"\u00e9","id":"5e7a", "d":{"a":1,"a":12345678901234567890} }"#;
        let body = format!(r#" {{"event":"document_text","inbox":"i\u00e9", "project":null,"data":{data} }} "#);
        let envelope = one(&body).expect("an event");
        assert_eq!(&body[envelope.data], data);
        assert_eq!(envelope.document.as_str(), "5e7a");
        assert_eq!(envelope.inbox.expect("given").as_str(), "ié");
        assert_eq!(envelope.project, None);
    }

    #[test]
    fn batches_have_ranges_into_the_body() {
        let body = r#"[{"event":"document_text","data":{"id":"a"}}, {"event":"document_delete","data":{"id":"b"},"id":"x"}]"#;
        let Ok(Posted::Batch(events)) = parse(body.as_bytes(), &Kinds::default(), 2) else {
            panic!("a batch")
        };
        assert_eq!(&body[events[1].data.clone()], r#"{"id":"b"}"#);
    }

    #[test]
    fn what_is_wrong_is_named() {
        refused("", "", "is not JSON");
        refused("{", "", "is not JSON");
        refused("nonsense", "", "is not JSON");
        refused("5", "", "must be an object");
        refused("[]", "", "without an event");
        refused("[1,2,3,4]", "", "at most 3");
        refused(r#"{"event":"document_text"}"#, "/data", "is missing");
        refused(r#"{"data":{"id":"a"}}"#, "/event", "is missing");
        refused(r#"{"event":7,"data":{"id":"a"}}"#, "/event", "must be a string");
        refused(r#"{"event":null,"data":{"id":"a"}}"#, "/event", "must be a string");
        refused(r#"{"event":"document_eaten","data":{"id":"a"}}"#, "/event", "unknown kind");
        refused(r#"{"event":"document_text","data":[]}"#, "/data", "must be an object");
        refused(r#"{"event":"document_text","data":"x"}"#, "/data", "must be an object");
        refused(r#"{"event":"document_text","data":{}}"#, "/data/id", "is missing");
        refused(r#"{"event":"document_text","data":{"x":{"id":"a"}}}"#, "/data/id", "is missing");
        refused(r#"{"event":"document_text","data":{"id":5}}"#, "/data/id", "must be a string");
        refused(r#"{"event":"document_text","data":{"id":""}}"#, "/data/id", "1 to 128 bytes");
        refused(
            r#"{"event":"document_text","data":{"id":"a","id":"a"}}"#,
            "/data/id",
            "more than once",
        );
        refused(
            r#"{"event":"document_text","data":{"id":"a","\u0069d":"b"}}"#,
            "/data/id",
            "more than once",
        );
        refused(
            r#"{"event":"document_text","inbox":5,"data":{"id":"a"}}"#,
            "/inbox",
            "must be a string",
        );
        refused(
            r#"{"event":"document_text","organization":"a b","data":{"id":"a"}}"#,
            "/organization",
            "1 to 64",
        );
        refused(
            r#"{"event":"document_text","data":{"id":"a"},"data":{"id":"b"}}"#,
            "/data",
            "more than once",
        );
        refused(
            r#"{"event":"document_text","da/ta":1,"data":{"id":"a"}}"#,
            "/da~1ta",
            "unknown field",
        );
        refused(
            r#"[{"event":"document_text","data":{"id":"a"}},{"event":"document_text","data":{"id":6}}]"#,
            "/1/data/id",
            "string",
        );
        let error = parse(b"{\"event\":\"document_text\",\"data\":{\"id\":\"\xff\"}}", &Kinds::default(), 3);
        assert_eq!(error.expect_err("not UTF-8").message, "is not UTF-8");
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let deep = format!(
            r#"{{"event":"document_text","data":{{"id":"a","x":{}{}}}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(one(&deep).is_ok());
    }
}
