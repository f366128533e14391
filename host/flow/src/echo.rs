//! Header values are secrets, and some receivers answer with what they were sent: in what is kept of an answer they are masked.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// A shorter value is no credential, and may stand in an answer for other reasons.
const SECRET_BYTES_MIN: usize = 6;
/// A longer first word is no scheme.
const SCHEME_BYTES_MAX: usize = 16;

const MASK: &[u8] = b"***";

/// The answer, with each of these values masked wherever it stands: whole, without its scheme (RFC 9110, section 11.4), as JSON has it, or begun
/// where the answer was cut off.
pub(crate) fn masked(answer: Bytes, headers: &[(HeaderName, HeaderValue)]) -> Bytes {
    if answer.is_empty() {
        return answer;
    }
    let mut secrets: Vec<Secret<'_>> = headers.iter().flat_map(|(_, value)| secrets(value.as_bytes())).collect();
    // Of two that begin at one place it is the longer one that goes.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.bytes.len()));
    // An escape may stand for any.
    let mut begins = [false; 256];
    begins[usize::from(b'\\')] = !secrets.is_empty();
    for secret in &secrets {
        begins[usize::from(secret.bytes[0])] = true;
    }
    let mut kept = Vec::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(&byte) = answer.get(at) {
        let found = begins[usize::from(byte)].then(|| secrets.iter().find_map(|secret| secret.begins(&answer[at..])));
        match found.flatten() {
            Some(bytes) => {
                kept.extend_from_slice(&answer[copied..at]);
                kept.extend_from_slice(MASK);
                at += bytes;
                copied = at;
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return answer;
    }
    kept.extend_from_slice(&answer[copied..]);
    kept.into()
}

struct Secret<'a> {
    /// There are some.
    bytes: &'a [u8],
    /// So many of them tell something of it.
    telling: usize,
}

/// What of a header's value is masked.
fn secrets(value: &[u8]) -> Vec<Secret<'_>> {
    let scheme = value.iter().position(|&byte| byte == b' ').unwrap_or_default();
    let is_scheme = scheme <= SCHEME_BYTES_MAX && value[..scheme].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let whole = Secret {
        bytes: value,
        telling: if is_scheme {
            SECRET_BYTES_MIN.max(scheme + 2)
        } else {
            SECRET_BYTES_MIN
        },
    };
    let credentials = (is_scheme && scheme > 0).then(|| Secret {
        bytes: value[scheme..].trim_ascii_start(),
        telling: SECRET_BYTES_MIN,
    });
    let mut secrets: Vec<Secret<'_>> = [Some(whole), credentials].into_iter().flatten().collect();
    secrets.retain(|secret| secret.bytes.len() >= SECRET_BYTES_MIN);
    secrets
}

impl Secret<'_> {
    /// How many bytes of a text are the secret, with which it begins, or as much of it as the text has and tells something.
    fn begins(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        for (matched, &wanted) in self.bytes.iter().enumerate() {
            at += match (unescaped(&text[at..]), text.get(at)) {
                (Some((byte, bytes)), _) if byte == wanted => bytes,
                (_, Some(&byte)) if byte == wanted => 1,
                (_, rest) => {
                    let is_cut_off = rest.is_none() || (rest == Some(&b'\\') && text.len() - at < UNICODE_ESCAPE_BYTES);
                    return (is_cut_off && matched >= self.telling).then_some(text.len());
                }
            };
        }
        Some(at)
    }
}

const UNICODE_ESCAPE_BYTES: usize = "\\u0000".len();

/// The ASCII character that a JSON string writes with this escape (RFC 8259, section 7), and how long that is.
fn unescaped(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', byte @ (b'"' | b'\\' | b'/'), ..] => Some((*byte, 2)),
        [b'\\', b'u', digits @ ..] => {
            let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
            let byte = u8::from_str_radix(digits, 16).ok()?;
            Some((byte, UNICODE_ESCAPE_BYTES)).filter(|_| byte.is_ascii())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answer: &'static str) -> String {
        let headers = [
            ("authorization", "Bearer abcdefgh"),
            ("x-key", "abcdefgh-2"),
            ("x-stage", "test"),
            ("x-path", "Basic dXNl/\"cj"),
            ("x-dotnet", "pa+ss'w<rd"),
            ("cookie", "session=0123456789; x=1"),
        ]
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        String::from_utf8(masked(Bytes::from_static(answer.as_bytes()), &headers).to_vec()).expect("text")
    }

    #[test]
    fn values_that_were_sent_are_not_kept() {
        assert_eq!(shown("you sent Bearer abcdefgh!"), "you sent ***!");
        assert_eq!(
            shown(r#"{"token":"abcdefgh","key":"abcdefgh-2"}"#),
            r#"{"token":"***","key":"***"}"#
        );
        assert_eq!(shown("abcdefghabcdefgh"), "******");
        assert_eq!(shown("cut off: Bearer ab"), "cut off: ***");
        assert_eq!(shown("cut off: abcdef"), "cut off: ***");
        assert_eq!(shown("cut off: session=0123"), "cut off: ***");
        assert_eq!(
            shown(r#"{"path":"dXNl/\"cj","again":"dXNl\/\"cj"}"#),
            r#"{"path":"***","again":"***"}"#
        );
        assert_eq!(shown(r#""pa\u002Bss\u0027w\u003crd""#), r#""***""#);
        assert_eq!(shown(r#""cut off: \u0070a+ss\u0027w\u00"#), r#""cut off: ***"#);
    }

    #[test]
    fn all_else_is_kept() {
        for answer in ["", "abcde", "a test of Bearer abcdxfgh", "Bearer"] {
            assert_eq!(shown(answer), answer);
        }
    }
}
