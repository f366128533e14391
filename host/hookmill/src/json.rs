//! JSON in a few lines: whole where it is short, else with what matters, in the order and with the digits in which it was sent. What is left
//! out is an ellipsis.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::screen::{Piece, columns as columns_of, faint, name, plain};

/// How much is shown, from all to little: levels, and members of each object or list. Members in focus count for nothing.
const RICHNESS: [(usize, usize); 7] = [(16, 64), (6, 12), (4, 8), (3, 5), (2, 4), (2, 2), (1, 2)];
/// The longest scalar, in characters.
const SCALAR_MAX: usize = 48;
/// The longest key, in characters.
const KEY_MAX: usize = 32;

/// Shows JSON on at most `lines_max` lines of `columns`. With a focus (paths such as `data.prediction`; lists are passed through), an object
/// on the way to it shows these members alone. What is no JSON is shown by its beginning.
pub(crate) fn shorten(text: &str, focus: &[&str], columns: usize, lines_max: usize) -> Vec<Vec<Piece>> {
    let Ok(whole) = serde_json::from_str::<&RawValue>(text) else {
        return vec![vec![plain(cut(text, columns))]];
    };
    let mut lines = Vec::new();
    for (levels, members) in RICHNESS {
        let mut writer = Writer {
            focus,
            levels,
            members,
            chunks: Vec::new(),
            before: Vec::new(),
            before_level: 0,
        };
        writer.value(whole, "", 0);
        lines = wrap(writer.chunks, columns);
        if lines.len() <= lines_max {
            return lines;
        }
    }
    lines.truncate(lines_max.max(1));
    if let Some(last) = lines.last_mut() {
        fit(last, columns.saturating_sub(2));
        last.push(faint(" …"));
    }
    lines
}

/// What stays on one line.
struct Chunk {
    pieces: Vec<Piece>,
    /// How deep it stands: its indent at the beginning of a line.
    level: usize,
}

struct Writer<'a> {
    focus: &'a [&'a str],
    levels: usize,
    members: usize,
    chunks: Vec<Chunk>,
    /// What stands before the next chunk: opened brackets and a key.
    before: Vec<Piece>,
    /// How deep the first of that stands.
    before_level: usize,
}

impl Writer<'_> {
    fn value(&mut self, raw: &RawValue, path: &str, level: usize) {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => match serde_json::from_str::<Members<'_>>(text) {
                Ok(Members(members)) => self.object(&members, path, level),
                Err(_) => self.chunk(faint("{…}"), level),
            },
            Some(b'[') => match serde_json::from_str::<Items<'_>>(text) {
                Ok(Items(items)) => self.list(&items, path, level),
                Err(_) => self.chunk(faint("[…]"), level),
            },
            _ => self.chunk(plain(scalar(text)), level),
        }
    }

    fn object(&mut self, members: &[(String, &RawValue)], path: &str, level: usize) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let is_on_the_way = self.leads_on(path) && members.iter().any(|(key, _)| self.is_in_focus(&below(key)));
        if level >= self.levels && !is_on_the_way {
            return self.chunk(faint(if members.is_empty() { "{}" } else { "{…}" }), level);
        }
        let mut shown = 0;
        let keep: Vec<bool> = members
            .iter()
            .map(|(key, _)| match is_on_the_way {
                true => self.is_in_focus(&below(key)),
                false => {
                    shown += 1;
                    shown <= self.members
                }
            })
            .collect();
        let entries = members.iter().zip(&keep).map(|((key, value), keep)| keep.then_some((key, *value)));
        self.bracketed("{", "}", entries, level, |writer, (key, value)| {
            let quoted = serde_json::to_string(key).unwrap_or_default();
            writer.ahead(name(cut(&quoted, KEY_MAX)), level + 1);
            writer.ahead(faint(": "), level + 1);
            writer.value(value, &below(key), level + 1);
        });
    }

    fn list(&mut self, items: &[&RawValue], path: &str, level: usize) {
        let is_on_the_way = self.leads_on(path);
        if level >= self.levels && !is_on_the_way {
            return self.chunk(faint(if items.is_empty() { "[]" } else { "[…]" }), level);
        }
        let most = if is_on_the_way { 1 } else { self.members };
        let entries = items.iter().enumerate().map(|(position, item)| (position < most).then_some(*item));
        self.bracketed("[", "]", entries, level, |writer, item| writer.value(item, path, level + 1));
    }

    /// Entries between brackets; those that are left out, as many as stand together, are one ellipsis.
    fn bracketed<T>(
        &mut self,
        open: &str,
        close: &str,
        entries: impl Iterator<Item = Option<T>>,
        level: usize,
        show: impl Fn(&mut Self, T),
    ) {
        self.ahead(faint(open), level);
        let begin = self.chunks.len();
        let mut was_left_out = false;
        for entry in entries {
            if entry.is_none() && was_left_out {
                continue;
            }
            was_left_out = entry.is_none();
            if self.chunks.len() > begin {
                self.after(",");
            }
            match entry {
                Some(entry) => show(self, entry),
                None => self.chunk(faint("…"), level + 1),
            }
        }
        if self.chunks.len() == begin {
            return self.chunk(faint(close), level);
        }
        self.after(close);
    }

    fn ahead(&mut self, piece: Piece, level: usize) {
        if self.before.is_empty() {
            self.before_level = level;
        }
        self.before.push(piece);
    }

    fn chunk(&mut self, piece: Piece, level: usize) {
        self.ahead(piece, level);
        self.chunks.push(Chunk {
            pieces: std::mem::take(&mut self.before),
            level: self.before_level,
        });
    }

    fn after(&mut self, text: &str) {
        if let Some(last) = self.chunks.last_mut() {
            last.pieces.push(faint(text));
        }
    }

    /// Whether something in focus lies below a path.
    fn leads_on(&self, path: &str) -> bool {
        self.focus
            .iter()
            .any(|focus| path != *focus && (path.is_empty() || leads_to(path, focus)))
    }

    /// Whether a path is in focus, or leads to what is.
    fn is_in_focus(&self, path: &str) -> bool {
        self.focus.iter().any(|focus| leads_to(path, focus))
    }
}

/// Whether `path` is `end` or lies on the way to it.
fn leads_to(path: &str, end: &str) -> bool {
    end.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Fills lines with chunks.
fn wrap(chunks: Vec<Chunk>, columns: usize) -> Vec<Vec<Piece>> {
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    let mut used = 0;
    for chunk in chunks {
        let wide = columns_of(&chunk.pieces);
        match lines.last_mut() {
            Some(line) if used + 1 + wide <= columns => {
                line.push(plain(" "));
                line.extend(chunk.pieces);
                used += 1 + wide;
            }
            _ => {
                let indent = if lines.is_empty() { 0 } else { chunk.level.min(8) };
                let mut line = vec![plain(" ".repeat(indent))];
                line.extend(chunk.pieces);
                fit(&mut line, columns);
                used = columns_of(&line);
                lines.push(line);
            }
        }
    }
    lines
}

/// Cuts a line that a single chunk has made too long.
fn fit(line: &mut Vec<Piece>, columns: usize) {
    if columns_of(line) <= columns {
        return;
    }
    let mut left = columns.saturating_sub(1);
    for piece in line.iter_mut() {
        let wide = piece.columns();
        piece.cut(left);
        left = left.saturating_sub(wide);
    }
    line.push(faint("…"));
}

/// A number, a word, or a string that keeps its closing quote.
fn scalar(text: &str) -> String {
    let is_string = text.starts_with('"');
    let short = cut(text, SCALAR_MAX);
    if is_string && short.len() < text.len() {
        format!("{short}\"")
    } else {
        short
    }
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// An object's members, in the order in which they were sent; a key that comes twice comes twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A list's items.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::tests::{screen, text};

    #[track_caller]
    fn check(json: &str, focus: &[&str], columns: usize, lines_max: usize, expected: &[&str]) {
        let mut screen = screen(columns);
        for line in shorten(json, focus, columns, lines_max) {
            screen.line(&line).expect("written");
        }
        assert_eq!(text(screen).lines().collect::<Vec<_>>(), expected);
    }

    const DEEP: &str = r#"{"event":"e","data":{"id":"1","n":1.10,"n":1e400,"deep":{"a":[{"v":1},{"v":2}],"b":{}},"more":[],"most":null}}"#;

    #[test]
    fn what_is_short_is_shown_whole_as_it_was_sent() {
        let expected = r#"{"event": "e", "data": {"id": "1", "n": 1.10, "n": 1e400, "deep": {"a": [{"v": 1}, {"v": 2}], "b": {}}, "more": [], "most": null}}"#;
        check(DEEP, &[], 200, 1, &[expected]);
    }

    #[test]
    fn lines_are_filled_and_indented() {
        check(
            r#"{"event":"e","data":{"id":"5e7a0daf255bf93741177061","of":{"a":"b","c":"d"}}}"#,
            &[],
            50,
            3,
            &[
                r#"{"event": "e","#,
                r#" "data": {"id": "5e7a0daf255bf93741177061","#,
                r#"  "of": {"a": "b", "c": "d"}}}"#,
            ],
        );
    }

    #[test]
    fn what_is_long_is_left_out() {
        check(DEEP, &[], 64, 1, &[r#"{"event": "e", "data": {"id": "1", "n": 1.10, …}}"#]);
        check(DEEP, &[], 24, 1, &[r#"{"event": "e", …"#]);
    }

    #[test]
    fn a_focus_leads_to_what_matters() {
        check(
            DEEP,
            &["event", "data.deep.a.v"],
            80,
            1,
            &[r#"{"event": "e", "data": {…, "deep": {"a": [{"v": 1}, …], …}, …}}"#],
        );
    }

    #[test]
    fn what_is_no_json_and_what_is_endless() {
        check("not\u{1b} JSON, and long", &[], 10, 2, &["not\\u{1b} JSON…"]);
        assert_eq!(shorten(&"[".repeat(100_000), &[], 10, 1).len(), 1);
        let long = format!(r#"{{"k{}":"{}"}}"#, "k".repeat(99), "v".repeat(999));
        assert_eq!(columns_of(&shorten(&long, &[], 60, 1)[0]), 60);
    }
}
