//! JSON answers. What a guest or a receiver wrote stands in them, and people read them in terminals: control characters beyond ASCII and marks
//! that turn the direction of text are written as escapes, so that they do nothing there. The value stays the same.

use std::io;

use axum::response::{IntoResponse, Response};
use http::header;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::problem::Problem;

/// An answer in JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match to_vec(&self.0) {
            Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
            Err(_) => Problem::internal().into_response(),
        }
    }
}

/// A value as JSON text.
pub(crate) fn to_vec<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut text, Harmless))?;
    Ok(text)
}

/// Escapes what does something in a terminal.
struct Harmless;

/// C1 control characters; the marks of the Unicode Bidirectional Algorithm (UAX #9); line and paragraph separators.
fn does_something(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(position) = rest.find(does_something) {
            let (plain, from) = rest.split_at(position);
            writer.write_all(plain.as_bytes())?;
            let mut characters = from.chars();
            if let Some(character) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_something_is_escaped_and_stays_the_same() {
        let text = "a\u{9b}31m é \u{202e}x\u{2028}\u{1b}";
        let json = to_vec(&text).expect("JSON");
        assert_eq!(json, "\"a\\u009b31m é \\u202ex\\u2028\\u001b\"".as_bytes());
        assert_eq!(serde_json::from_slice::<String>(&json).expect("JSON"), text);
    }
}
