//! Whole numbers, which JSON can write in many ways and serde's integers read in one.

/// The most digits that are written: those of the largest integer that Rust has.
const DIGITS_MAX: usize = 39;

/// JSON text in which each number that is a whole one stands as its digits alone: `4` for `4.0`, `40e-1` and `0.4E1`.
///
/// To JSON Schema all of these are integers (2020-12 Validation, section 6.1.1), and a host that judges by a schema takes them.
pub(crate) fn with_whole_numbers(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(|char: char| char == '"' || char == '-' || char.is_ascii_digit()) {
        let (between, token) = rest.split_at(at);
        out.push_str(between);
        let (token, behind) = token.split_at(length(token));
        match digits(token) {
            Some(digits) => out.push_str(&digits),
            None => out.push_str(token),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// How long the string or the number is that stands in front.
fn length(token: &str) -> usize {
    let Some(inside) = token.strip_prefix('"') else {
        let is_of_number = |char: char| char.is_ascii_digit() || matches!(char, '-' | '+' | '.' | 'e' | 'E');
        return token.find(|char| !is_of_number(char)).unwrap_or(token.len());
    };
    let mut is_escaped = false;
    let end = inside.find(|char| {
        let is_end = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_end
    });
    end.map_or(token.len(), |end| end + 2)
}

/// A number as digits alone, if it is a whole one, and not too long.
fn digits(number: &str) -> Option<String> {
    let (sign, size) = match number.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", number),
    };
    let (mantissa, exponent) = match size.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (size, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // How far the last digit stands from where the point of a whole number would be.
    let shift = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
    let moved = usize::try_from(shift.unsigned_abs()).ok()?;
    if shift >= 0 {
        let fits = significant.len().checked_add(moved)? <= DIGITS_MAX;
        return fits.then(|| format!("{sign}{significant}{}", "0".repeat(moved)));
    }
    let (whole, behind) = significant.split_at_checked(significant.len().checked_sub(moved)?)?;
    let is_whole = behind.bytes().all(|byte| byte == b'0') && whole.len() <= DIGITS_MAX;
    is_whole.then(|| format!("{sign}{whole}"))
}

#[cfg(test)]
mod tests {
    use super::with_whole_numbers;

    #[track_caller]
    fn check(number: &str, expected: &str) {
        assert_eq!(with_whole_numbers(number), expected);
    }

    #[test]
    fn whole_numbers_are_written_plainly() {
        for four in ["4", "4.0", "4.000", "4e0", "4E+0", "4.0e-0", "40e-1", "400.0e-2", "0.4e1", "0.04E2"] {
            check(four, "4");
            check(&format!("-{four}"), "-4");
        }
        for zero in ["0", "-0", "0.0", "-0.0e7", "0e-99999"] {
            check(zero, "0");
        }
        check("1e3", "1000");
        check("18446744073709551615.0", "18446744073709551615");
        check("1e38", &format!("1{}", "0".repeat(38)));
    }

    #[test]
    fn everything_else_stays() {
        for other in [
            "4.5",
            "0.4",
            "4e-1",
            "1e-7",
            "1e39",
            "1e400",
            "1e99999999999",
            "-1.10",
            "null",
            "true",
            "[]",
            "{}",
            r#""4.0""#,
            r#""\"4.0""#,
            r#"{"4.0":"\\","a":[1.5, "-0"]}"#,
            r#""4.0"#,
            "-",
            "é",
        ] {
            check(other, other);
        }
        check(
            r#"{ "a" : [ 4.0,"4.0\\", -1e2 ,1.5], "\"3.0" :{"é":2.0 } }"#,
            r#"{ "a" : [ 4,"4.0\\", -100 ,1.5], "\"3.0" :{"é":2 } }"#,
        );
    }
}
