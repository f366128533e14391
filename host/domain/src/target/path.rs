//! What a plugin may append to a target's path and query.
//!
//! The rule is that no receiver, however it reads the result, ends up outside of the target's path or sees another value for a
//! query key that the target sets.

use std::fmt::Write as _;

/// The longest path that a plugin may append.
pub const PLUGIN_PATH_BYTES_MAX: usize = 2048;

/// How many bytes the keys and values of a plugin's query may have, two more counted for each pair.
pub const PLUGIN_QUERY_BYTES_MAX: usize = 8 * 1024;

/// Judges a path that a plugin asks for.
///
/// It begins with `/` and has at most [`PLUGIN_PATH_BYTES_MAX`]. Its percent-encoding is valid, and after it is undone (once) each segment is UTF-8 and is not empty,
/// not `.` or `..`, does not begin with `.;` or `..;`, and holds none of `/`, `\`, `?`, `#` and control characters. A trailing
/// slash makes an empty last segment and is refused: where a receiver insists on one, it stands in the target's own path, which
/// is left as it is when nothing is appended.
///
/// # Errors
/// The first rule that is broken.
pub fn check_plugin_path(path: &str) -> Result<(), PathError> {
    let below = path.strip_prefix('/').ok_or(PathError::NoSlash)?;
    if path.len() > PLUGIN_PATH_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    below.split('/').try_for_each(check_segment)
}

/// Judges a whole query that a plugin asks for: each key, and its size against [`PLUGIN_QUERY_BYTES_MAX`].
///
/// # Errors
/// The first key that the target sets, or the size.
pub fn check_plugin_query<S: AsRef<str>>(query: &[(String, String)], target_keys: &[S]) -> Result<(), QueryError> {
    let sizes = query.iter().map(|(key, value)| key.len() + value.len() + 2);
    if sizes.sum::<usize>() > PLUGIN_QUERY_BYTES_MAX {
        return Err(QueryError::TooLong);
    }
    let mut keys = query.iter().map(|(key, _)| key);
    keys.try_for_each(|key| check_plugin_query_key(key, target_keys))
}

/// Judges a query key that a plugin asks for against the keys that the target's URL sets.
///
/// Keys are compared as the most lenient receiver reads them: without case, cut at `[` or NUL (`token[]` overrides `token`), and
/// with `.`, space, `-` and `_` as one.
///
/// # Errors
/// [`QueryError::SetByTarget`] names the key.
pub fn check_plugin_query_key<S: AsRef<str>>(key: &str, target_keys: &[S]) -> Result<(), QueryError> {
    let meant = key_meaning(key);
    let taken = |target_key: &S| key_meaning(target_key.as_ref()) == meant;
    if target_keys.iter().any(taken) {
        return Err(QueryError::SetByTarget { key: key.into() });
    }
    Ok(())
}

/// Why a plugin's path was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash (an absolute URL does not, either).
    #[error("the path must begin with `/`")]
    NoSlash,
    /// `//`, or a trailing slash.
    #[error("the path has an empty segment (a doubled or a trailing slash)")]
    EmptySegment,
    /// `.`, `..` and what some servers read as these.
    #[error("the path has the segment {segment:?}, which would leave the target's path")]
    DotSegment {
        /// The segment, decoded.
        segment: String,
    },
    /// A character that would end the path or a segment, or hide in a log.
    #[error("the path holds {found:?}, encoded or not")]
    Character {
        /// The first of them.
        found: char,
    },
    /// Longer than [`PLUGIN_PATH_BYTES_MAX`].
    #[error("the path is longer than {PLUGIN_PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A `%` without two hexadecimal digits, or what decodes to no UTF-8.
    #[error("the path's percent-encoding is not valid UTF-8")]
    Encoding,
}

/// Why a plugin's query was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The target's URL sets the key.
    #[error("the query key {key:?} is set by the target's URL")]
    SetByTarget {
        /// As the plugin wrote it.
        key: String,
    },
    /// Longer than [`PLUGIN_QUERY_BYTES_MAX`].
    #[error("the query is longer than {PLUGIN_QUERY_BYTES_MAX} bytes")]
    TooLong,
}

/// The path with all that RFC 3986 section 3.3 does not let stand in one percent-encoded; what is encoded stays so.
pub(super) fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            b'/' | b'%' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b';' | b'=' => encoded.push(char::from(byte)),
            // Writing to a string never fails.
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    let decoded = decode(segment).ok_or(PathError::Encoding)?;
    let is_forbidden = |c: &char| matches!(c, '/' | '\\' | '?' | '#') || c.is_control();
    if let Some(found) = decoded.chars().find(is_forbidden) {
        return Err(PathError::Character { found });
    }
    // Some servers cut parameters (`;…`) off before they resolve dots.
    match decoded.split(';').next().unwrap_or_default() {
        "." | ".." => Err(PathError::DotSegment { segment: decoded }),
        _ if decoded.is_empty() => Err(PathError::EmptySegment),
        _ => Ok(()),
    }
}

/// Undoes percent-encoding once; `None` where it is invalid or hides what is no UTF-8 (overlong forms of `.` and `/` among it).
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let [high, low, after @ ..] = after else {
            return None;
        };
        bytes.push(hex(*high)? << 4 | hex(*low)?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

fn key_meaning(key: &str) -> String {
    let name = key.split(['[', '\0']).next().unwrap_or_default();
    name.trim()
        .chars()
        .map(|c| match c {
            '.' | ' ' | '-' => '_',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}
