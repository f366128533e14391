//! Which headers may be set, by whom.
//!
//! The host alone sets what frames a message, what names its receiver and what signs it. All else is free: to an integration, and to
//! a plugin as long as the target does not set it. Names are compared as a lenient receiver reads them, with `_` for `-`
//! (CGI and WSGI servers make one of both), so that no spelling slips by. Nothing is dropped in silence.

use http::{HeaderName, HeaderValue};

/// How many headers an integration or a request of a plugin may set.
pub const HEADERS_MAX: usize = 64;

/// How many bytes their names and values may have in sum.
pub const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// Judges one of an integration's own headers. Its value is marked as sensitive, so that it is never printed or put into
/// a compression table.
///
/// # Errors
/// What is wrong, naming the header but never its value.
pub fn check_integration_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let parsed_name = parse_name(name)?;
    if is_of_the_host(&parsed_name) {
        return Err(HeaderError::Forbidden { name: name.into() });
    }
    let mut value = parse_value(name, value)?;
    value.set_sensitive(true);
    Ok((parsed_name, value))
}

/// Judges all of an integration's headers together: each one, their number and size, and that no name stands twice.
///
/// # Errors
/// As [`check_integration_header`]; also for too many, too long and doubled ones.
pub fn check_integration_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<(HeaderName, HeaderValue)>, HeaderError> {
    let headers: Vec<_> = headers.into_iter().take(HEADERS_MAX + 1).collect();
    check_header_sizes(headers.iter().copied())?;
    let mut checked: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let header = check_integration_header(name, value)?;
        if checked.iter().any(|(other, _)| is_same(other, &header.0)) {
            return Err(HeaderError::Doubled { name: name.into() });
        }
        checked.push(header);
    }
    Ok(checked)
}

/// Judges a header that a plugin asks for; `target_sets` are the names that the target sets.
///
/// # Errors
/// What is wrong, naming the header.
pub fn check_plugin_header<S: AsRef<str>>(name: &str, value: &str, target_sets: &[S]) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let parsed_name = parse_name(name)?;
    if is_of_the_host(&parsed_name) || is_same_text(parsed_name.as_str(), "user-agent") {
        return Err(HeaderError::Forbidden { name: name.into() });
    }
    let by_target = |set: &S| is_same_text(parsed_name.as_str(), set.as_ref());
    if target_sets.iter().any(by_target) {
        return Err(HeaderError::SetByTarget { name: name.into() });
    }
    let value = parse_value(name, value)?;
    Ok((parsed_name, value))
}

/// Judges all headers that a request of a plugin asks for: each one, their number and size. A name may stand more than once.
///
/// # Errors
/// As [`check_plugin_header`]; also for too many and too long ones.
pub fn check_plugin_headers<S: AsRef<str>>(headers: &[(String, String)], target_sets: &[S]) -> Result<(), HeaderError> {
    let pairs = headers.iter().map(|(name, value)| (&**name, &**value));
    check_header_sizes(pairs.clone())?;
    for (name, value) in pairs {
        check_plugin_header(name, value, target_sets)?;
    }
    Ok(())
}

/// Judges number and size of a list of headers: [`HEADERS_MAX`] and [`HEADERS_BYTES_MAX`].
///
/// # Errors
/// [`HeaderError::TooMany`] or [`HeaderError::TooLong`].
pub fn check_header_sizes<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), HeaderError> {
    let mut bytes = 0_usize;
    for (index, (name, value)) in headers.into_iter().enumerate() {
        if index == HEADERS_MAX {
            return Err(HeaderError::TooMany);
        }
        bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
        if bytes > HEADERS_BYTES_MAX {
            return Err(HeaderError::TooLong);
        }
    }
    Ok(())
}

/// Judges a content type that a plugin asks for: `type/subtype`, perhaps with parameters (RFC 9110 section 8.3.1).
///
/// # Errors
/// [`HeaderError::Value`], or [`HeaderError::TooLong`] past 1 KiB.
pub fn check_content_type(value: &str) -> Result<(), HeaderError> {
    const NAME: &str = "content-type";
    const BYTES_MAX: usize = 1024;
    if value.len() > BYTES_MAX {
        return Err(HeaderError::TooLong);
    }
    // The characters of a type are those of a header's name, less case.
    let is_token = |text: &str| HeaderName::from_bytes(text.as_bytes()).is_ok();
    let essence = value.split(';').next().unwrap_or_default().trim_end();
    match essence.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => parse_value(NAME, value).map(drop),
        _ => Err(HeaderError::Value { name: NAME.into() }),
    }
}

/// Why a header was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No token by RFC 9110 section 5.6.2.
    #[error("{name:?} is not a valid header name")]
    Name {
        /// As it was written, cut at 64 characters.
        name: String,
    },
    /// Line breaks, NUL, other control characters, what is not ASCII, or white space around it (RFC 9110 section 5.5).
    #[error("the value of the header {name:?} must be printable ASCII without white space around it")]
    Value {
        /// The header.
        name: String,
    },
    /// The host sets it.
    #[error("the header {name:?} is set by the host")]
    Forbidden {
        /// The header.
        name: String,
    },
    /// The target sets it.
    #[error("the header {name:?} is set by the target")]
    SetByTarget {
        /// The header.
        name: String,
    },
    /// Named twice, perhaps with other capitals.
    #[error("the header {name:?} is given twice")]
    Doubled {
        /// The header, as it stands the second time.
        name: String,
    },
    /// More than [`HEADERS_MAX`].
    #[error("there are more than {HEADERS_MAX} headers")]
    TooMany,
    /// More than [`HEADERS_BYTES_MAX`] in sum.
    #[error("the headers are longer than {HEADERS_BYTES_MAX} bytes in sum")]
    TooLong,
}

fn is_of_the_host(name: &HeaderName) -> bool {
    const NAMES: [&str; 10] = [
        "host",
        "content-length",
        "content-type",
        "expect",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "connection",
        "keep-alive",
    ];
    const PREFIXES: [&str; 2] = ["proxy-", "webhook-"];
    let name = name.as_str();
    let begins = |prefix: &str| name.get(..prefix.len()).is_some_and(|begin| is_same_text(begin, prefix));
    NAMES.iter().any(|other| is_same_text(name, other)) || PREFIXES.into_iter().any(begins)
}

fn is_same(a: &HeaderName, b: &HeaderName) -> bool {
    is_same_text(a.as_str(), b.as_str())
}

fn is_same_text(a: &str, b: &str) -> bool {
    let fold = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    a.len() == b.len() && a.bytes().map(fold).eq(b.bytes().map(fold))
}

fn parse_name(name: &str) -> Result<HeaderName, HeaderError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name {
        name: name.chars().take(64).collect(),
    })
}

fn parse_value(name: &str, value: &str) -> Result<HeaderValue, HeaderError> {
    let refused = || HeaderError::Value { name: name.into() };
    // RFC 9110 lets other bytes pass as opaque data, but no two receivers agree on their encoding.
    if !value.is_ascii() || value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']) {
        return Err(refused());
    }
    HeaderValue::from_str(value).map_err(|_| refused())
}
