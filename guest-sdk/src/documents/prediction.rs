//! What was found in a document: sections, annotations, lines, each with its confidence and its place.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::{Lazy, lenient};
use crate::Json;

/// Field names, each with what was found for it.
pub type Annotations = BTreeMap<String, Vec<Found>>;

/// Tables by their names, each with its rows.
pub type Lines = BTreeMap<String, Vec<Row>>;

/// One row of a table: column names, each with one value.
pub type Row = BTreeMap<String, Found>;

/// What was predicted, or what a reviewer said.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Prediction {
    /// The documents that the file consists of.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub sections: Vec<Section>,
    /// The fields.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub annotations: Annotations,
    /// The tables.
    #[serde(default)]
    pub lines: Lazy<Lines>,
}

/// A document within a file, from its first page on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Section {
    /// `invoice` and its like.
    pub document_type: Option<String>,
    /// The format, 24 hexadecimal digits.
    pub format: Option<String>,
    /// From 0 to 100.
    #[serde(default, deserialize_with = "lenient::number")]
    pub confidence: Option<f64>,
    /// Its first page, counted from 0.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub page: Option<u32>,
}

/// One found value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Found {
    /// The value in its normal form: a string or a number.
    pub value: Option<Json>,
    /// What a reviewer put in its place; `null` where the reviewer took the value away.
    #[serde(default, deserialize_with = "even_null")]
    pub gold: Option<Json>,
    /// What stands on the page.
    pub text: Option<String>,
    /// From 0 to 100.
    #[serde(default, deserialize_with = "lenient::number")]
    pub confidence: Option<f64>,
    /// Where it begins.
    pub upper_left: Option<Position>,
    /// Where it ends.
    pub lower_right: Option<Position>,
    /// The version that it comes from.
    pub version: Option<Json>,
}

/// A place in a document: `[page, line, column]`, each counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The page.
    pub page: u32,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Found {
    /// The value that holds: the gold one where a reviewer gave one, none where a reviewer took it away.
    pub fn settled(&self) -> Option<&Json> {
        match &self.gold {
            Some(gold) => Some(gold).filter(|gold| !gold.is_null()),
            None => self.value.as_ref(),
        }
    }
}

/// A value that is there, be it `null`.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PositionVisitor)
    }
}

struct PositionVisitor;

impl<'de> Visitor<'de> for PositionVisitor {
    type Value = Position;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a page, a line and a column")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Position, A::Error> {
        let mut next = || match seq.next_element::<Count>()? {
            Some(Count(Some(count))) => Ok(count),
            _ => Err(de::Error::custom("a position is a page, a line and a column")),
        };
        let position = Position {
            page: next()?,
            line: next()?,
            column: next()?,
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(position)
    }
}

#[derive(Deserialize)]
struct Count(#[serde(deserialize_with = "lenient::integer")] Option<u32>);
