//! From what somebody wrote to a URL: the checks that the WHATWG parser leaves out, before and after it.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, ParseError, Url};

use super::{TARGET_URL_BYTES_MAX, TargetError};

pub(super) fn read(text: &str) -> Result<Url, TargetError> {
    check_length(text)?;
    // The parser drops or turns over these in silence, so that two readers could see two URLs.
    let odd = |c: &char| c.is_control() || c.is_whitespace() || *c == '\\';
    if let Some(found) = text.chars().find(odd) {
        return Err(TargetError::Character { found });
    }
    let url = match after_scheme(text) {
        // The parser skips further slashes: `http:///x` would mean the host `x`.
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '?', '#', ':']) => {
            return Err(TargetError::NoHost);
        }
        Some(_) => Url::parse(text),
        None => Url::parse(&bare_address(text).ok_or(TargetError::Scheme)?),
    }
    .map_err(from_parser)?;
    check(&url)?;
    Ok(url)
}

fn check(url: &Url) -> Result<(), TargetError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Credentials);
    }
    if url.fragment().is_some() {
        return Err(TargetError::Fragment);
    }
    if url.port() == Some(0) {
        return Err(TargetError::Port);
    }
    match url.host() {
        None => return Err(TargetError::NoHost),
        Some(Host::Domain(name)) if !is_name(name) => return Err(TargetError::Host),
        Some(_) => {}
    }
    // Percent-encoding may have made it longer.
    check_length(url.as_str())
}

fn check_length(text: &str) -> Result<(), TargetError> {
    let bytes = text.len();
    if bytes > TARGET_URL_BYTES_MAX {
        return Err(TargetError::TooLong { bytes });
    }
    Ok(())
}

fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    known.then_some(rest)
}

/// `192.0.2.1`, `192.0.2.1:3000/path`, `[2001:db8::1]:3000/path` or `2001:db8::1` as an `http` URL. Only the full dotted form
/// counts: other spellings of an address are for those who write a URL and mean it.
fn bare_address(text: &str) -> Option<String> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(format!("http://[{text}]/"));
    }
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let is_address = match authority.strip_prefix('[') {
        Some(rest) => {
            let (ip, after) = rest.split_once(']')?;
            ip.parse::<Ipv6Addr>().is_ok() && (after.is_empty() || after.starts_with(':'))
        }
        None => {
            let ip = authority.split_once(':').map_or(authority, |(ip, _)| ip);
            ip.parse::<Ipv4Addr>().is_ok()
        }
    };
    is_address.then(|| format!("http://{text}"))
}

/// What DNS can hold and a `Host` header can say: at most 253 bytes (and a final dot), labels of 1 to 63 letters, digits,
/// hyphens and underscores.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    name.len() <= 253 && name.split('.').all(fits)
}

fn from_parser(error: ParseError) -> TargetError {
    match error {
        ParseError::EmptyHost => TargetError::NoHost,
        ParseError::InvalidPort => TargetError::Port,
        ParseError::IdnaError | ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address | ParseError::InvalidDomainCharacter => {
            TargetError::Host
        }
        other => TargetError::Invalid { reason: other.to_string() },
    }
}
