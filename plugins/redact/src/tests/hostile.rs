//! Random data and random rules: nothing that is to be hidden remains, and every other byte stays.
//!
//! Data is made as a tree, and written with random white space, escapes, numbers and keys that stand twice. What must come
//! out is made from the tree, by rules that are written here again, the plain way. Seeds make it the same each time.

use std::fmt::Write as _;

use hookmill_plugin::Json;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::redacted;

/// What stands in each value, written in many ways, and must not be in any that is hidden.
const MARKER: &str = "sécret😀";

const ROUNDS: u64 = 3_000;

/// A generator of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.roll(from.len() as u64)).expect("it is small")]
    }
}

enum Tree {
    Leaf(String),
    Holds {
        is_object: bool,
        members: Vec<Member>,
        empty: String,
    },
}

struct Member {
    before: String,
    /// What the key means; for an element its position.
    name: String,
    /// The key as it is written, with the colon and the space around it.
    key: String,
    value: Tree,
    after: String,
}

/// A rule: segments, and what becomes of the value: it is dropped, or masked with so many characters kept.
struct Rule {
    segments: Vec<&'static str>,
    keep_last: Option<usize>,
}

const NAMES: [&str; 7] = ["a", "iban", "x/y", "~", "", "0", "é😀"];
const SEGMENTS: [&str; 9] = ["a", "iban", "x~1y", "~0", "", "0", "1", "é😀", "*"];

fn space(dice: &mut Dice) -> String {
    dice.pick(&["", "", "", " ", "\n\t", "\r "]).to_owned()
}

/// A JSON string, each character written in one of the ways that JSON has for it.
fn string(dice: &mut Dice, text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match (char, dice.roll(4)) {
            ('/', 0) => out.push_str("\\/"),
            ('"' | '\\', _) => out.extend(['\\', char]),
            (_, 0 | 1) => out.push(char),
            (_, way) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let written = if way == 2 {
                        format!("\\u{unit:04x}")
                    } else {
                        format!("\\u{unit:04X}")
                    };
                    out.push_str(&written);
                }
            }
        }
    }
    out.push('"');
    out
}

fn leaf(dice: &mut Dice) -> String {
    match dice.roll(6) {
        0 => dice
            .pick(&["true", "false", "null", "1.10", "-0.0", "1e400", "12345678901234567890", "0"])
            .to_owned(),
        1 => string(dice, &format!("]}},:\"\\{MARKER}")),
        _ => string(dice, &format!("{MARKER} and {MARKER}")),
    }
}

fn tree(dice: &mut Dice, depth: usize) -> Tree {
    if depth > 0 && (depth == 4 || dice.roll(3) == 0) {
        return Tree::Leaf(leaf(dice));
    }
    let is_object = depth == 0 || dice.roll(2) == 0;
    let count = dice.roll(5);
    let members = (0..count).map(|position| {
        let name = if is_object {
            dice.pick(&NAMES).to_owned()
        } else {
            position.to_string()
        };
        let key = if is_object {
            string(dice, &name) + &space(dice) + ":" + &space(dice)
        } else {
            String::new()
        };
        Member {
            before: space(dice),
            name,
            key,
            value: tree(dice, depth + 1),
            after: space(dice),
        }
    });
    Tree::Holds {
        is_object,
        members: members.collect(),
        empty: space(dice),
    }
}

/// The rule that counts at a place, as (is it a drop, how much is kept); `path` has for each step what it means.
fn hiding(rules: &[Rule], path: &[&str]) -> Option<(bool, usize)> {
    let leads = |rule: &&Rule| {
        rule.segments.len() == path.len()
            && rule
                .segments
                .iter()
                .zip(path)
                .all(|(segment, name)| *segment == "*" || segment.replace("~1", "/").replace("~0", "~") == **name)
    };
    let leading: Vec<Option<usize>> = rules.iter().filter(leads).map(|rule| rule.keep_last).collect();
    if leading.contains(&None) {
        return Some((true, 0));
    }
    leading.into_iter().flatten().min().map(|keep_last| (false, keep_last))
}

/// Writes a tree as it is posted (without rules), or as it must come out.
fn write<'a>(tree: &'a Tree, rules: &[Rule], path: &mut Vec<&'a str>, out: &mut String) {
    let (is_object, members, empty) = match tree {
        Tree::Leaf(text) => return out.push_str(text),
        Tree::Holds { is_object, members, empty } => (is_object, members, empty),
    };
    out.push(if *is_object { '{' } else { '[' });
    out.push_str(members.first().map_or(empty, |first| &first.before));
    let mut has_kept = false;
    for (position, member) in members.iter().enumerate() {
        path.push(&member.name);
        let hiding = hiding(rules, path);
        if !matches!(hiding, Some((true, _))) {
            if has_kept {
                let _ = write!(out, "{},{}", members[position - 1].after, member.before);
            }
            has_kept = true;
            out.push_str(&member.key);
            match hiding {
                None => write(&member.value, rules, path, out),
                Some((_, keep_last)) => out.push_str(&masked(&member.value, keep_last)),
            }
        }
        path.pop();
    }
    out.push_str(members.last().map_or("", |last| &last.after));
    out.push(if *is_object { '}' } else { ']' });
}

/// What a masked value becomes; at most one character is kept here, and no number that identifies has an exponent.
fn masked(value: &Tree, keep_last: usize) -> String {
    let Tree::Leaf(text) = value else { return r#""***""#.to_owned() };
    let meant: String = match Json::new(text.as_str()).expect("JSON").to_text() {
        Some(meant) => meant,
        None if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            text.split('e').next().unwrap_or_default().to_owned()
        }
        None => String::new(),
    };
    let identifying: String = meant.chars().filter(|char| char.is_alphanumeric()).collect();
    let identifying = identifying.trim_start_matches('0');
    if keep_last == 0 || identifying.chars().count() < 2 {
        return r#""***""#.to_owned();
    }
    let last = identifying.chars().last().expect("it has two");
    let behind = meant.rsplit(last).next().unwrap_or_default();
    let (rest, _) = cut_off(text.trim_matches('"'), behind);
    let (_, kept) = cut_off(rest, &last.to_string());
    format!("\"***{kept}\"")
}

/// Parts the inside of a string in two, the second of which means this: the shortest end that does.
fn cut_off<'a>(inside: &'a str, meant: &str) -> (&'a str, &'a str) {
    let ends = (0..=inside.len()).rev().filter_map(|at| inside.split_at_checked(at));
    let means = |end: &str| Json::new(format!("\"{end}\"")).ok().and_then(|json| json.to_text());
    let mut fitting = ends.filter(|(_, end)| means(end).as_deref() == Some(meant));
    fitting.next().expect("some end means it")
}

/// All that a receiver could read in JSON, keys that stand twice as well: strings unescaped, one after the other.
struct Everything(String);

impl<'de> Deserialize<'de> for Everything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Everything;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Everything, E> {
                Ok(Everything(format!("{text}\n")))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Everything, E> {
                Ok(Everything(String::new()))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Everything, E> {
                Ok(Everything(String::new()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Everything, E> {
                Ok(Everything(String::new()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Everything, E> {
                Ok(Everything(String::new()))
            }

            fn visit_unit<E>(self) -> Result<Everything, E> {
                Ok(Everything(String::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Everything, A::Error> {
                let mut all = String::new();
                while let Some(Everything(more)) = seq.next_element()? {
                    all.push_str(&more);
                }
                Ok(Everything(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Everything, A::Error> {
                let mut all = String::new();
                while let Some((key, Everything(more))) = map.next_entry::<String, Everything>()? {
                    let _ = write!(all, "{key}\n{more}");
                }
                Ok(Everything(all))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

fn rules(dice: &mut Dice) -> Vec<Rule> {
    let count = 2 + dice.roll(6);
    let mut rule = || Rule {
        segments: (0..1 + dice.roll(4)).map(|_| dice.pick(&SEGMENTS)).collect(),
        keep_last: [None, Some(0), Some(1)][usize::try_from(dice.roll(3)).expect("it is small")],
    };
    (0..count).map(|_| rule()).collect()
}

/// The configuration that says these rules.
fn config(rules: &[Rule]) -> String {
    let list = |is_wanted: fn(&Rule) -> bool| -> Vec<String> {
        let wanted = rules.iter().filter(|rule| is_wanted(rule));
        let written = wanted.map(|rule| {
            let keep_last = rule.keep_last.map(|keep_last| format!(", \"keep_last\": {keep_last}"));
            format!(
                "{{\"pointer\": \"/data/{}\"{}}}",
                rule.segments.join("/"),
                keep_last.unwrap_or_default()
            )
        });
        written.collect()
    };
    let dropped = list(|rule| rule.keep_last.is_none()).join(",");
    let masked = list(|rule| rule.keep_last.is_some()).join(",");
    format!("{{\"drop\": [{dropped}], \"mask\": [{masked}]}}")
}

#[test]
fn random_data_comes_out_as_the_rules_say_and_every_other_byte_as_it_was() {
    let mut touched = 0;
    for seed in 0..ROUNDS {
        let dice = &mut Dice(seed);
        let (tree, rules) = (tree(dice, 0), rules(dice));
        let (mut posted, mut expected) = (String::new(), String::new());
        write(&tree, &[], &mut Vec::new(), &mut posted);
        write(&tree, &rules, &mut Vec::new(), &mut expected);
        let config = config(&rules);
        let found = redacted(&posted, &config);
        assert_eq!(found, expected, "seed {seed}: {config} on {posted}");
        Json::new(found.as_str()).unwrap_or_else(|error| panic!("seed {seed}: {error}: {found}"));
        touched += u64::from(found != posted);
    }
    assert!(touched > ROUNDS / 4, "rules must meet something: {touched}");
}

#[test]
fn no_marker_remains_where_all_that_bears_it_is_named() {
    // Every value that bears the marker stands under one of these names, at any depth, and nothing else does.
    const SECRET: [&str; 3] = ["iban", "é😀", "x/y"];
    let mut hidden = 0;
    for seed in 0..ROUNDS {
        let dice = &mut Dice(seed);
        let mut tree = tree(dice, 0);
        spare(&mut tree, &SECRET);
        let mut posted = String::new();
        write(&tree, &[], &mut Vec::new(), &mut posted);
        let mut rules = Vec::new();
        for name in ["iban", "é😀", "x~1y"] {
            for stars in 0..4 {
                let segments = std::iter::repeat_n("*", stars).chain([name]).collect();
                rules.push(Rule {
                    segments,
                    keep_last: [None, Some(0), Some(1)][stars % 3],
                });
            }
        }
        let found = redacted(&posted, &config(&rules));
        let Everything(all) = super::json(&found);
        assert!(!all.contains(MARKER), "seed {seed}: {found} of {posted}");
        hidden += u64::from(found != posted);
    }
    assert!(hidden > ROUNDS / 4, "there must be something to hide: {hidden}");
}

/// Takes the marker out of all that stands under none of the names.
fn spare(tree: &mut Tree, names: &[&str]) {
    match tree {
        Tree::Leaf(text) => *text = "\"plain\"".to_owned(),
        Tree::Holds { members, .. } => {
            for member in members.iter_mut().filter(|member| !names.contains(&member.name.as_str())) {
                spare(&mut member.value, names);
            }
        }
    }
}
