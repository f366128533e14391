//! How two answers to the same event differ, for people: field by field, and within bodies of JSON value by value.
//!
//! Bodies are a guest's words, so the work is bounded: large ones and deep values are compared as text, and once so many bytes of
//! differences are told, nothing further is looked at.

mod json;
mod text;

use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::names::TargetName;
use crate::request::Request;

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// A JSON Pointer into the outcome (`/requests/0/method`), which goes on into a body of JSON (`/requests/0/body/data/id`).
    pub at: String,
    /// What the old side has there, shortened: of JSON its text, quotes included. Absent: nothing.
    pub old: Option<String>,
    /// The same of the new side.
    pub new: Option<String>,
}

/// What differs between two lists of requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differences {
    /// In the order of the requests.
    pub found: Vec<Difference>,
    /// Whether there may be more than could be told.
    pub more: bool,
}

/// Bytes that are shown of a value.
const SHOWN_BYTES_MAX: usize = 240;
/// Bytes that are shown of a place.
const PLACE_BYTES_MAX: usize = 400;
/// Larger bodies are compared as text: taking one apart takes many times its memory.
const JSON_BYTES_MAX: usize = 1024 * 1024;

/// What differs between the requests of two outcomes, told in at most `bytes_max` bytes or so.
pub fn differences(old: &[Request], new: &[Request], bytes_max: usize) -> Differences {
    let mut finder = Finder {
        found: Vec::new(),
        bytes_left: bytes_max,
        more: false,
    };
    for number in 0..old.len().max(new.len()) {
        if finder.more {
            break;
        }
        let at = format!("/requests/{number}");
        match (old.get(number), new.get(number)) {
            (Some(old), Some(new)) => finder.request(&at, old, new),
            (old, new) => finder.add(&at, old.map(summary), new.map(summary)),
        }
    }
    Differences {
        found: finder.found,
        more: finder.more,
    }
}

/// A request that only one side has, in a line.
fn summary(request: &Request) -> String {
    let head = format!(
        "{} to {}: {}, {} bytes: ",
        request.method.as_str(),
        target(request),
        request.content_type,
        request.body.len()
    );
    let body = match std::str::from_utf8(&request.body) {
        Ok(text) => text::beginning(text, SHOWN_BYTES_MAX),
        Err(_) => digest(&request.body),
    };
    head + &body
}

fn target(request: &Request) -> &str {
    request.target.as_ref().map_or("default", TargetName::as_str)
}

fn digest(bytes: &[u8]) -> String {
    format!("{} bytes, SHA-256 {}", bytes.len(), Digest::of(bytes))
}

fn pairs(pairs: &[(String, String)], between: &str) -> Option<String> {
    let shown: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}{between}{value}")).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

struct Finder {
    found: Vec<Difference>,
    bytes_left: usize,
    /// Nothing further is looked for.
    more: bool,
}

impl Finder {
    fn add(&mut self, at: &str, old: Option<String>, new: Option<String>) {
        let found = Difference {
            at: text::beginning(at, PLACE_BYTES_MAX),
            old,
            new,
        };
        let bytes = found.at.len() + found.old.as_ref().map_or(0, String::len) + found.new.as_ref().map_or(0, String::len);
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                self.found.push(found);
            }
            None => self.more = true,
        }
    }

    /// Two texts, by where they begin to differ.
    fn text(&mut self, at: &str, old: &str, new: &str) {
        if old != new {
            let (old, new) = text::around(old, new, SHOWN_BYTES_MAX);
            self.add(at, Some(old), Some(new));
        }
    }

    fn optional(&mut self, at: &str, old: Option<&str>, new: Option<&str>) {
        match (old, new) {
            (Some(old), Some(new)) => self.text(at, old, new),
            (None, None) => {}
            (old, new) => {
                let shown = |text: Option<&str>| text.map(|text| text::beginning(text, SHOWN_BYTES_MAX));
                self.add(at, shown(old), shown(new));
            }
        }
    }

    fn request(&mut self, at: &str, old: &Request, new: &Request) {
        self.text(&format!("{at}/target"), target(old), target(new));
        self.text(&format!("{at}/method"), old.method.as_str(), new.method.as_str());
        self.optional(&format!("{at}/path"), old.path.as_deref(), new.path.as_deref());
        let query = [&old.query, &new.query].map(|query| pairs(query, "="));
        self.optional(&format!("{at}/query"), query[0].as_deref(), query[1].as_deref());
        let headers = [&old.headers, &new.headers].map(|headers| pairs(headers, ": "));
        self.optional(&format!("{at}/headers"), headers[0].as_deref(), headers[1].as_deref());
        self.text(&format!("{at}/content_type"), &old.content_type, &new.content_type);
        if old.body != new.body {
            self.body(&format!("{at}/body"), &old.body, &new.body);
        }
    }

    fn body(&mut self, at: &str, old: &[u8], new: &[u8]) {
        let (Ok(old_text), Ok(new_text)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
            return self.add(at, Some(digest(old)), Some(digest(new)));
        };
        let found = self.found.len();
        if let (Some(old), Some(new)) = (as_json(old_text), as_json(new_text)) {
            self.json(at, old, new, 0);
        }
        // No JSON, or the same values written in another way.
        if self.found.len() == found && !self.more {
            self.text(at, old_text, new_text);
        }
    }
}

fn as_json(text: &str) -> Option<&RawValue> {
    if text.len() > JSON_BYTES_MAX {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests;
