//! What happened: the event as it was posted, and the ways to read its data.
//!
//! The data stays text until a plugin asks for more, so that a plugin pays only for what it reads.

use serde::Deserialize;

use crate::Error;
use crate::documents::{Document, DocumentId, DocumentSplit, DocumentText};

/// Something that happened to a document, accepted once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`, unique. Derive identifiers from it: random numbers and hash orders are no identifiers.
    pub id: String,
    /// `document_predict` and its like: a catalogue that grows, so expect kinds that you do not know.
    pub kind: String,
    /// The tenant's name.
    pub organization: String,
    /// The inbox, 24 hexadecimal digits, where the event belongs to one.
    pub inbox: Option<String>,
    /// The project, 24 hexadecimal digits, where the event belongs to one.
    pub project: Option<String>,
    /// When the host accepted the event: RFC 3339, UTC, milliseconds. The plugin's clock stands here.
    pub accepted_at: String,
    /// JSON text, exactly the bytes that were posted: an object with a string `id` at the top.
    pub data: String,
}

/// The data of an event, read by its kind.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// `document_text`: OCR has finished.
    Text(DocumentText),
    /// `document_split`: the sections are known.
    Split(DocumentSplit),
    /// `document_predict`: predictions are made.
    Predict(Document),
    /// `document_evaluate`: a reviewer has given feedback.
    Evaluate(Document),
    /// `document_reject`: the document is rejected.
    Reject(Document),
    /// `document_delete`: the document is deleted.
    Delete(DocumentId),
    /// `document_fail`: processing failed.
    Fail(DocumentId),
    /// A kind that this version of the crate does not know: read [`Event::data`] with [`Event::parse`].
    Other,
}

impl Event {
    /// Reads the data as a type of your own.
    ///
    /// # Errors
    /// Says what does not fit, and where.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_str(&self.data).map_err(|error| format!("the data of {} does not fit: {error}", self.kind).into())
    }

    /// Reads the data by the event's kind.
    ///
    /// # Errors
    /// When the data has not the documented shape of its kind.
    pub fn content(&self) -> Result<Content, Error> {
        Ok(match self.kind.as_str() {
            "document_text" => Content::Text(self.parse()?),
            "document_split" => Content::Split(self.parse()?),
            "document_predict" => Content::Predict(self.parse()?),
            "document_evaluate" => Content::Evaluate(self.parse()?),
            "document_reject" => Content::Reject(self.parse()?),
            "document_delete" => Content::Delete(self.parse()?),
            "document_fail" => Content::Fail(self.parse()?),
            _ => Content::Other,
        })
    }

    /// Reads the data as the document's JSON, which `document_predict`, `document_evaluate` and `document_reject` carry.
    ///
    /// # Errors
    /// When the data has not the documented shape.
    pub fn document(&self) -> Result<Document, Error> {
        self.parse()
    }

    /// An event for a plugin's own tests: of organization `contractfit1`, accepted at the start of 2025.
    pub fn example(kind: &str, data: &str) -> Self {
        Self {
            id: "evt_01jgfjjz00fhwtxn7sm4dgk8wr".to_owned(),
            kind: kind.to_owned(),
            organization: "contractfit1".to_owned(),
            inbox: None,
            project: None,
            accepted_at: "2025-01-01T00:00:00.000Z".to_owned(),
            data: data.to_owned(),
        }
    }
}
