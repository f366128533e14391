//! What is wrong with a configuration: where it stands, by the name that it has there, and what was perhaps meant.

use figment::error::{Error, Kind, OneOf};
use serde_json::Value;

use super::{Config, environment};

/// How alike a key must be to one that is known for that one to be named, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;
/// How alike two keys are that have the same name in other groups.
const LIKENESS_OF_NAMESAKES: f64 = 0.95;

/// An error of the library, as it is told.
pub(super) fn told(error: Error) -> String {
    let known = Known::default();
    let lines: Vec<String> = error.into_iter().map(|error| line(&error, &known)).collect();
    lines.join("\n")
}

fn line(error: &Error, known: &Known) -> String {
    let file = error.metadata.as_ref().and_then(|metadata| metadata.source.as_ref());
    // An element of a list is told with its list.
    let is_name = |part: &&String| !part.bytes().all(|byte| byte.is_ascii_digit());
    let path: Vec<&str> = error.path.iter().take_while(is_name).map(String::as_str).collect();
    let key = path.join(".");
    let name = |key: &str| if file.is_some() { key.to_owned() } else { environment::name(key) };
    let what = match &error.kind {
        // No key: it is not even TOML. The line that it quotes could hold a secret.
        Kind::Message(message) if key.is_empty() => message.lines().filter(|line| !is_quoted(line)).collect::<Vec<_>>().join(": "),
        Kind::UnknownField(_, expected) => match known.nearest(&key, file.is_none()) {
            Some(near) => format!("{}: there is no such setting; did you mean {}?", name(&key), name(near)),
            None => format!("{}: there is no such setting; here may stand {}", name(&key), OneOf(expected)),
        },
        // The library would show the value.
        _ if key == "client.key" => format!("{}: must be text", name(&key)),
        _ if known.is_group(&key) => match known.first_of(&key) {
            Some(first) => format!("{}: is a group of settings, such as {}", name(&key), name(first)),
            None => format!("{}: is a group of settings", name(&key)),
        },
        kind => format!("{}: {kind}", name(&key)),
    };
    match file {
        Some(file) => format!("{file}: {what}"),
        None => what,
    }
}

/// Whether a line of a message shows the text that it is about, as `2 | key = …` does, or points at it.
fn is_quoted(line: &str) -> bool {
    line.trim_start_matches(|character: char| character.is_ascii_digit() || character == ' ')
        .starts_with('|')
}

/// All keys, and the groups that they stand in, by their paths.
struct Known {
    keys: Vec<String>,
    groups: Vec<String>,
}

impl Default for Known {
    fn default() -> Known {
        let mut known = Known {
            keys: Vec::new(),
            groups: Vec::new(),
        };
        known.add("", &serde_json::to_value(Config::default()).unwrap_or_default());
        known
    }
}

impl Known {
    fn add(&mut self, path: &str, value: &Value) {
        let Value::Object(members) = value else {
            return self.keys.push(path.to_owned());
        };
        self.groups.push(path.to_owned());
        for (name, value) in members {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.add(&path, value);
        }
    }

    fn is_group(&self, path: &str) -> bool {
        self.groups.iter().any(|group| group == path)
    }

    fn first_of(&self, group: &str) -> Option<&str> {
        let below = |key: &&String| key.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'));
        self.keys.iter().find(below).map(String::as_str)
    }

    /// The key or group that is most like this one, if any is.
    fn nearest<'a>(&'a self, key: &str, in_environment: bool) -> Option<&'a str> {
        let others: &[&str] = if in_environment { &environment::NOT_SETTINGS } else { &[] };
        let all = self
            .keys
            .iter()
            .chain(&self.groups)
            .map(String::as_str)
            .chain(others.iter().copied());
        // The groups that it stands in are right as they are.
        let meant = all.filter(|known| !key.starts_with(&format!("{known}.")));
        let judged = meant.map(|known| (likeness(key, known), known));
        let best = judged.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
        (best.0 >= LIKENESS_MIN).then_some(best.1)
    }
}

fn likeness(key: &str, known: &str) -> f64 {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let namesakes = if last(key) == last(known) { LIKENESS_OF_NAMESAKES } else { 0.0 };
    strsim::normalized_damerau_levenshtein(key, known).max(namesakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found() {
        let known = Known::default();
        for (key, meant) in [
            ("dta", Some("data")),
            ("listn", Some("listen")),
            ("egress.allow_network", Some("egress.allow_networks")),
            ("limits.plugin.cpu", Some("limits.plugin.cpu_ms")),
            ("limits.plugn", Some("limits.plugin")),
            ("limits_plugin_cpu_ms", Some("limits.plugin.cpu_ms")),
            ("cpu_ms", Some("limits.plugin.cpu_ms")),
            ("log.filtre", Some("log.filter")),
            ("colour", None),
            ("limits.intake.colour", None),
        ] {
            assert_eq!(known.nearest(key, false), meant, "{key}");
        }
        assert_eq!(known.nearest("operatr_key", true), Some("operator_key"));
        assert_eq!(known.nearest("operatr_key", false), None);
    }

    #[test]
    fn a_quoted_line_is_known() {
        let message = "TOML parse error at line 2, column 7\n  |\n2 | key = abc\n  |       ^\nstring values must be quoted\n";
        let kept: Vec<&str> = message.lines().filter(|line| !is_quoted(line)).collect();
        assert_eq!(kept, ["TOML parse error at line 2, column 7", "string values must be quoted"]);
    }
}
