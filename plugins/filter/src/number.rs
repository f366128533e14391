//! Numbers as JSON writes them, compared without rounding.

use std::cmp::Ordering;
use std::iter;

/// A number: its digits behind a decimal point, times a power of ten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal<'a> {
    is_negative: bool,
    /// As written, without leading zeros; those of the fraction follow.
    whole: &'a str,
    fraction: &'a str,
    /// How many digits stand in front of the point: less than none for small numbers.
    point: i64,
}

/// Exponents past this count as this, so that nothing overflows: numbers of so many digits differ in nothing else.
const EXPONENT_MAX: i64 = 1 << 60;

impl<'a> Decimal<'a> {
    pub(crate) const ZERO: Decimal<'static> = Decimal {
        is_negative: false,
        whole: "",
        fraction: "",
        point: 0,
    };

    /// Reads a number; none where the text is anything else.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, digits(fraction)?),
            None => (mantissa, ""),
        };
        digits(whole)?;
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let significant = if whole.is_empty() {
            fraction.trim_start_matches('0')
        } else {
            fraction
        };
        if whole.is_empty() && significant.is_empty() {
            return Some(Decimal::ZERO);
        }
        let zeros = length(fraction) - length(significant);
        Some(Decimal {
            is_negative,
            whole,
            fraction: significant,
            point: length(whole) - zeros + exponent,
        })
    }

    pub(crate) fn cmp(&self, other: &Decimal<'_>) -> Ordering {
        match (self.sign(), other.sign()) {
            (-1, -1) => other.cmp_size(self),
            (1, 1) => self.cmp_size(other),
            (sign, other) => sign.cmp(&other),
        }
    }

    fn sign(&self) -> i8 {
        match (self.whole.is_empty() && self.fraction.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// Compares without the sign; neither is zero.
    fn cmp_size(&self, other: &Decimal<'_>) -> Ordering {
        let count = |number: &Decimal<'_>| number.whole.len() + number.fraction.len();
        let places = count(self).max(count(other));
        self.point
            .cmp(&other.point)
            .then_with(|| self.digits().take(places).cmp(other.digits().take(places)))
    }

    /// The digits, the first of which is no zero, and zeros without end.
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes()).chain(iter::repeat(b'0'))
    }
}

/// The text, if it is one digit or more.
fn digits(text: &str) -> Option<&str> {
    let are_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then_some(text)
}

fn read_exponent(text: &str) -> Option<i64> {
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = digits(number)?.bytes().fold(0, |value: i64, digit| {
        (value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))).min(EXPONENT_MAX)
    });
    Some(sign * value)
}

/// A text's length; no text is so long that it does not fit.
fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(EXPONENT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, expected: Ordering) {
        let read = |text| Decimal::read(text).expect("a number");
        assert_eq!(read(left).cmp(&read(right)), expected, "{left} and {right}");
        assert_eq!(read(right).cmp(&read(left)), expected.reverse(), "{right} and {left}");
    }

    #[test]
    fn the_same_number_is_written_in_many_ways() {
        let ways = [
            ["1.10", "1.1", "11e-1", "0.011E+2", "110e-2", "0.00011e4", "1.1e0", "1.1e-0"].as_slice(),
            &["0", "-0", "0.000", "0e999999999999999999999999", "-0.0e-7"],
            &["100", "1e2", "1.00E2", "1000000e-4", "0.1e+3"],
            &["-12.50", "-12.5", "-1250e-2"],
            &["12345678901234567890.10", "1234567890123456789010e-2"],
        ];
        for way in ways {
            for left in way {
                for right in way {
                    check(left, right, Ordering::Equal);
                }
            }
        }
    }

    #[test]
    fn greater_numbers_are_greater() {
        let rising = [
            "-1e400",
            "-12345678901234567891",
            "-12345678901234567890",
            "-2",
            "-1.5",
            "-1.49999",
            "-0.1",
            "-1e-400",
            "0",
            "1e-999999999999999999999999",
            "1e-400",
            "0.05",
            "0.1",
            "0.10000000000000000555",
            "0.2",
            "1",
            "1.09",
            "1.1",
            "9",
            "10",
            "99.999999999999999999999999",
            "100",
            "9007199254740992",
            "9007199254740993",
            "12345678901234567890",
            "12345678901234567890.1",
            "12345678901234567891",
            "1e400",
            "1.0000001e400",
            "1e999999999999999999999999",
        ];
        for (place, left) in rising.iter().enumerate() {
            for (other, right) in rising.iter().enumerate() {
                check(left, right, place.cmp(&other));
            }
        }
    }

    #[test]
    fn what_is_no_number_is_not_read() {
        for text in [
            "", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1e1.5", "1 ", " 1", "1,5", "0x1", "1_0", "NaN", "null", "\"1\"", "--1",
            "1ee1", "1.2.3", "é",
        ] {
            assert!(Decimal::read(text).is_none(), "{text}");
        }
    }
}
