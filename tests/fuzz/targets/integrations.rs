//! Integrations as they are posted and changed: what is taken can be shown and sent back, a merge patch does what RFC 7396 says, and no
//! header's value comes out.
//!
//! The input is two JSON texts with the byte 0xff between them: an integration, or any base, and a patch.

use hookmill_domain::event::Kinds;
use hookmill_domain::integration::{Draft, Integration};
use hookmill_domain::limits::Limits;
use hookmill_domain::names::OrganizationName;
use serde_json::Value;

use super::{FIELDS_MAX, MASK, change, merge, parse, sample, view};
use crate::fields::Form;

/// Posts the first text, and changes what is there by the second.
pub(crate) fn run(input: &[u8]) {
    let mut texts = input.split(|byte| *byte == 0xff).map_while(|text| std::str::from_utf8(text).ok());
    let (Some(first), Some(second)) = (texts.next(), texts.next()) else {
        return;
    };
    let (kinds, limits) = (Kinds::default(), Limits::default());
    let posted = Form::read(first, FIELDS_MAX).and_then(|form| parse::new(form, &kinds, &limits));
    if let Ok(draft) = posted {
        let integration = Integration {
            draft,
            ..sample::integration()
        };
        let shown = check_shown(&integration);
        let same = changed(&integration, &shown).expect("what is shown can be sent back");
        check_same(
            &integration,
            &Integration {
                draft: same,
                ..integration.clone()
            },
        );
        check_changed(&integration, second);
    }
    check_changed(&sample::integration(), second);
    check_merged(first, second);
}

fn changed(old: &Integration, patch: &str) -> Option<Draft> {
    change::changed(old, &organization(), patch, &Kinds::default(), &Limits::default()).ok()
}

/// The same change again changes nothing more.
fn check_changed(old: &Integration, patch: &str) {
    let Some(draft) = changed(old, patch) else { return };
    let new = Integration { draft, ..old.clone() };
    check_shown(&new);
    let draft = changed(&new, patch).expect("the same change is allowed again");
    check_same(&new, &Integration { draft, ..new.clone() });
}

fn check_shown(integration: &Integration) -> String {
    let shown = view::text(integration, &organization()).expect("it can be shown");
    let value: Value = match serde_json::from_str(&shown) {
        Ok(value) => value,
        // A configuration may hold numbers that this reader does not know.
        Err(error) => {
            assert!(
                error.to_string().contains("number out of range") || error.to_string().contains("recursion limit"),
                "{error}: {shown}"
            );
            return shown;
        }
    };
    let targets = value["targets"].as_object().into_iter().flatten().map(|(_, target)| target);
    for target in targets.chain([&value]) {
        let headers = target["headers"].as_object().expect("a target has headers");
        assert!(headers.values().all(|value| value == MASK), "{headers:?}");
    }
    shown
}

fn check_same(one: &Integration, other: &Integration) {
    let text = |integration| view::text(integration, &organization()).expect("it can be shown");
    assert_eq!(text(one), text(other));
    let headers = |integration: &Integration| -> Vec<_> { integration.draft.targets.iter().map(|target| target.headers.clone()).collect() };
    assert_eq!(headers(one), headers(other));
}

/// Merges where the house has no names of its own.
fn check_merged(base: &str, patch: &str) {
    let (Ok(base), Ok(change)) = (serde_json::from_str::<Value>(base), serde_json::from_str::<Value>(patch)) else {
        return;
    };
    let base = format!(r#"{{"plugin_config":{base}}}"#);
    let patch = format!(r#"{{"plugin_config":{change}}}"#);
    let Ok(merged) = merge::merge(&base, &patch) else { return };
    assert_eq!(merge::merge(&merged, "{}").as_ref(), Ok(&merged));
    assert_eq!(merge::merge(&merged, &merged).as_ref(), Ok(&merged), "what is sent back stays");
    assert_eq!(
        merge::merge(&merged, &patch).as_ref(),
        Ok(&merged),
        "the same patch again changes nothing"
    );
    // What is the same to the byte stays, its nulls too; elsewhere it is as the standard says.
    if !patch.contains("null") {
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(read(&merged), merged_as_the_standard_says(read(&base), read(&patch)));
    }
}

/// RFC 7396, section 2.
fn merged_as_the_standard_says(base: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut base = match base {
        Value::Object(base) => base,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        let old = base.remove(&name);
        if !value.is_null() {
            base.insert(name, merged_as_the_standard_says(old.unwrap_or(Value::Null), value));
        }
    }
    Value::Object(base)
}

fn organization() -> OrganizationName {
    "contractfit1".parse().expect("a name")
}
