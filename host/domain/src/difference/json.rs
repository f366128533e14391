//! JSON compared value by value, in the digits and escapes in which it was written.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Finder, SHOWN_BYTES_MAX, text};
use crate::pointer::below;

/// Values that lie deeper are compared as text: each level is read anew.
const DEPTH_MAX: usize = 32;

impl Finder {
    /// Two values at the same place.
    pub(super) fn json(&mut self, at: &str, old: &RawValue, new: &RawValue, depth: usize) {
        if self.more || old.get() == new.get() {
            return;
        }
        let kind = |value: &RawValue| value.get().as_bytes().first().copied();
        match (kind(old), kind(new)) {
            (Some(b'{'), Some(b'{')) if depth < DEPTH_MAX => self.objects(at, old, new, depth),
            (Some(b'['), Some(b'[')) if depth < DEPTH_MAX => self.lists(at, old, new, depth),
            _ => self.text(at, old.get(), new.get()),
        }
    }

    fn objects(&mut self, at: &str, old: &RawValue, new: &RawValue, depth: usize) {
        let (Ok(old), Ok(new)) = (members(old), members(new)) else { return };
        let (old, mut new) = (numbered(&old), numbered(&new));
        let known: HashMap<(&str, usize), &RawValue> = new.iter().copied().collect();
        let mut seen = HashSet::with_capacity(old.len());
        for (place, value) in old {
            if self.more {
                return;
            }
            seen.insert(place);
            let (key, _) = place;
            match known.get(&place) {
                Some(other) if other.get() == value.get() => {}
                Some(other) => self.json(&below(at, key), value, other, depth + 1),
                None => self.add(&below(at, key), Some(shown(value)), None),
            }
        }
        new.retain(|(place, _)| !seen.contains(place));
        for ((key, _), value) in new {
            if self.more {
                return;
            }
            self.add(&below(at, key), None, Some(shown(value)));
        }
    }

    fn lists(&mut self, at: &str, old: &RawValue, new: &RawValue, depth: usize) {
        let (Ok(old), Ok(new)) = (items(old), items(new)) else { return };
        for number in 0..old.len().max(new.len()) {
            if self.more {
                return;
            }
            match (old.get(number), new.get(number)) {
                (Some(old), Some(new)) if old.get() == new.get() => {}
                (Some(old), Some(new)) => self.json(&format!("{at}/{number}"), old, new, depth + 1),
                (old, new) => self.add(&format!("{at}/{number}"), old.map(|old| shown(old)), new.map(|new| shown(new))),
            }
        }
    }
}

fn shown(value: &RawValue) -> String {
    text::beginning(value.get(), SHOWN_BYTES_MAX)
}

/// Each member with the number of those before it that have the same key, which JSON allows.
fn numbered<'a>(members: &'a [(String, &'a RawValue)]) -> Vec<((&'a str, usize), &'a RawValue)> {
    let mut counts: HashMap<&str, usize> = HashMap::with_capacity(members.len());
    let numbered = members.iter().map(|(key, value)| {
        let count = counts.entry(key).or_default();
        *count += 1;
        ((key.as_str(), *count), *value)
    });
    numbered.collect()
}

fn items(list: &RawValue) -> serde_json::Result<Vec<&RawValue>> {
    serde_json::from_str(list.get())
}

/// The members of an object, in order.
fn members(object: &RawValue) -> serde_json::Result<Vec<(String, &RawValue)>> {
    struct InOrder;

    impl<'de> Visitor<'de> for InOrder {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }

    serde_json::Deserializer::from_str(object.get()).deserialize_map(InOrder)
}
