//! Merging JSON texts (RFC 7396). Values that the patch does not name keep their text byte for byte, and the order of members stays; new ones
//! come last. In objects of headers names are compared without case, as HTTP does, and the patch's spelling wins. A value that is sent back to
//! the byte stays to the byte, the nulls in it too: so a client that changes one thing of what it read changes nothing else.

use std::borrow::Cow;
use std::collections::HashMap;

use hookmill_domain::pointer::{below, told};
use serde_json::value::RawValue;

use crate::fields::{DEPTH_MAX, object};
use crate::problem::FieldError;

/// What an object of an integration's JSON is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Integration,
    Headers,
    Targets,
    Target,
    /// Something that the house does not look into.
    Free,
}

impl Place {
    fn of_member(self, name: &str) -> Place {
        match (self, name) {
            (Place::Integration | Place::Target, "headers") => Place::Headers,
            (Place::Integration, "targets") => Place::Targets,
            (Place::Targets, _) => Place::Target,
            _ => Place::Free,
        }
    }

    /// What two names that mean the same have in common.
    fn common(self, name: &str) -> Cow<'_, str> {
        match (self, name) {
            (Place::Headers, name) => Cow::Owned(name.to_ascii_lowercase()),
            (Place::Integration | Place::Target, "header") => Cow::Borrowed("headers"),
            (Place::Target, "url") => Cow::Borrowed("target"),
            (_, name) => Cow::Owned(name.to_owned()),
        }
    }
}

/// The integration's JSON `base` with the changes that `patch`, a JSON object, asks for.
pub(crate) fn merge(base: &str, patch: &str) -> Result<String, FieldError> {
    let read = |text| serde_json::from_str::<&RawValue>(text).map_err(|error| FieldError::not_json(&error));
    let (base, patch) = (read(base)?, read(patch)?);
    if !is_object(patch) {
        return Err(FieldError::body("", "must be an object"));
    }
    let mut text = String::with_capacity(base.get().len() + patch.get().len());
    put_merged(&mut text, Some(base), patch, Place::Integration, "", 0)?;
    Ok(text)
}

/// Puts `base` as changed by the object `patch`.
fn put_merged(
    text: &mut String,
    base: Option<&RawValue>,
    patch: &RawValue,
    place: Place,
    pointer: &str,
    depth: usize,
) -> Result<(), FieldError> {
    if depth > DEPTH_MAX {
        return Err(FieldError::body(pointer, format!("is nested more than {DEPTH_MAX} levels deep")));
    }
    // Both are objects, so reading them fails only for what no reader would take, such as a name that is half a surrogate pair.
    let members = |raw| object(raw, usize::MAX - 1).map_err(|error| FieldError::body(pointer, format!("is not JSON: {error}")));
    let base = base.filter(|base| is_object(base)).map(members).transpose()?.unwrap_or_default();
    let mut changes: HashMap<Cow<'_, str>, (Cow<'_, str>, &RawValue)> = HashMap::new();
    let mut order = Vec::new();
    for (name, value) in members(patch)? {
        let common = place.common(&name).into_owned();
        order.push(common.clone());
        if changes.insert(common.into(), (name.clone(), value)).is_some() {
            return Err(FieldError::body(below(pointer, &told(&name)), "is given more than once"));
        }
    }
    text.push('{');
    let mut is_first = true;
    for (name, value) in base {
        match changes.remove(&*place.common(&name)) {
            None => put_name(text, &name, &mut is_first).push_str(value.get()),
            Some((name, change)) => put_change(text, &name, Some(value), change, place, pointer, depth, &mut is_first)?,
        }
    }
    for common in order {
        if let Some((name, change)) = changes.remove(&*common) {
            put_change(text, &name, None, change, place, pointer, depth, &mut is_first)?;
        }
    }
    text.push('}');
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "two loops share it, and it needs what they stand on")]
fn put_change(
    text: &mut String,
    name: &str,
    old: Option<&RawValue>,
    change: &RawValue,
    place: Place,
    pointer: &str,
    depth: usize,
    is_first: &mut bool,
) -> Result<(), FieldError> {
    if change.get() == "null" {
        return Ok(());
    }
    if let Some(old) = old.filter(|old| old.get() == change.get()) {
        put_name(text, name, is_first).push_str(old.get());
        return Ok(());
    }
    let text = put_name(text, name, is_first);
    if is_object(change) {
        let place = place.of_member(&place.common(name));
        put_merged(text, old, change, place, &below(pointer, &told(name)), depth + 1)
    } else {
        text.push_str(change.get());
        Ok(())
    }
}

fn put_name<'a>(text: &'a mut String, name: &str, is_first: &mut bool) -> &'a mut String {
    if !std::mem::take(is_first) {
        text.push(',');
    }
    text.push_str(&serde_json::Value::from(name).to_string());
    text.push(':');
    text
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(base: &str, patch: &str, expected: Expect) {
        let shown = match merge(base, patch) {
            Ok(text) => text,
            Err(error) => serde_json::to_string(&error).expect("JSON"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn members_are_set_and_removed() {
        check(
            r#"{"a":1.10,"b":[1, 2],"c":"\u00e9"}"#,
            r#"{"b":null,"d":1e400}"#,
            expect![[r#"{"a":1.10,"c":"\u00e9","d":1e400}"#]],
        );
        check(
            r#"{"a":{"x":1,"y":{"z":2}}}"#,
            r#"{"a":{"y":{"z":null,"w": [ null ]}}}"#,
            expect![[r#"{"a":{"x":1,"y":{"w":[ null ]}}}"#]],
        );
        check(r#"{"a":[1]}"#, r#"{"a":{"b":null,"c":{"d":null}}}"#, expect![[r#"{"a":{"c":{}}}"#]]);
        check(r#"{"a":1}"#, "{}", expect![[r#"{"a":1}"#]]);
        check("{}", r#"{"a\"b":1}"#, expect![[r#"{"a\"b":1}"#]]);
    }

    #[test]
    fn what_is_sent_back_stays() {
        let same = r#"{"plugin_config":{ "a": null, "b": 1.0 }}"#;
        check(same, same, expect![[r#"{"plugin_config":{ "a": null, "b": 1.0 }}"#]]);
        check(same, r#"{"plugin_config":{"a":null}}"#, expect![[r#"{"plugin_config":{"b":1.0}}"#]]);
    }

    #[test]
    fn headers_have_no_case() {
        check(
            r#"{"headers":{"authorization":"***","x-team":"***"}}"#,
            r#"{"header":{"Authorization":"Bearer new","X-TEAM":null}}"#,
            expect![[r#"{"header":{"Authorization":"Bearer new"}}"#]],
        );
        check(
            r#"{"targets":{"review":{"target":"a","headers":{"x-key":"***"}}}}"#,
            r#"{"targets":{"review":{"url":"b","headers":{"X-Key":"l","X-Other":"m"}}}}"#,
            expect![[r#"{"targets":{"review":{"url":"b","headers":{"X-Key":"l","X-Other":"m"}}}}"#]],
        );
        check(
            r#"{"plugin_config":{"a":1}}"#,
            r#"{"plugin_config":{"A":2}}"#,
            expect![[r#"{"plugin_config":{"a":1,"A":2}}"#]],
        );
    }

    #[test]
    fn targets_come_and_go_in_order() {
        check(
            r#"{"targets":{"a":{"target":"1"},"b":{"target":"2"}}}"#,
            r#"{"targets":{"c":{"target":"3"},"a":null,"b":{"target":"4"}}}"#,
            expect![[r#"{"targets":{"b":{"target":"4"},"c":{"target":"3"}}}"#]],
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("{}", "[]", expect![[r#"{"pointer":"","message":"must be an object"}"#]]);
        check(
            "{}",
            r#"{"a":1,"a":2}"#,
            expect![[r#"{"pointer":"/a","message":"is given more than once"}"#]],
        );
        check(
            "{}",
            r#"{"headers":{"a":"1","A":"2"}}"#,
            expect![[r#"{"pointer":"/headers/A","message":"is given more than once"}"#]],
        );
        check(
            "{}",
            r#"{"header":{},"headers":{}}"#,
            expect![[r#"{"pointer":"/headers","message":"is given more than once"}"#]],
        );
        let deep = format!("{}{}", r#"{"a":"#.repeat(50_000), format_args!("1{}", "}".repeat(50_000)));
        let error = merge("{}", &deep).expect_err("deep");
        assert!(format!("{error:?}").contains("100 levels"));
    }
}
