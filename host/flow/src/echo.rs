//! Header values are secrets, and some receivers answer with what they were sent: in what is kept of an answer they are masked.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use memchr::memmem;

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
    let secrets: Vec<Secret<'_>> = headers.iter().flat_map(|(_, value)| secrets(value.as_bytes())).collect();
    let plain = Plain::of(&answer);
    let mut found: Vec<Range<usize>> = Vec::new();
    for secret in &secrets {
        found.extend(secret.places(&answer));
        if let Some(plain) = &plain {
            found.extend(secret.places(&plain.text).map(|place| plain.at[place.start]..plain.at[place.end]));
        }
    }
    if found.is_empty() {
        return answer;
    }
    found.sort_unstable_by_key(|place| place.start);
    let mut kept = Vec::new();
    let mut copied = 0;
    for place in found {
        // One that begins within another is masked with it.
        if place.start >= copied {
            kept.extend_from_slice(&answer[copied..place.start]);
            kept.extend_from_slice(MASK);
        }
        copied = copied.max(place.end);
    }
    kept.extend_from_slice(&answer[copied..]);
    kept.into()
}

/// A text without the escapes of JSON, and where each of its bytes, and its end, stands in that.
struct Plain {
    text: Vec<u8>,
    at: Vec<usize>,
}

impl Plain {
    /// `None`: there are no escapes.
    fn of(escaped: &[u8]) -> Option<Plain> {
        memchr::memchr(b'\\', escaped)?;
        let (mut text, mut at, mut read) = (Vec::with_capacity(escaped.len()), Vec::with_capacity(escaped.len() + 1), 0);
        while let Some(&byte) = escaped.get(read) {
            at.push(read);
            let (byte, bytes) = match unescaped(&escaped[read..]) {
                Some(found) => found,
                None if is_cut_off(&escaped[read..]) => {
                    at.pop();
                    break;
                }
                None => (byte, 1),
            };
            text.push(byte);
            read += bytes;
        }
        at.push(escaped.len());
        Some(Plain { text, at })
    }
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
    /// Where it stands in a text; last, where it has begun when the text was cut off, if that tells something of it.
    fn places(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let begun = (self.telling..self.bytes.len().min(text.len() + 1))
            .rev()
            .find(|&bytes| text.ends_with(&self.bytes[..bytes]))
            .map(|bytes| text.len() - bytes..text.len());
        let bytes = self.bytes.len();
        let whole: Vec<usize> = memmem::find_iter(text, self.bytes).collect();
        whole.into_iter().map(move |start| start..start + bytes).chain(begun)
    }
}

/// Whether that is the beginning of an escape and no more.
fn is_cut_off(text: &[u8]) -> bool {
    match text {
        [b'\\'] => true,
        [b'\\', b'u', digits @ ..] => digits.len() < 4 && digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

/// The ASCII character that a JSON string writes with this escape (RFC 8259, section 7), and how long that is.
fn unescaped(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', byte @ (b'"' | b'\\' | b'/'), ..] => Some((*byte, 2)),
        [b'\\', b't', ..] => Some((b'\t', 2)),
        [b'\\', b'u', digits @ ..] => {
            let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
            let byte = u8::from_str_radix(digits, 16).ok()?;
            Some((byte, "\\u0000".len())).filter(|_| byte.is_ascii())
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
            ("x-backslash", r"ab\\\\cdefgh"),
            ("x-tab", "key\tsecret1"),
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
        assert_eq!(shown(r"as it is: ab\\\\cdefgh!"), "as it is: ***!");
        assert_eq!(shown(r#"{"k":"key\tsecret1\n"}"#), r#"{"k":"***\n"}"#);
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
