//! Reading a JSON body field by field, so that whatever is wrong is named. Values are looked at only where somebody asks for them; what is
//! kept as JSON text keeps its bytes.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use hookmill_domain::pointer::{below, told};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::problem::FieldError;

/// The deepest nesting of JSON that is kept as text: what reads it later has its limits too.
pub(crate) const DEPTH_MAX: usize = hookmill_domain::config::DEPTH_MAX;

/// A JSON object whose fields are taken one after the other. What is left at the end was not expected.
#[derive(Debug)]
pub(crate) struct Form<'a> {
    pointer: String,
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    known: Vec<&'static str>,
}

/// A value, and where it stands.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pointer: String,
    raw: &'a RawValue,
}

impl<'a> Form<'a> {
    /// Reads a body: an object of at most `fields_max` fields, none of them twice.
    pub(crate) fn read(text: &'a str, fields_max: usize) -> Result<Form<'a>, FieldError> {
        let raw = serde_json::from_str(text).map_err(|error| FieldError::not_json(&error))?;
        Given {
            pointer: String::new(),
            raw,
        }
        .form(fields_max)
    }

    /// Whether a field is there, be it as `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(given, _)| given == name)
    }

    /// Takes a field. `null` is the same as none.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Given<'a>> {
        self.known.push(name);
        let position = self.fields.iter().position(|(given, _)| given == name)?;
        let (_, raw) = self.fields.remove(position);
        (raw.get() != "null").then(|| Given {
            pointer: self.below(name),
            raw,
        })
    }

    /// Takes a field that must be there.
    pub(crate) fn need(&mut self, name: &'static str) -> Result<Given<'a>, FieldError> {
        self.take(name).ok_or_else(|| FieldError::body(self.below(name), "is missing"))
    }

    /// Takes a field that has two names, of which at most one may be used.
    pub(crate) fn take_either(&mut self, name: &'static str, other: &'static str) -> Result<Option<Given<'a>>, FieldError> {
        match (self.take(name), self.take(other)) {
            (Some(_), Some(twice)) => Err(twice.wrong(format!("is given beside `{name}`, which means the same"))),
            (one, None) => Ok(one),
            (None, one) => Ok(one),
        }
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(mut self) -> Result<(), FieldError> {
        self.known.sort_unstable();
        match self.fields.first() {
            None => Ok(()),
            Some((name, _)) => Err(FieldError::body(
                self.below(name),
                format!("unknown field; known are {}", self.known.join(", ")),
            )),
        }
    }

    /// All fields with their names, in order.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (Cow<'a, str>, Given<'a>)> {
        let pointer = self.pointer;
        self.fields.into_iter().map(move |(name, raw)| {
            let pointer = below(&pointer, &told(&name));
            (name, Given { pointer, raw })
        })
    }

    fn below(&self, name: &str) -> String {
        below(&self.pointer, &told(name))
    }
}

impl<'a> Given<'a> {
    /// The value of that field of the body.
    pub(crate) fn at(field: &str, raw: &'a RawValue) -> Given<'a> {
        Given {
            pointer: below("", field),
            raw,
        }
    }

    /// Says what is wrong with it.
    pub(crate) fn wrong(&self, message: impl Into<String>) -> FieldError {
        FieldError::body(self.pointer.clone(), message)
    }

    /// Where it stands.
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Its JSON, as it was sent.
    pub(crate) fn raw(&self) -> &'a RawValue {
        self.raw
    }

    /// Its JSON text, as it was sent.
    pub(crate) fn json(&self) -> &'a str {
        self.raw.get()
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<Cow<'a, str>, FieldError> {
        let text: Result<Text<'a>, _> = serde_json::from_str(self.raw.get());
        text.map(|text| text.0).map_err(|_| self.wrong("must be a string"))
    }

    /// A string of at most that many bytes.
    pub(crate) fn short_text(&self, bytes_max: usize) -> Result<String, FieldError> {
        let text = self.text()?;
        if text.len() > bytes_max {
            return Err(self.wrong(format!("has {} bytes; it may have {bytes_max}", text.len())));
        }
        Ok(text.into_owned())
    }

    /// A string that is read as something else.
    pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, FieldError> {
        self.text()?.parse().map_err(|error: T::Err| self.wrong(error.to_string()))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self) -> Result<bool, FieldError> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.wrong("must be true or false"))
    }

    /// A whole number in a range.
    pub(crate) fn number(&self, range: RangeInclusive<u64>) -> Result<u64, FieldError> {
        let number: Option<u64> = serde_json::from_str(self.raw.get()).ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.wrong(format!("must be a whole number from {} to {}", range.start(), range.end())))
    }

    /// An array of at most `items_max` values.
    pub(crate) fn list(&self, items_max: usize) -> Result<Vec<Given<'a>>, FieldError> {
        let items = array(self.raw, items_max).map_err(|_| self.wrong("must be an array"))?;
        if items.len() > items_max {
            return Err(self.wrong(format!("has more than {items_max} items")));
        }
        let items = items.into_iter().enumerate();
        Ok(items
            .map(|(position, raw)| Given {
                pointer: format!("{}/{position}", self.pointer),
                raw,
            })
            .collect())
    }

    /// An array of at least one string, each read as something else, none of them twice.
    pub(crate) fn set<T: FromStr<Err: fmt::Display> + PartialEq>(&self, items_max: usize) -> Result<Vec<T>, FieldError> {
        let mut set = Vec::new();
        for item in self.list(items_max)? {
            let value: T = item.parsed()?;
            if set.contains(&value) {
                return Err(item.wrong("is given more than once"));
            }
            set.push(value);
        }
        Ok(set)
    }

    /// An object of at most `fields_max` fields, none of them twice.
    pub(crate) fn form(&self, fields_max: usize) -> Result<Form<'a>, FieldError> {
        let object = object(self.raw, fields_max).map_err(|_| self.wrong("must be an object"))?;
        for (position, (name, _)) in object.iter().enumerate() {
            if object[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(FieldError::body(below(&self.pointer, &told(name)), "is given more than once"));
            }
        }
        if object.len() > fields_max {
            return Err(self.wrong(format!("has more than {fields_max} fields")));
        }
        Ok(Form {
            pointer: self.pointer.clone(),
            fields: object,
            known: Vec::new(),
        })
    }

    /// JSON that is kept as text: at most that many bytes, and not nested deeper than [`DEPTH_MAX`].
    pub(crate) fn kept_json(&self, bytes_max: u64) -> Result<&'a str, FieldError> {
        let text = self.raw.get();
        if text.len() as u64 > bytes_max {
            return Err(self.wrong(format!("has {} bytes; it may have {bytes_max}", text.len())));
        }
        if depth(text) > DEPTH_MAX {
            return Err(self.wrong(format!("is nested more than {DEPTH_MAX} levels deep")));
        }
        Ok(text)
    }
}

/// The entries of a JSON object in order, at most one more than `entries_max` of them.
pub(crate) fn object(raw: &RawValue, entries_max: usize) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Entries(usize);

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                if entries.len() <= self.0 {
                    entries.push((name.0, value));
                }
            }
            Ok(entries)
        }
    }

    serde_json::Deserializer::from_str(raw.get()).deserialize_map(Entries(entries_max))
}

/// The items of a JSON array in order, at most one more than `items_max` of them.
fn array(raw: &RawValue, items_max: usize) -> serde_json::Result<Vec<&RawValue>> {
    struct Items(usize);

    impl<'de> Visitor<'de> for Items {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = sequence.next_element::<&'de RawValue>()? {
                if items.len() <= self.0 {
                    items.push(item);
                }
            }
            Ok(items)
        }
    }

    serde_json::Deserializer::from_str(raw.get()).deserialize_seq(Items(items_max))
}

/// A string that borrows from its source where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// How deep valid JSON is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use hookmill_domain::names::ProductId;

    use super::*;

    fn read(text: &str) -> Result<(), FieldError> {
        let mut form = Form::read(text, 5)?;
        form.need("name")?.short_text(5)?;
        if let Some(on) = form.take("on") {
            on.flag()?;
        }
        if let Some(size) = form.take_either("size", "length")? {
            size.number(1..=10)?;
        }
        if let Some(ids) = form.take("ids") {
            ids.set::<ProductId>(3)?;
        }
        if let Some(inner) = form.take("inner") {
            let mut inner = inner.form(2)?;
            inner.take("a/b");
            inner.finish()?;
        }
        form.finish()
    }

    fn refused(text: &str, pointer: &str, message: &str) {
        let error = read(text).expect_err(text);
        let found = serde_json::to_value(&error).expect("JSON");
        assert_eq!(found["pointer"], pointer, "{text}: {found}");
        assert!(
            found["message"].as_str().is_some_and(|found| found.contains(message)),
            "{text}: {found}"
        );
    }

    #[test]
    fn forms_are_read() {
        for good in [
            r#"{"name":"a"}"#,
            r#" {"n\u0061me":"\u00e9","on":false,"length":10,"ids":["x"]} "#,
            r#"{"name":"a","on":null,"inner":{"a/b":[]}}"#,
        ] {
            read(good).expect(good);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        refused("", "", "is not JSON");
        refused("{\"name\":", "", "is not JSON");
        refused("[]", "", "must be an object");
        refused("{}", "/name", "is missing");
        refused(r#"{"name":null}"#, "/name", "is missing");
        refused(r#"{"name":5}"#, "/name", "must be a string");
        refused(r#"{"name":"abcdef"}"#, "/name", "has 6 bytes; it may have 5");
        refused(r#"{"name":"a","on":"yes"}"#, "/on", "true or false");
        refused(r#"{"name":"a","size":11}"#, "/size", "from 1 to 10");
        refused(r#"{"name":"a","size":1.5}"#, "/size", "from 1 to 10");
        refused(r#"{"name":"a","size":1,"length":1}"#, "/length", "given beside `size`");
        refused(r#"{"name":"a","ids":["a",7]}"#, "/ids/1", "must be a string");
        refused(r#"{"name":"a","ids":["a","b","a"]}"#, "/ids/2", "more than once");
        refused(r#"{"name":"a","ids":["a","b","c","d"]}"#, "/ids", "more than 3 items");
        refused(
            r#"{"name":"a","inner":{"x~y/z":1}}"#,
            "/inner/x~0y~1z",
            "unknown field; known are a/b",
        );
        refused(r#"{"name":"a","inner":{"a":1,"b":2,"c":3}}"#, "/inner", "more than 2 fields");
        refused(r#"{"name":"a","on":true,"on":true}"#, "/on", "more than once");
        refused(
            r#"{"name":"a","nom":"b"}"#,
            "/nom",
            "unknown field; known are ids, inner, length, name, on, size",
        );
    }

    #[test]
    fn depths() {
        assert_eq!(depth("5"), 0);
        assert_eq!(depth(r#"{"a":[{"b]":"\"[[["}],"c":[[]]}"#), 3);
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let raw: &RawValue = serde_json::from_str(&deep).expect("JSON");
        let error = Given {
            pointer: String::new(),
            raw,
        }
        .kept_json(1 << 20)
        .expect_err("deep");
        assert!(format!("{error:?}").contains("100 levels"));
    }
}
