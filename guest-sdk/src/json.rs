//! A JSON value kept as text: nothing of it is lost, and reading it costs only when it is asked for.

use std::fmt;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::Error;

/// One JSON value as it was written: `1.10` stays `1.10`, and a number of forty digits keeps them.
///
/// Serde can only read it straight from text: not within a type that is `untagged`, internally tagged or `flatten`ed, since
/// those are read into a buffer first that keeps no text.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// Takes text for JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        serde_json::from_str::<&RawValue>(&text)?;
        Ok(Self(text))
    }

    /// Takes text that the host vouches for.
    pub(crate) fn trusted(text: String) -> Self {
        Self(text)
    }

    /// The text, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// Reads it as a type of your own.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        Ok(serde_json::from_str(&self.0)?)
    }

    /// A string's content, unescaped; nothing for any other value.
    pub fn to_text(&self) -> Option<String> {
        if self.0.starts_with('"') {
            serde_json::from_str(&self.0).ok()
        } else {
            None
        }
    }

    /// A number, or a string's content where that is a number as JSON writes them: as it is written, never rounded.
    pub fn to_number(&self) -> Option<Self> {
        let text = self.to_text().unwrap_or_else(|| self.0.clone());
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if is_number { Self::new(text.trim_end()).ok() } else { None }
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Json({})", self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Box::<str>::from(raw).into_string()))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    fn json(text: &str) -> Json {
        Json::new(text).expect("the test's own JSON")
    }

    #[test]
    fn text_that_is_no_json_is_refused() {
        assert!(Json::new("{").is_err());
        assert!(Json::new("").is_err());
        assert!(Json::new("1 2").is_err());
    }

    #[test]
    fn numbers_keep_their_digits() {
        let number = |text: &str| json(text).to_number().map(|number| number.to_string());
        assert_eq!(number("1.10").as_deref(), Some("1.10"));
        assert_eq!(number("1e400").as_deref(), Some("1e400"));
        assert_eq!(number(r#""-12.50""#).as_deref(), Some("-12.50"));
        assert_eq!(number(r#""12.""#), None);
        assert_eq!(number(r#""+1""#), None);
        assert_eq!(number(r#""1,5""#), None);
        assert_eq!(number("true"), None);
        assert_eq!(number("[1]"), None);
    }

    #[test]
    fn it_stands_in_what_is_written_as_it_was_read() {
        let whole: std::collections::BTreeMap<String, Json> = json(r#"{"a": 1.10, "b": "\u00e9", "c": {"k":1,"k":2}}"#)
            .parse()
            .expect("an object");
        let written = serde_json::to_string(&whole).expect("it has a JSON form");
        assert_eq!(written, r#"{"a":1.10,"b":"\u00e9","c":{"k":1,"k":2}}"#);
        assert_eq!(whole["b"].to_text().as_deref(), Some("é"));
        assert_eq!(whole["a"].to_text(), None);
    }
}
