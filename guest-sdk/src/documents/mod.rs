//! The documented shapes of an event's data.
//!
//! They read tolerantly: fields that they do not know are ignored, `null` is as good as absent, and counts, pages and
//! confidences may be numbers or strings that hold one (both occur). What a plugin seldom needs is [`Lazy`]: it is read
//! when it is asked for, so what a plugin does not ask for costs little and can not be wrong.

mod lazy;
mod lenient;
mod prediction;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Deserialize;

pub use lazy::Lazy;
pub use prediction::{Annotations, Found, Lines, Position, Prediction, Row, Section};

use crate::{Json, Value};

/// The data of `document_text`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DocumentText {
    /// The document, 24 hexadecimal digits.
    pub id: String,
    /// What OCR has read.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub text: String,
}

/// The data of `document_split`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DocumentSplit {
    /// The document, 24 hexadecimal digits.
    pub id: String,
    /// The documents that one file was found to consist of, in their order.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub sections: Vec<Section>,
}

/// The data of `document_delete` and `document_fail`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DocumentId {
    /// The document, 24 hexadecimal digits.
    pub id: String,
}

/// The document's JSON: the data of `document_predict`, `document_evaluate` and `document_reject`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Document {
    /// The document, 24 hexadecimal digits.
    pub id: String,
    /// The inbox it came in by, 24 hexadecimal digits.
    pub inbox: Option<String>,
    /// The name of the file that was sent in.
    pub original_filename: Option<String>,
    /// How many pages it has.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub page_count: Option<u32>,
    /// What was found in it.
    pub prediction: Option<Prediction>,
    /// What a reviewer said, in the shape of the prediction, with `gold` values.
    pub feedback: Option<Prediction>,
    /// Whether somebody should look at it.
    pub flag_for_review: Option<bool>,
    /// Its versions.
    #[serde(default)]
    pub versions: Lazy<Vec<Json>>,
    /// The version that holds.
    #[serde(default)]
    pub last_version: Lazy<Json>,
    /// The files it consists of.
    #[serde(default)]
    pub files: Lazy<Vec<File>>,
    /// Who holds it locked.
    #[serde(default)]
    pub lock: Lazy<Mark>,
    /// Who escalated it.
    #[serde(default)]
    pub escalate: Lazy<Mark>,
    /// Who rejected it.
    #[serde(default)]
    pub reject: Lazy<Mark>,
    /// Who submitted it.
    #[serde(default)]
    pub submitted: Lazy<Mark>,
    /// Who has opened it.
    #[serde(default)]
    pub opened_by: Lazy<Vec<Mark>>,
    /// How far it has come.
    #[serde(default)]
    pub status_data: Lazy<StatusData>,
    /// When it came how far.
    #[serde(default)]
    pub timings: Lazy<Timings>,
    /// What the sender gave along, of any shape.
    #[serde(default)]
    pub meta_information: Lazy<Value>,
    /// What processing used, of any shape.
    #[serde(default)]
    pub usage_data: Lazy<Value>,
}

/// A file of a document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct File {
    /// Its name.
    pub filename: Option<String>,
    /// The digest of its content.
    pub filehash: Option<String>,
    /// Its first page in the document, counted from 0.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub page: Option<u32>,
    /// How many pages it has.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub page_count: Option<u32>,
    /// Whether it contains no further files.
    pub leaf: Option<bool>,
    /// Whether it came inside another file.
    pub embedded_attachment: Option<bool>,
}

/// Who did something to a document, and when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Mark {
    /// The user, 24 hexadecimal digits.
    pub by: Option<String>,
    /// RFC 3339.
    pub since: Option<String>,
    /// Whether it holds.
    pub value: Option<bool>,
}

/// How far a document has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct StatusData {
    /// Whether there is data.
    pub data: Option<bool>,
    /// Whether there is feedback.
    pub feedback: Option<bool>,
    /// Whether processing succeeded.
    pub success: Option<bool>,
    /// Whether it is archived.
    pub archived: Option<bool>,
    /// Whether it is escalated.
    pub escalate: Option<bool>,
    /// Whether it is locked.
    pub lock: Option<bool>,
    /// Whether it is rejected.
    pub reject: Option<bool>,
    /// Whether it was drawn as a sample.
    pub sampling: Option<bool>,
    /// Whether the receiver took that it is ready.
    pub ready_accepted: Option<bool>,
    /// Whether the receiver took its submission.
    pub submit_accepted: Option<bool>,
    /// Whether the receiver took its rejection.
    pub reject_accepted: Option<bool>,
    /// How often the receiver was told that it is ready.
    #[serde(deserialize_with = "lenient::integer")]
    pub ready_attempts: Option<u32>,
    /// How often it was submitted.
    #[serde(deserialize_with = "lenient::integer")]
    pub submit_attempts: Option<u32>,
    /// How often the receiver was told that it is rejected.
    #[serde(deserialize_with = "lenient::integer")]
    pub reject_attempts: Option<u32>,
}

/// When a document came how far; all but the period are RFC 3339.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Timings {
    /// When it was received.
    pub receive_time: Option<String>,
    /// When processing began.
    pub start_time: Option<String>,
    /// When processing ended.
    pub done_time: Option<String>,
    /// When a reviewer gave feedback.
    pub feedback_time: Option<String>,
    /// When it was submitted.
    pub submit_time: Option<String>,
    /// How long processing took, in seconds.
    #[serde(default, deserialize_with = "lenient::number")]
    pub processing_period: Option<f64>,
}

impl Document {
    /// What was found for a field: what feedback says where it names the field, else what was predicted.
    ///
    /// Feedback on a field replaces the prediction of that field whole: an empty list means that the reviewer found
    /// nothing there.
    pub fn found(&self, field: &str) -> &[Found] {
        let parts = [&self.feedback, &self.prediction].into_iter().flatten();
        parts
            .filter_map(|part| part.annotations.get(field))
            .next()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The one of [`found`](Self::found) to go by, if any has a value: one with a gold value before one without, then
    /// the one with the highest confidence, then the first.
    pub fn best(&self, field: &str) -> Option<&Found> {
        let rank = |found: &Found| (found.gold.is_some(), found.confidence.unwrap_or_default());
        self.found(field).iter().filter(|found| found.settled().is_some()).reduce(
            |best, next| {
                if rank(next) > rank(best) { next } else { best }
            },
        )
    }

    /// The value of a field that holds: the settled value of its [`best`](Self::best) one.
    pub fn value(&self, field: &str) -> Option<&Json> {
        self.best(field).and_then(Found::settled)
    }

    /// The names of all fields that prediction or feedback speak of.
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for part in [&self.prediction, &self.feedback].into_iter().flatten() {
            // One by one: collecting would bring a sort into every component.
            for name in part.annotations.keys() {
                names.insert(name.as_str());
            }
        }
        names
    }

    /// The type of the document: that of its first section, as feedback has it, else as predicted.
    pub fn document_type(&self) -> Option<&str> {
        let parts = [&self.feedback, &self.prediction].into_iter().flatten();
        parts
            .flat_map(|part| &part.sections)
            .find_map(|section| section.document_type.as_deref())
    }
}
