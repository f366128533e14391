//! `plugin_config`: JSON that is read more than once, by the host's judge of schemas and by a plugin, each with a parser of its own. So it is
//! taken only where all of them read the same (RFC 8259, section 4 and 6; I-JSON, RFC 7493, section 2).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::pointer::{below, told};

/// The deepest nesting: parsers have limits of their own, which are not much higher.
pub const DEPTH_MAX: usize = 100;

/// Why a configuration is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct BadConfig {
    /// A JSON Pointer (RFC 6901) to what is wrong, from the configuration on.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

/// Refuses what parsers read differently, or not at all: a name that stands twice in an object, a number that is too large, half of a
/// surrogate pair, and what is nested too deep.
pub fn check(config: &RawValue) -> Result<(), BadConfig> {
    check_at(config, 0)
}

fn check_at(value: &RawValue, depth: usize) -> Result<(), BadConfig> {
    let text = value.get();
    let bad = |message: &str| Err(BadConfig::here(message));
    match text.as_bytes().first() {
        Some(b'{' | b'[') if depth == DEPTH_MAX => bad(&format!("is nested more than {DEPTH_MAX} levels deep")),
        Some(b'{') => {
            let Ok(members) = members(text) else {
                return bad("has a name with half of a surrogate pair");
            };
            let mut names = HashSet::new();
            for (name, value) in &members {
                let checked = if names.insert(name) {
                    check_at(value, depth + 1)
                } else {
                    bad("is given more than once")
                };
                checked.map_err(|error| error.below(name))?;
            }
            Ok(())
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            elements.into_iter().enumerate().try_for_each(|(position, value)| {
                let checked = check_at(value, depth + 1);
                checked.map_err(|error| error.below(&position.to_string()))
            })
        }
        Some(b'"') if serde_json::from_str::<Text<'_>>(text).is_err() => bad("holds half of a surrogate pair"),
        Some(b'-' | b'0'..=b'9') if serde_json::from_str::<f64>(text).is_err() => {
            bad("is a number that is too large: a 64-bit floating-point number holds up to about 1.8e308")
        }
        _ => Ok(()),
    }
}

impl BadConfig {
    fn here(message: &str) -> BadConfig {
        BadConfig {
            pointer: String::new(),
            message: message.to_owned(),
        }
    }

    fn below(mut self, name: &str) -> BadConfig {
        self.pointer = below("", &told(name)) + &self.pointer;
        self
    }
}

/// A string that borrows from its source where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object, also those whose names stand twice.
fn members(object: &str) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                members.push((name.0, value));
            }
            Ok(members)
        }
    }

    serde_json::Deserializer::from_str(object).deserialize_map(Members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(config: &str) -> Result<(), BadConfig> {
        check(serde_json::from_str(config).expect("the test's own JSON"))
    }

    #[track_caller]
    fn refused(config: &str, pointer: &str, message: &str) {
        let error = checked(config).expect_err(config);
        assert_eq!(error.pointer, pointer, "{config}");
        assert!(error.message.contains(message), "{config}: {error}");
    }

    #[test]
    fn what_all_read_the_same_is_taken() {
        for config in [
            "null",
            r#""\u00e9\ud83d\ude00""#,
            "1.7976931348623157e308",
            "-12345678901234567890.1234567890",
            "1e-400",
            r#" { "a" : 1 , "A" : [ { "a" : {} } , { "a" : [ ] } ] , "" : true } "#,
        ] {
            assert_eq!(checked(config), Ok(()), "{config}");
        }
    }

    #[test]
    fn names_stand_once() {
        refused(r#"{"a": 1, "b": 2, "a": 1}"#, "/a", "more than once");
        refused(r#"{"a": 1, "\u0061": 1}"#, "/a", "more than once");
        refused(r#"[0, {"x/y": {"~": 1, "~": 2}}]"#, "/1/x~1y/~0", "more than once");
        refused(r#"{"a": {"b": 1, "b": 2}, "a": 1}"#, "/a/b", "more than once");
    }

    #[test]
    fn what_some_can_not_read_is_refused() {
        refused(r#"{"a": {"at_least": 1e400}}"#, "/a/at_least", "too large");
        refused(r#"{"a": [1, -1e309]}"#, "/a/1", "too large");
        refused(&format!("[{}]", "9".repeat(400)), "/0", "too large");
        refused(r#"{"a": "\ud800"}"#, "/a", "half of a surrogate pair");
        refused(r#"{"a": {"\udc00x": 1}}"#, "/a", "half of a surrogate pair");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(checked(&nested(DEPTH_MAX)), Ok(()));
        refused(&nested(DEPTH_MAX + 1), &"/0".repeat(DEPTH_MAX), "more than 100 levels");
        refused(&nested(1_000_000), &"/0".repeat(DEPTH_MAX), "more than 100 levels");
    }
}
