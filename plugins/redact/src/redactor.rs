//! Copies JSON text, but for what rules hide.

use std::fmt;

use payload::{Chars, Container, NotJson, Scanner, Step, Trail, push_string};

use crate::settings::{Hiding, Rules};

/// Why data can not be redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RedactError {
    /// There is nothing where a rule must find something.
    Missing {
        /// The rule's pointer.
        pointer: String,
    },
    /// It is not JSON where it matters.
    NotJson(NotJson),
}

/// Appends data to `out`, redacted.
///
/// # Errors
/// When a required rule finds nothing, or the data can not be followed; what is in `out` then is of no use.
pub(crate) fn redact(data: &str, rules: &Rules, out: &mut String) -> Result<(), RedactError> {
    let mut redactor = Redactor {
        scanner: Scanner::new(data),
        rules,
        out,
        copied: 0,
        met: 0,
    };
    // Pointers begin at the payload, and `/data` is behind them.
    redactor.within(rules.pointers.after(1), false).map_err(RedactError::NotJson)?;
    redactor.copy_up_to(data.len());
    let met = redactor.met;
    match rules.missed(|number| met >> number & 1 == 1) {
        None => Ok(()),
        Some(pointer) => Err(RedactError::Missing {
            pointer: pointer.as_str().to_owned(),
        }),
    }
}

struct Redactor<'a> {
    scanner: Scanner<'a>,
    rules: &'a Rules,
    out: &'a mut String,
    /// How much of the data is in `out`, or is left out of it.
    copied: usize,
    /// The rules that have found something: positions as bits.
    met: u128,
}

impl Redactor<'_> {
    /// Passes a value, and redacts what is in it; if it is hidden itself, rules only meet what they find there. It goes as
    /// deep as pointers do.
    fn within(&mut self, trail: Trail, is_hidden: bool) -> Result<(), NotJson> {
        let container = if self.rules.pointers.lead_on(trail) {
            self.scanner.enter()?
        } else {
            None
        };
        match container {
            Some(container) => self.members(container, trail, is_hidden),
            None => self.scanner.value().map(|_| ()),
        }
    }

    fn members(&mut self, container: Container, trail: Trail, is_hidden: bool) -> Result<(), NotJson> {
        let pointers = &self.rules.pointers;
        let mut position = 0;
        // Where the last member ended, once one has been kept: what is dropped behind it takes its comma along.
        let mut last_end = None;
        while self.scanner.next(container, position == 0)? {
            let start = self.scanner.at();
            let step = match container {
                Container::Object => Step::Member(self.scanner.key()?),
                Container::List => Step::Element(position),
            };
            if position > 0 && last_end.is_none() && !is_hidden {
                // All in front are dropped, with the comma behind the last of them.
                self.copied = start;
            }
            position += 1;
            let trail = pointers.step(trail, step);
            pointers.ending(trail).for_each(|number| self.met |= 1 << number);
            let hiding = if is_hidden {
                None
            } else {
                self.rules.strictest(pointers.ending(trail))
            };
            self.scanner.pass_space()?;
            let value_start = self.scanner.at();
            self.within(trail, is_hidden || hiding.is_some())?;
            let end = self.scanner.at();
            match hiding {
                Some(Hiding::Drop) => {
                    self.copy_up_to(last_end.unwrap_or(start));
                    self.copied = end;
                    last_end = last_end.and(Some(end));
                }
                Some(Hiding::Mask { replacement, keep_last }) => {
                    self.copy_up_to(value_start);
                    push_mask(self.out, replacement, self.scanner.between(value_start..end), *keep_last);
                    self.copied = end;
                    last_end = Some(end);
                }
                None => last_end = Some(end),
            }
        }
        Ok(())
    }

    fn copy_up_to(&mut self, end: usize) {
        self.out.push_str(self.scanner.between(self.copied..end));
        self.copied = end;
    }
}

/// Writes a string that stands for a value.
fn push_mask(out: &mut String, replacement: &str, value: &str, keep_last: usize) {
    push_string(out, replacement);
    // In front of the closing quote; what is kept is written as it was.
    out.pop();
    push_kept(out, value, keep_last);
    out.push('"');
}

/// Writes the last of the characters that identify a string or a number; nothing unless as many stay hidden.
fn push_kept(out: &mut String, value: &str, keep_last: usize) {
    if keep_last == 0 {
        return;
    }
    let identifying = identifying(value);
    let count = identifying.clone().count();
    if count / 2 >= keep_last {
        identifying.skip(count - keep_last).for_each(|written| out.push_str(written));
    }
}

/// The characters that identify a string or a number, as they are written: letters and digits, but for zeros in front and a
/// number's exponent. All else hides nothing: who sees the digits of `-7` or `0.57` knows what matters.
fn identifying(value: &str) -> impl Iterator<Item = &str> + Clone {
    let inside = match value.as_bytes().first() {
        Some(b'"') => value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or_default(),
        Some(b'-' | b'0'..=b'9') => value.split(['e', 'E']).next().unwrap_or_default(),
        _ => "",
    };
    let ends = Chars::new(inside).skip(1).map(|(at, _)| at).chain([inside.len()]);
    Chars::new(inside)
        .zip(ends)
        .filter(|((_, char), _)| char.is_alphanumeric())
        .skip_while(|((_, char), _)| *char == '0')
        .map(|((at, _), end)| inside.get(at..end).unwrap_or_default())
}

impl fmt::Display for RedactError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { pointer } => write!(formatter, "there is nothing at {pointer}, where something must be hidden"),
            Self::NotJson(error) => write!(formatter, "the data can not be followed: {error}"),
        }
    }
}

impl std::error::Error for RedactError {}
