//! Going through JSON text token by token.

use std::fmt;
use std::ops::Range;

use crate::string::Chars;

/// A place in JSON text, moving on through it.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// What a value that holds others is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Its members have keys.
    Object,
    /// Its elements have positions.
    List,
}

/// A key as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    inside: &'a str,
    has_escapes: bool,
}

/// The text is not JSON, here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson {
    /// How many bytes stand in front.
    pub at: usize,
}

impl<'a> Scanner<'a> {
    /// Begins at the beginning.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes are passed.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The text between two places; nothing of it where they do not lie in it.
    pub fn between(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// Passes white space, up to what comes next.
    ///
    /// # Errors
    /// When nothing does.
    pub fn pass_space(&mut self) -> Result<(), NotJson> {
        self.token().map(|_| ())
    }

    /// Goes into the value that comes next, if it is a container; else stays in front of it.
    ///
    /// # Errors
    /// When nothing comes next.
    pub fn enter(&mut self) -> Result<Option<Container>, NotJson> {
        let container = match self.token()? {
            b'{' => Container::Object,
            b'[' => Container::List,
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(container))
    }

    /// In a container: goes to its first member, or from the end of one to the next; false once it has left the container.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn next(&mut self, container: Container, is_first: bool) -> Result<bool, NotJson> {
        let close = match container {
            Container::Object => b'}',
            Container::List => b']',
        };
        let byte = self.token()?;
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if !is_first {
            self.expect(b',')?;
            self.pass_space()?;
        }
        Ok(true)
    }

    /// Passes an object's key and the colon.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn key(&mut self) -> Result<Key<'a>, NotJson> {
        self.pass_space()?;
        let start = self.at;
        let has_escapes = self.pass_string()?;
        let inside = self.between(start + 1..self.at - 1);
        self.pass_space()?;
        self.expect(b':')?;
        Ok(Key { inside, has_escapes })
    }

    /// Passes a value; gives its text.
    ///
    /// # Errors
    /// When there is none.
    pub fn value(&mut self) -> Result<&'a str, NotJson> {
        let first = self.token()?;
        let start = self.at;
        match first {
            b'"' => {
                self.pass_string()?;
            }
            b'{' | b'[' => self.pass_container()?,
            _ => self.pass_word()?,
        }
        Ok(self.between(start..self.at))
    }

    fn pass_container(&mut self) -> Result<(), NotJson> {
        let mut depth = 0_usize;
        loop {
            match self.byte()? {
                b'"' => {
                    self.pass_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Passes a string; says whether there are escapes in it.
    fn pass_string(&mut self) -> Result<bool, NotJson> {
        self.expect(b'"')?;
        let mut has_escapes = false;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(has_escapes)
    }

    /// Passes a number, `true`, `false` or `null`.
    fn pass_word(&mut self) -> Result<(), NotJson> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = rest.iter().take_while(|byte| is_word(byte)).count();
        if length == 0 {
            return Err(self.not_json());
        }
        self.at += length;
        Ok(())
    }

    fn token(&mut self) -> Result<u8, NotJson> {
        loop {
            match self.byte()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Ok(byte),
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.byte()? == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(self.not_json())
        }
    }

    fn byte(&self) -> Result<u8, NotJson> {
        self.text.as_bytes().get(self.at).copied().ok_or_else(|| self.not_json())
    }

    fn not_json(&self) -> NotJson {
        NotJson { at: self.at }
    }
}

impl Key<'_> {
    /// Whether it means this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        if self.has_escapes {
            Chars::new(self.inside).map(|(_, char)| char).eq(name.chars())
        } else {
            self.inside == name
        }
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "what stands after {} bytes is not JSON", self.at)
    }
}

impl std::error::Error for NotJson {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_passed_whole() {
        for value in [
            "null",
            "-0.10e-7",
            r#""""#,
            r#""a\"]}\\""#,
            "[ ]",
            "{ }",
            r#"[1,{"a":["]","}\"",{}]},[[]]]"#,
            r#"{"a" : "{" , "é":[ "👍" ] }"#,
        ] {
            for (before, after) in [("", ""), (" \t\r\n", " "), ("", ",1"), ("", "]"), ("", "}")] {
                let text = format!("{before}{value}{after}");
                let mut scanner = Scanner::new(&text);
                assert_eq!(scanner.value(), Ok(value), "{text}");
                assert_eq!(scanner.at(), before.len() + value.len());
            }
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(Scanner::new(&deep).value().map(str::len), Ok(2_000_000));
    }

    #[test]
    fn members_come_one_by_one() -> Result<(), NotJson> {
        let mut scanner = Scanner::new(r#" { "a" :1, "\u0062":[ ] ,"":{"c":2} } "#);
        assert_eq!(scanner.enter()?, Some(Container::Object));
        let mut seen = Vec::new();
        let mut is_first = true;
        while scanner.next(Container::Object, is_first)? {
            is_first = false;
            let start = scanner.at();
            let key = scanner.key()?;
            seen.push((key.inside, key.is("b"), scanner.value()?, scanner.between(start..scanner.at())));
        }
        assert_eq!(
            seen,
            [
                ("a", false, "1", r#""a" :1"#),
                (r"\u0062", true, "[ ]", r#""\u0062":[ ]"#),
                ("", false, r#"{"c":2}"#, r#""":{"c":2}"#),
            ]
        );
        Ok(())
    }

    #[test]
    fn what_is_no_json_is_an_error_and_never_a_panic() {
        let pass = |text: &str| -> Result<(), NotJson> {
            let mut scanner = Scanner::new(text);
            let Some(container) = scanner.enter()? else {
                return scanner.value().map(|_| ());
            };
            let mut is_first = true;
            while scanner.next(container, is_first)? {
                is_first = false;
                if container == Container::Object {
                    scanner.key()?;
                }
                scanner.value()?;
            }
            Ok(())
        };
        for text in [
            "", " ", "{", "[", "{\"a", "{\"a\\", "{\"a\"", "{\"a\":", "{\"a\":1", "{a:1}", "[1 2]", "[1,", ",", "]", "\"\\", "[\"\\é", "é",
        ] {
            assert!(pass(text).is_err(), "{text}");
        }
    }
}
