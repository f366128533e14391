//! Which field an event was refused for.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{BadEvent, Text, broken_json};
use crate::pointer::{below, told};

const FIELDS: [&str; 6] = ["event", "organization", "inbox", "project", "id", "data"];

/// Says which field an event was refused for. Off the hot path, so it reads the event once more, field by field.
pub(super) fn diagnose(event: &[u8], error: &serde_json::Error) -> BadEvent {
    struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

    impl<'de> Deserialize<'de> for Fields<'de> {
        fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Fields<'de>, D::Error> {
            struct Pairs;

            impl<'de> Visitor<'de> for Pairs {
                type Value = Fields<'de>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                    let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                    while let Some(key) = map.next_key::<Text<'de>>()? {
                        // Enough to name the first fault: an unknown field, or one that comes twice.
                        let value = map.next_value::<&'de RawValue>()?;
                        if fields.len() <= FIELDS.len() {
                            fields.push((key.0, value));
                        }
                    }
                    Ok(Fields(fields))
                }
            }

            deserializer.deserialize_map(Pairs)
        }
    }

    if std::str::from_utf8(event).is_err() {
        return BadEvent::new("", "is not UTF-8");
    }
    let fields = match serde_json::from_slice::<Fields<'_>>(event) {
        Ok(fields) => fields.0,
        Err(broken) if broken.is_data() => return BadEvent::new("", "must be an object"),
        Err(broken) => return BadEvent::new("", broken_json(&broken)),
    };
    for (position, (name, value)) in fields.iter().enumerate() {
        if !FIELDS.contains(&name.as_ref()) {
            return BadEvent::new(
                below("", &told(name)),
                format_args!("unknown field; an event has {}", FIELDS.join(", ")),
            );
        }
        if fields[..position].iter().any(|(earlier, _)| earlier == name) {
            return BadEvent::new(format!("/{name}"), "is given more than once");
        }
        let optional_null = value.get() == "null" && !["event", "data"].contains(&name.as_ref());
        if name != "data" && !optional_null && serde_json::from_str::<Text<'_>>(value.get()).is_err() {
            return BadEvent::new(format!("/{name}"), "must be a string");
        }
    }
    for name in ["event", "data"] {
        if !fields.iter().any(|(given, _)| given == name) {
            return BadEvent::new(format!("/{name}"), "is missing");
        }
    }
    BadEvent::new("", broken_json(error))
}
