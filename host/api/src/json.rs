//! JSON answers. What a guest or a receiver wrote stands in them, and people read them in terminals: control characters beyond ASCII and marks
//! that turn the direction of text are written as escapes, so that they do nothing there. The value stays the same.

use std::{io, mem};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
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

/// The longest piece of a text in pieces.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// A value as JSON text in pieces, which together take what they hold, and are never moved as the text grows.
pub(crate) fn to_pieces<T: Serialize>(value: &T) -> serde_json::Result<Vec<Bytes>> {
    let mut text = Pieces::default();
    value.serialize(&mut Serializer::with_formatter(&mut text, Harmless))?;
    text.next_piece(0);
    Ok(text.full)
}

#[derive(Default)]
struct Pieces {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

impl Pieces {
    fn next_piece(&mut self, bytes: usize) {
        let full = mem::replace(&mut self.last, Vec::with_capacity(bytes));
        if !full.is_empty() {
            self.full.push(full.into());
        }
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.len() == self.last.capacity() {
            self.next_piece((2 * self.last.capacity()).clamp(256, PIECE_BYTES_MAX));
        }
        let written = bytes.len().min(self.last.capacity() - self.last.len());
        self.last.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many bytes a text has as a JSON string, without its quotes.
pub(crate) fn string_bytes(text: &str) -> usize {
    let of = |character: char| match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        _ if does_something(character) => 6,
        _ => character.len_utf8(),
    };
    text.chars().map(of).sum()
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
    fn a_text_in_pieces_is_the_same_text() {
        for length in [0, 200, 255, 256, 257, 1000, 3 * PIECE_BYTES_MAX] {
            let value = ["\u{1}\"é\u{7f}".repeat(length), "x".to_owned()];
            let pieces = to_pieces(&value).expect("JSON");
            assert_eq!(pieces.concat(), to_vec(&value).expect("JSON"), "{length}");
            assert!(pieces.iter().all(|piece| (1..=PIECE_BYTES_MAX).contains(&piece.len())), "{length}");
        }
    }

    #[test]
    fn the_length_of_a_string_is_known_before() {
        let all: String = (0..0x3000).filter_map(char::from_u32).collect();
        for text in ["", "a\"b\\c/", &all] {
            assert_eq!(string_bytes(text) + 2, to_vec(&text).expect("JSON").len(), "{text:?}");
        }
    }

    #[test]
    fn what_does_something_is_escaped_and_stays_the_same() {
        let text = "a\u{9b}31m é \u{202e}x\u{2028}\u{1b}";
        let json = to_vec(&text).expect("JSON");
        assert_eq!(json, "\"a\\u009b31m é \\u202ex\\u2028\\u001b\"".as_bytes());
        assert_eq!(serde_json::from_slice::<String>(&json).expect("JSON"), text);
    }
}
