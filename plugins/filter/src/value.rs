//! Values as they stand in a payload, and what they are compared with.

use std::borrow::Cow;
use std::cmp::Ordering;

use hookmill_plugin::schemars::{Schema, SchemaGenerator, json_schema};
use hookmill_plugin::{Json, JsonSchema};
use payload::Chars;
use serde::Deserialize;

use crate::number::Decimal;

/// A value that holds no others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
}

/// A number with all its digits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) struct Number(Json);

/// A value in a payload: its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a>(pub(crate) &'a str);

impl<'a> Found<'a> {
    pub(crate) fn equals(self, wanted: &Scalar) -> bool {
        match wanted {
            Scalar::Null => self.0 == "null",
            Scalar::Bool(wanted) => self.0 == if *wanted { "true" } else { "false" },
            Scalar::Number(wanted) => Decimal::read(self.0).is_some_and(|number| number.cmp(&wanted.decimal()).is_eq()),
            Scalar::Text(wanted) => self.string().is_some_and(|string| string == *wanted),
        }
    }

    /// How it compares with a number; none where it is none, nor a string that is one.
    pub(crate) fn compare(self, with: &Number) -> Option<Ordering> {
        let with = with.decimal();
        match Decimal::read(self.0) {
            Some(number) => Some(number.cmp(&with)),
            None => Decimal::read(&self.string()?).map(|number| number.cmp(&with)),
        }
    }

    /// What it means, if it is a string.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inside = self.inside()?;
        Some(if inside.contains('\\') {
            Chars::new(inside).map(|(_, char)| char).collect()
        } else {
            inside.into()
        })
    }

    /// What stands between its quotes, if it is a string.
    fn inside(self) -> Option<&'a str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }
}

impl Number {
    fn decimal(&self) -> Decimal<'_> {
        // It was read once, when it was made.
        Decimal::read(self.0.as_str()).unwrap_or(Decimal::ZERO)
    }
}

impl TryFrom<Json> for Number {
    type Error = &'static str;

    fn try_from(json: Json) -> Result<Self, Self::Error> {
        match Decimal::read(json.as_str()) {
            Some(_) => Ok(Self(json)),
            None => Err("it is no number"),
        }
    }
}

impl TryFrom<Json> for Scalar {
    type Error = &'static str;

    fn try_from(json: Json) -> Result<Self, Self::Error> {
        match json.as_str() {
            "null" => Ok(Self::Null),
            "true" => Ok(Self::Bool(true)),
            "false" => Ok(Self::Bool(false)),
            _ => match json.to_text() {
                Some(text) => Ok(Self::Text(text)),
                None => Number::try_from(json)
                    .map(Self::Number)
                    .map_err(|_| "it is no string, number, true, false or null"),
            },
        }
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean", "null"]})
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number"})
    }
}
