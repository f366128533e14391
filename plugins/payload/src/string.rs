//! JSON strings: what stands between their quotes, read and written.

use std::str;

/// The characters that the inside of a JSON string means, each with the place where it is written.
///
/// A surrogate without its other half, which JSON can write and Unicode does not know, is read as U+FFFD.
#[derive(Debug, Clone)]
pub struct Chars<'a> {
    text: str::CharIndices<'a>,
}

impl<'a> Chars<'a> {
    /// Reads what stands between a string's quotes.
    pub fn new(inside: &'a str) -> Self {
        Self {
            text: inside.char_indices(),
        }
    }

    /// Reads what follows a backslash.
    fn escaped(&mut self) -> char {
        match self.text.next() {
            Some((_, 'b')) => '\u{8}',
            Some((_, 'f')) => '\u{c}',
            Some((_, 'n')) => '\n',
            Some((_, 'r')) => '\r',
            Some((_, 't')) => '\t',
            Some((_, 'u')) => self.unit_escaped(),
            Some((_, char)) => char,
            None => char::REPLACEMENT_CHARACTER,
        }
    }

    /// Reads the digits of a `\u`, and those of a second one where the two make one character.
    fn unit_escaped(&mut self) -> char {
        let first = self.unit();
        if (0xd800..0xdc00).contains(&first) {
            let mut ahead = self.clone();
            if matches!((ahead.text.next(), ahead.text.next()), (Some((_, '\\')), Some((_, 'u')))) {
                let second = ahead.unit();
                if (0xdc00..0xe000).contains(&second) {
                    *self = ahead;
                    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                }
            }
        }
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> u32 {
        self.text
            .by_ref()
            .take(4)
            .fold(0, |unit, (_, digit)| unit << 4 | digit.to_digit(16).unwrap_or(0))
    }
}

impl Iterator for Chars<'_> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<(usize, char)> {
        let (at, char) = self.text.next()?;
        Some((at, if char == '\\' { self.escaped() } else { char }))
    }
}

/// Writes text as a JSON string: quotes, backslashes and control characters escaped, everything else as it is.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().any(needs_escape) {
        text.chars().for_each(|char| push_escaped(out, char));
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn push_escaped(out: &mut String, char: char) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\0'..='\x1f' => {
            out.push_str("\\u00");
            out.push(hex_digit(char as u32 >> 4));
            out.push(hex_digit(char as u32));
        }
        _ => out.push(char),
    }
}

/// The digit of the lowest four bits.
fn hex_digit(number: u32) -> char {
    char::from(b"0123456789abcdef"[number as usize & 0xf])
}

#[cfg(test)]
mod tests {
    use super::Chars;

    #[track_caller]
    fn check(inside: &str, expected: &str, places: &[usize]) {
        let (at, text): (Vec<usize>, String) = Chars::new(inside).unzip();
        assert_eq!((text.as_str(), at.as_slice()), (expected, places), "{inside}");
    }

    #[test]
    fn escapes_are_read() {
        check("", "", &[]);
        check("aéz", "aéz", &[0, 1, 3]);
        check(
            r#"\"\\\/\b\f\n\r\t\u0041"#,
            "\"\\/\u{8}\u{c}\n\r\tA",
            &[0, 2, 4, 6, 8, 10, 12, 14, 16],
        );
        check(r"\u00E9\u00e9!", "éé!", &[0, 6, 12]);
        check(r"\uD83D\ude00x", "😀x", &[0, 12]);
    }

    #[test]
    fn halves_of_characters_are_replaced() {
        check(r"\ud83dx", "\u{fffd}x", &[0, 6]);
        check(r"\ude00\ud83d", "\u{fffd}\u{fffd}", &[0, 6]);
        check(r"\ud83d\ud83d\ude00", "\u{fffd}😀", &[0, 6]);
        check(r"\ud83d\n", "\u{fffd}\n", &[0, 6]);
        check(r"\ud83d\u0041", "\u{fffd}A", &[0, 6]);
    }

    #[test]
    fn what_is_no_json_does_no_harm() {
        for inside in ["\\", r"\u", r"\u12", r"\uzzzz", r"\ud83d\", r"\ud83d\u", r"\x", "\u{0}"] {
            assert!(Chars::new(inside).count() <= inside.len());
        }
    }
}
