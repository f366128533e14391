//! Where a request may go and what it may carry.
//!
//! A [`TargetUrl`] is read from what an organization wrote and is from then on valid by its type: `http` or `https`, a host, no
//! credentials, no fragment. A plugin adds to it within bounds: [`check_plugin_path`] and [`check_plugin_query`] judge what it appends,
//! [`TargetUrl::join`] appends it; [`check_plugin_headers`] and [`check_integration_headers`] judge headers.
//!
//! Nothing here resolves or dials, and nothing that is wrong is repaired in silence: it is refused, with the reason.

mod headers;
mod path;
mod url_text;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use http::uri::PathAndQuery;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

pub use headers::{
    HEADERS_BYTES_MAX, HEADERS_MAX, HeaderError, check_content_type, check_header_sizes, check_integration_header,
    check_integration_headers, check_plugin_header, check_plugin_headers,
};
pub use path::{
    PLUGIN_PATH_BYTES_MAX, PLUGIN_QUERY_BYTES_MAX, PathError, QueryError, check_plugin_path, check_plugin_query, check_plugin_query_key,
};

/// The longest URL that a target may have, as it is written and as it is sent.
pub const TARGET_URL_BYTES_MAX: usize = 2048;

/// The longest path and query of one request, target's and plugin's together. What the checks of a plugin's path and query let
/// pass stays below it, however it is encoded.
pub const REQUEST_TARGET_BYTES_MAX: usize = TARGET_URL_BYTES_MAX + 3 * (PLUGIN_PATH_BYTES_MAX + PLUGIN_QUERY_BYTES_MAX);

/// A valid target: an `http` or `https` URL by the WHATWG URL standard, without credentials and without a fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TargetUrl {
    url: Url,
    path_and_query: PathAndQuery,
}

impl TargetUrl {
    /// Reads a URL, or a bare IP address with or without port and path, which means `http`.
    ///
    /// # Errors
    /// What is wrong, in words for the one who wrote it.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let url = url_text::read(text)?;
        let path_and_query = match url.query() {
            Some(query) => PathAndQuery::try_from(format!("{}?{query}", url.path())),
            None => PathAndQuery::try_from(url.path()),
        }
        .map_err(|_| TargetError::Path)?;
        Ok(Self { url, path_and_query })
    }

    /// The URL as it is sent and stored; reading it again gives the same target.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Whether requests go over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host: an address, or a name in lower case and in its ASCII form.
    #[must_use]
    pub fn host(&self) -> TargetHost<'_> {
        match self.url.host() {
            Some(Host::Ipv4(ip)) => TargetHost::Ip(ip.into()),
            Some(Host::Ipv6(ip)) => TargetHost::Ip(ip.into()),
            Some(Host::Domain(name)) => TargetHost::Name(name),
            // Reading refuses a URL without a host.
            None => TargetHost::Name(""),
        }
    }

    /// The port, the scheme's own where the URL names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        let of_scheme = if self.is_https() { 443 } else { 80 };
        self.url.port().unwrap_or(of_scheme)
    }

    /// The path, which begins with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The origin: scheme, host and any port that is not the scheme's own.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.url.scheme(), self.authority())
    }

    /// Host and any port that is not the scheme's own, as the `Host` header says it.
    #[must_use]
    pub fn authority(&self) -> String {
        match (self.host(), self.url.port()) {
            (host, None) => host.to_string(),
            (host, Some(port)) => format!("{host}:{port}"),
        }
    }

    /// The address, where the host is one.
    #[must_use]
    pub fn literal_ip(&self) -> Option<IpAddr> {
        match self.host() {
            TargetHost::Ip(ip) => Some(ip),
            TargetHost::Name(_) => None,
        }
    }

    /// The address that the host means without asking anyone, for judging a target when it is saved: the literal one, or
    /// 127.0.0.1 for `localhost` and the names below it (RFC 6761 section 6.3).
    #[must_use]
    pub fn known_ip(&self) -> Option<IpAddr> {
        match self.host() {
            TargetHost::Ip(ip) => Some(ip),
            TargetHost::Name(name) => {
                let name = name.trim_end_matches('.');
                (name == "localhost" || name.ends_with(".localhost")).then_some(Ipv4Addr::LOCALHOST.into())
            }
        }
    }

    /// The keys that the URL's query sets, decoded, in order: a plugin may set none of them.
    #[must_use]
    pub fn query_keys(&self) -> Vec<String> {
        let pairs = self.url.query_pairs();
        pairs.map(|(key, _)| key.into_owned()).collect()
    }

    /// Path and query of a request: `path` below the target's, which loses a trailing slash for it, and `query` after the
    /// target's, encoded as `application/x-www-form-urlencoded`.
    ///
    /// The parts are a plugin's and must have passed [`check_plugin_path`] and [`check_plugin_query`]; characters that a
    /// path may not hold are percent-encoded.
    ///
    /// # Errors
    /// [`JoinError`] past [`REQUEST_TARGET_BYTES_MAX`], which parts that passed those checks never reach.
    pub fn join(&self, path: Option<&str>, query: &[(String, String)]) -> Result<PathAndQuery, JoinError> {
        if path.is_none() && query.is_empty() {
            return Ok(self.path_and_query.clone());
        }
        let mut text = match path {
            None => self.path().to_owned(),
            Some(below) => {
                let base = self.path();
                let base = base.strip_suffix('/').unwrap_or(base);
                format!("{base}{}", path::encode(below))
            }
        };
        let own = self.url.query().unwrap_or_default();
        if !own.is_empty() {
            text.push('?');
            text.push_str(own);
        }
        if !query.is_empty() {
            text.push(if own.is_empty() { '?' } else { '&' });
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(query);
            text.push_str(&pairs.finish());
        }
        if text.len() > REQUEST_TARGET_BYTES_MAX {
            return Err(JoinError { bytes: text.len() });
        }
        let bytes = text.len();
        PathAndQuery::try_from(text).map_err(|_| JoinError { bytes })
    }
}

/// The host of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetHost<'a> {
    /// An address, written so.
    Ip(IpAddr),
    /// A name, in lower case and in its ASCII form; perhaps with a final dot.
    Name(&'a str),
}

impl fmt::Display for TargetHost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Why a target was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than [`TARGET_URL_BYTES_MAX`].
    #[error("the URL is {bytes} bytes long, more than {TARGET_URL_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// White space, control characters or backslashes, which URL parsers drop or turn over in silence.
    #[error("the URL holds {found:?}: write it percent-encoded or leave it out")]
    Character {
        /// The first of them.
        found: char,
    },
    /// Another scheme, or none and no bare address.
    #[error("the target must begin with http:// or https://, or be an IP address")]
    Scheme,
    /// No host after the scheme.
    #[error("the URL names no host")]
    NoHost,
    /// A host that is neither an address nor a name of letters, digits, hyphens, underscores and dots.
    #[error("the URL's host is neither a domain name nor an IP address")]
    Host,
    /// Port 0, or none that is a number up to 65535.
    #[error("the URL's port must be a number from 1 to 65535")]
    Port,
    /// User name or password.
    #[error("the URL holds a user name or password: put credentials into `headers`, as `Authorization`")]
    Credentials,
    /// A fragment, which is never sent.
    #[error("the URL has a fragment (`#…`), which is never sent: leave it out")]
    Fragment,
    /// A path or query that can not be sent as it stands.
    #[error("the URL's path or query can not be sent as it stands")]
    Path,
    /// Anything else that the URL standard refuses.
    #[error("the URL can not be read: {reason}")]
    Invalid {
        /// The parser's words.
        reason: String,
    },
}

/// A request's path and query are too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("path and query are {bytes} bytes long, more than {REQUEST_TARGET_BYTES_MAX}")]
pub struct JoinError {
    bytes: usize,
}

impl FromStr for TargetUrl {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::parse(text)
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Without the query's values: receivers put secrets there, and what is debugged ends up in logs.
impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetUrl({}{}", self.origin(), self.path())?;
        f.write_str(if self.url.query().is_some() { "?…)" } else { ")" })
    }
}

impl Serialize for TargetUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TargetUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
