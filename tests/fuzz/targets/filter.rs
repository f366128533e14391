//! The plugin filter: a condition is judged as it is read by anybody, and what it says of a failure holds nothing of the data.
//!
//! The input is two JSON texts with the byte 0xff between them: a condition and an event's data. Operators are judged again here on a tree of
//! the data, the plain way.

use hookmill_plugin::{Event, Json, Value};
use serde::Deserialize;

use super::tree::{self, Tree};
use crate::condition::Condition;
use crate::judge::judge;

#[derive(Deserialize)]
struct Config {
    #[serde(deserialize_with = "crate::condition::checked")]
    deliver_if: Condition,
}

/// Judges data by a condition.
pub(crate) fn run(input: &[u8]) {
    let mut texts = input.split(|byte| *byte == 0xff).map_while(|text| std::str::from_utf8(text).ok());
    let (Some(condition), Some(data)) = (texts.next(), texts.next()) else {
        return;
    };
    let Some(read) = read(condition) else { return };
    let payload = payload::payload(&Event::example("document_text", data));
    let judged = judge(&read, &payload);
    // What the host hands over is JSON. Of anything else nothing is asked but an answer.
    let Ok(json) = Json::new(data) else { return };
    if !json.as_str().trim_ascii().starts_with('{') {
        return;
    }
    let holds = judged.expect("it is JSON").is_ok();
    assert_eq!(
        judge(&within(&read, "not"), &payload).expect("it is JSON").is_ok(),
        !holds,
        "not {condition}"
    );
    for name in ["all", "any"] {
        assert_eq!(
            judge(&within(&read, name), &payload).expect("it is JSON").is_ok(),
            holds,
            "{name} {condition}"
        );
    }
    let Some(tree) = tree::tree(&payload).filter(|_| is_plain(condition) && is_plain(data)) else {
        return;
    };
    let Ok(condition) = serde_value(condition) else { return };
    if let Some(expected) = expected(&condition, &tree) {
        assert_eq!(holds, expected, "{condition} on {data}");
    }
}

fn read(condition: &str) -> Option<Condition> {
    let config = Json::new(format!(r#"{{"deliver_if": {condition}}}"#)).ok()?;
    config.parse::<Config>().ok().map(|config| config.deliver_if)
}

fn serde_value(text: &str) -> Result<Value, hookmill_plugin::Error> {
    Json::new(text)?.parse()
}

/// The condition in another one, which may then be deeper than one that is read.
fn within(condition: &Condition, name: &str) -> Condition {
    let condition = condition.clone();
    match name {
        "not" => Condition {
            not: Some(Box::new(condition)),
            ..Condition::default()
        },
        "all" => Condition {
            all: Some(vec![condition]),
            ..Condition::default()
        },
        _ => Condition {
            any: Some(vec![condition]),
            ..Condition::default()
        },
    }
}

/// Whether a condition holds, where this plain way can tell.
fn expected(condition: &Value, payload: &Tree) -> Option<bool> {
    let members = condition.as_object()?;
    let mut holds = true;
    let list = |value: &Value| -> Option<Vec<bool>> { value.as_array()?.iter().map(|condition| expected(condition, payload)).collect() };
    let mut operators = members.clone();
    if let Some(pointer) = operators.remove("pointer") {
        let mut found = Vec::new();
        find(payload, &tree::segments(pointer.as_str()?), &mut found);
        operators.retain(|name, _| !["all", "any", "not"].contains(&name.as_str()));
        let exists = operators.remove("exists");
        holds &= match exists {
            Some(Value::Bool(false)) => found.is_empty() && operators.is_empty(),
            _ => {
                let passing = found.iter().map(|value| passes(value, &operators)).collect::<Option<Vec<bool>>>()?;
                passing.contains(&true)
            }
        };
    }
    for (name, value) in members {
        match name.as_str() {
            "all" => holds &= list(value)?.iter().all(|holds| *holds),
            "any" => holds &= list(value)?.contains(&true),
            "not" => holds &= !expected(value, payload)?,
            _ => {}
        }
    }
    Some(holds)
}

fn find<'a>(tree: &'a Tree, segments: &[&str], found: &mut Vec<&'a Tree>) {
    let Some((first, rest)) = segments.split_first() else {
        return found.push(tree);
    };
    match tree {
        Tree::Leaf(_) => {}
        Tree::Object(members) => {
            let leading = members.iter().filter(|(key, _)| tree::leads_to_member(first, key));
            leading.for_each(|(_, value)| find(value, rest, found));
        }
        Tree::List(elements) => {
            let leading = elements
                .iter()
                .enumerate()
                .filter(|(position, _)| tree::leads_to_element(first, *position));
            leading.for_each(|(_, value)| find(value, rest, found));
        }
    }
}

fn passes<'a>(found: &Tree, operators: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Option<bool> {
    let leaf = match found {
        Tree::Leaf(text) => Some(serde_value(text).ok()?),
        _ => None,
    };
    let mut all = true;
    for (operator, wanted) in operators {
        all &= match (operator.as_str(), &leaf) {
            ("not_equals", None) => true,
            (_, None) => false,
            ("equals", Some(found)) => equals(found, wanted)?,
            ("not_equals", Some(found)) => !equals(found, wanted)?,
            ("in", Some(found)) => {
                let equal = wanted
                    .as_array()?
                    .iter()
                    .map(|wanted| equals(found, wanted))
                    .collect::<Option<Vec<bool>>>()?;
                equal.contains(&true)
            }
            ("contains", Some(found)) => found
                .as_str()
                .is_some_and(|found| found.contains(wanted.as_str().unwrap_or_default())),
            ("starts_with", Some(found)) => found
                .as_str()
                .is_some_and(|found| found.starts_with(wanted.as_str().unwrap_or_default())),
            ("ends_with", Some(found)) => found
                .as_str()
                .is_some_and(|found| found.ends_with(wanted.as_str().unwrap_or_default())),
            // Strings that are numbers are judged by the plugin's own tests.
            (_, Some(Value::String(_))) => return None,
            (operator, Some(Value::Number(found))) => {
                let (found, wanted) = (exact(found.as_f64()?)?, exact(wanted.as_f64()?)?);
                match operator {
                    "less_than" => found < wanted,
                    "at_most" => found <= wanted,
                    "greater_than" => found > wanted,
                    "at_least" => found >= wanted,
                    _ => return None,
                }
            }
            _ => false,
        };
    }
    Some(all)
}

fn equals(found: &Value, wanted: &Value) -> Option<bool> {
    match (found, wanted) {
        (Value::Number(found), Value::Number(wanted)) => Some(exact(found.as_f64()?)? == exact(wanted.as_f64()?)?),
        _ => Some(found == wanted),
    }
}

/// Whether a text has no number that a reader of 64 bits rounds to another one unseen: none of many digits, nor with a negative exponent.
fn is_plain(text: &str) -> bool {
    const DIGITS_MAX: usize = 9;
    let mut digits = 0;
    let has_long = text.bytes().any(|byte| {
        digits = if matches!(byte, b'0'..=b'9' | b'.') { digits + 1 } else { 0 };
        digits > DIGITS_MAX
    });
    !has_long && !text.contains("e-") && !text.contains("E-")
}

/// A whole number of halves that is small: one that a reader of 64 bits does not round. Others are judged by the plugin's own tests.
fn exact(number: f64) -> Option<f64> {
    let halves = number * 2.0;
    (halves.fract() == 0.0 && halves.abs() < 1e9).then_some(number)
}

/// The plain way has an opinion where it can have one.
#[cfg(test)]
#[test]
fn plain_judgement_can_tell() {
    use hookmill_plugin::json;

    let tree = tree::tree(r#"{"data": {"a": [1, "x"]}}"#).expect("JSON");
    let check = |condition: Value, expected: Option<bool>| assert_eq!(self::expected(&condition, &tree), expected, "{condition}");
    check(json!({"pointer": "/data/a/*", "equals": 1.0}), Some(true));
    check(json!({"pointer": "/data/a/1", "less_than": 5}), None);
    check(json!({"pointer": "/data/b", "exists": false}), Some(true));
}
