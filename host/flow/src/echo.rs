//! Header values are secrets, and some receivers answer with what they were sent: in what is kept of an answer they are masked.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// A shorter value is no credential, and may stand in an answer for other reasons.
const SECRET_BYTES_MIN: usize = 6;

const MASK: &[u8] = b"***";

/// The answer, with each of these values masked wherever it stands: whole, without its scheme (RFC 9110, section 11.4), or begun where the
/// answer was cut off.
pub(crate) fn masked(answer: Bytes, headers: &[(HeaderName, HeaderValue)]) -> Bytes {
    if answer.is_empty() {
        return answer;
    }
    let mut secrets: Vec<Secret<'_>> = headers.iter().flat_map(|(_, value)| Secret::of(value.as_bytes())).collect();
    // Of two that begin at one place it is the longer one that goes.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.bytes.len()));
    let mut kept = Vec::new();
    let (mut at, mut copied) = (0, 0);
    while at < answer.len() {
        match secrets.iter().find_map(|secret| secret.begins(&answer[at..])) {
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
    bytes: &'a [u8],
    /// So many of them tell something of it.
    telling: usize,
}

impl<'a> Secret<'a> {
    /// A header's value, and what follows a scheme such as `Bearer` in it.
    fn of(value: &'a [u8]) -> impl Iterator<Item = Secret<'a>> {
        let scheme = value.iter().position(|&byte| byte == b' ').map_or(0, |space| space + 1);
        let whole = Secret {
            bytes: value,
            telling: SECRET_BYTES_MIN.max(scheme + 1),
        };
        let credentials = Secret {
            bytes: value[scheme..].trim_ascii_start(),
            telling: SECRET_BYTES_MIN,
        };
        [whole, credentials]
            .into_iter()
            .filter(|secret| secret.bytes.len() >= SECRET_BYTES_MIN)
    }

    /// How many of its bytes a text begins with, if that is all of it, or as much as the text has and tells something.
    fn begins(&self, text: &[u8]) -> Option<usize> {
        let bytes = text.len().min(self.bytes.len());
        let is_enough = bytes == self.bytes.len() || bytes >= self.telling;
        (is_enough && text[..bytes] == self.bytes[..bytes]).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answer: &'static str) -> String {
        let headers = [("authorization", "Bearer abcdefgh"), ("x-key", "abcdefgh-2"), ("x-stage", "test")]
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
    }

    #[test]
    fn all_else_is_kept() {
        for answer in ["", "abcde", "a test of Bearer abcdxfgh", "Bearer"] {
            assert_eq!(shown(answer), answer);
        }
    }
}
