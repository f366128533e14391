//! The plugin redact: what its rules hide is never in what comes out, and everything else is there as it was.
//!
//! The input is two JSON texts with the byte 0xff between them: a configuration and an event's data. What must come out is made from a tree
//! of the data by rules that are written here again, the plain way.

use hookmill_plugin::{Json, Value};

use super::tree::{self, Tree};
use crate::redactor::{RedactError, redact};
use crate::settings::Settings;

/// A rule as the configuration has it.
struct Rule {
    pointer: String,
    /// Absent: the value is dropped.
    mask: Option<Mask>,
    is_required: bool,
}

struct Mask {
    replacement: String,
    keep_last: u64,
}

/// Redacts data by a configuration.
pub(crate) fn run(input: &[u8]) {
    let mut texts = input.split(|byte| *byte == 0xff).map_while(|text| std::str::from_utf8(text).ok());
    let (Some(config), Some(data)) = (texts.next(), texts.next()) else {
        return;
    };
    let Ok(config) = Json::new(config) else { return };
    let Ok(settings) = config.parse::<Settings>() else { return };
    let mut out = String::new();
    let redacted = redact(data, &settings.rules, &mut out);
    // What the host hands over is a JSON object. Of anything else nothing is asked but an answer.
    let Ok(json) = Json::new(data) else { return };
    if !json.as_str().trim_ascii().starts_with('{') {
        return;
    }
    let (Some(data), Ok(config)) = (tree::tree(data), config.parse::<Value>()) else {
        return;
    };
    let rules = rules(&config);
    let places: Vec<Vec<&str>> = rules.iter().map(|rule| tree::segments(&rule.pointer)).collect();
    let standing: Vec<(usize, &[&str])> = places.iter().map(|place| &place[1..]).enumerate().collect();
    match redacted {
        Ok(()) => check(&data, &tree::tree(&out).expect("JSON comes out"), &standing, &rules),
        Err(RedactError::Missing { pointer }) => {
            let missed = |rule: &Rule| rule.is_required && rule.pointer == pointer;
            assert!(rules.iter().any(missed), "{pointer} is not required");
            assert!(!is_met(&data, &tree::segments(&pointer)[1..]), "there is something at {pointer}");
            return;
        }
        Err(RedactError::NotJson(error)) => panic!("it is JSON: {error}"),
    }
    for rule in rules.iter().filter(|rule| rule.is_required) {
        assert!(is_met(&data, &tree::segments(&rule.pointer)[1..]), "nothing is at {}", rule.pointer);
    }
}

fn rules(config: &Value) -> Vec<Rule> {
    let list = |name: &str| config[name].as_array().into_iter().flatten();
    let rule = |rule: &Value, mask| Rule {
        pointer: rule["pointer"].as_str().expect("a pointer").to_owned(),
        mask,
        is_required: rule["required"] == true,
    };
    let mask = |rule: &Value| Mask {
        replacement: rule["replacement"].as_str().unwrap_or("***").to_owned(),
        keep_last: rule["keep_last"].as_u64().unwrap_or(0),
    };
    let dropped = list("drop").map(|given| rule(given, None));
    dropped.chain(list("mask").map(|given| rule(given, Some(mask(given))))).collect()
}

/// What is left of pointers behind one step.
fn behind<'a>(standing: &[(usize, &'a [&'a str])], leads: impl Fn(&str) -> bool) -> Vec<(usize, &'a [&'a str])> {
    let step = |(number, rest): &(usize, &'a [&'a str])| {
        rest.split_first()
            .filter(|(first, _)| leads(first))
            .map(|(_, rest)| (*number, rest))
    };
    standing.iter().filter_map(step).collect()
}

/// The rule that hides most of those whose pointers end here.
fn strictest<'a>(standing: &[(usize, &[&str])], rules: &'a [Rule]) -> Option<&'a Rule> {
    let ending = standing
        .iter()
        .filter(|(_, rest)| rest.is_empty())
        .map(|(number, _)| &rules[*number]);
    ending.min_by_key(|rule| rule.mask.as_ref().map(|mask| mask.keep_last))
}

fn is_met(tree: &Tree, segments: &[&str]) -> bool {
    let Some((first, rest)) = segments.split_first() else { return true };
    match tree {
        Tree::Leaf(_) => false,
        Tree::Object(members) => members
            .iter()
            .any(|(key, value)| tree::leads_to_member(first, key) && is_met(value, rest)),
        Tree::List(elements) => {
            let mut numbered = elements.iter().enumerate();
            numbered.any(|(position, value)| tree::leads_to_element(first, position) && is_met(value, rest))
        }
    }
}

fn check(data: &Tree, out: &Tree, standing: &[(usize, &[&str])], rules: &[Rule]) {
    match (data, out) {
        (Tree::Leaf(data), Tree::Leaf(out)) => assert_eq!(data, out),
        (Tree::Object(data), Tree::Object(out)) => {
            let mut out = out.iter();
            for (key, value) in data {
                let standing = behind(standing, |segment| tree::leads_to_member(segment, key));
                check_member(
                    value,
                    || out.next().filter(|(left, _)| left == key).map(|(_, value)| value),
                    &standing,
                    rules,
                );
            }
            assert_eq!(out.next(), None, "nothing is added");
        }
        (Tree::List(data), Tree::List(out)) => {
            let mut out = out.iter();
            for (position, value) in data.iter().enumerate() {
                let standing = behind(standing, |segment| tree::leads_to_element(segment, position));
                check_member(value, || out.next(), &standing, rules);
            }
            assert_eq!(out.next(), None, "nothing is added");
        }
        _ => panic!("{data:?} has become {out:?}"),
    }
}

fn check_member<'a>(value: &Tree, next: impl FnOnce() -> Option<&'a Tree>, standing: &[(usize, &[&str])], rules: &[Rule]) {
    match strictest(standing, rules) {
        None => check(value, next().expect("what no rule names stays"), standing, rules),
        Some(Rule { mask: None, .. }) => {}
        Some(Rule { mask: Some(mask), .. }) => check_masked(value, next().expect("what is masked stays"), mask),
    }
}

/// The replacement, and behind it no more of the value than may be kept, nor more than is hidden.
fn check_masked(value: &Tree, out: &Tree, mask: &Mask) {
    let Tree::Leaf(out) = out else { panic!("{out:?} is no mask") };
    let meant = |text: &str| Json::new(text).ok().and_then(|json| json.to_text());
    let Some(out) = meant(out) else {
        // Half a surrogate pair, which this reader does not know: it was in the value, and may be kept.
        assert!(mask.keep_last > 0, "{out}");
        return;
    };
    let kept = out.strip_prefix(&mask.replacement).expect("a mask begins with the replacement");
    if kept.is_empty() {
        return;
    }
    let Tree::Leaf(value) = value else {
        panic!("{kept:?} is kept of a container")
    };
    let text = match meant(value) {
        Some(text) => text,
        // A string that this reader does not know, as above.
        None if value.starts_with('"') => return,
        None => {
            let is_number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
            assert!(is_number, "{kept:?} is kept of {value}");
            value.split(['e', 'E']).next().unwrap_or_default().to_owned()
        }
    };
    // Letters and digits, but for zeros in front: all else hides nothing, and is not shown.
    let identifying: Vec<char> = text
        .chars()
        .filter(|char| char.is_alphanumeric())
        .skip_while(|char| *char == '0')
        .collect();
    let kept_count = kept.chars().count();
    assert!(
        kept.chars()
            .eq(identifying.iter().copied().skip(identifying.len().saturating_sub(kept_count))),
        "{kept:?} is kept of {value}"
    );
    assert!(
        kept_count as u64 <= mask.keep_last && kept_count * 2 <= identifying.len(),
        "{kept:?} is kept of {value}"
    );
}
