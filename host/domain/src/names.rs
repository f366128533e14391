//! Names that people give: of organizations, event kinds, plugins, targets, and ids of the product that a scope or event names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Says why a text is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {rule}")]
pub struct BadName {
    what: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<$name, BadName> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok($name(text.into())) } else { Err(BadName { what: $what, rule: $rule }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Letters, digits and some signs, the first a letter or digit.
fn token(text: &str, max: usize, signs: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    (1..=max).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || signs.contains(&byte))
}

name!(
    /// The name of an organization: it stands in every payload.
    OrganizationName,
    "an organization's name",
    "1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit",
    |text| token(text, 64, b"._-")
);
name!(
    /// The kind of an event, such as `document_text`. Kinds are a catalogue in the host's configuration.
    Kind,
    "an event kind",
    "1 to 64 lower-case letters, digits or `_`, beginning with a letter or digit",
    |text| token(text, 64, b"_") && !text.bytes().any(|byte| byte.is_ascii_uppercase())
);
name!(
    /// The name of a plugin in its organization, or among those of the operator.
    PluginName,
    "a plugin's name",
    "1 to 64 lower-case letters, digits, `_` or `-`, beginning with a letter or digit",
    |text| token(text, 64, b"_-") && !text.bytes().any(|byte| byte.is_ascii_uppercase())
);
name!(
    /// The name of a further target of an integration. `default` names the one without a name.
    TargetName,
    "a target's name",
    "1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit, and not `default`",
    |text| token(text, 64, b"._-") && text != "default"
);
name!(
    /// An id of the product: of an inbox, a project or a document. Usually 24 hexadecimal digits; its form is the product's affair.
    ProductId,
    "an id of the product",
    "1 to 128 bytes of text without control characters",
    |text| (1..=128).contains(&text.len()) && !text.chars().any(char::is_control)
);
name!(
    /// A client's own id of an event, unique in its organization.
    ClientEventId,
    "an event's own id",
    "1 to 255 bytes of text without control characters",
    |text| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["contractfit1", "a", "A.b_c-d", &"x".repeat(64)] {
            assert!(good.parse::<OrganizationName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<OrganizationName>().is_err(), "{bad}");
        }
        assert!("Document_text".parse::<Kind>().is_err());
        assert!("default".parse::<TargetName>().is_err());
        assert!("a\nb".parse::<ProductId>().is_err());
        let error = "".parse::<Kind>().expect_err("it is empty");
        assert!(error.to_string().starts_with("an event kind is 1 to 64"));
    }
}
