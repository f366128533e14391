//! Whom to connect to: what is worked out of a target once, so that an attempt has nothing to parse.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use hookmill_domain::target::{TargetHost, TargetUrl};
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue};
use rustls::pki_types::ServerName;

/// A scheme, a host and a port, on behalf of one organization: connections are shared by equal endpoints, and by no others.
#[derive(Debug)]
pub struct Endpoint {
    organization: u64,
    is_tls: bool,
    host: Host,
    port: u16,
    authority: Authority,
    host_header: HeaderValue,
    server_name: Option<ServerName<'static>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Endpoint {
    /// The endpoint of a target. `organization` is any number that tells organizations apart: none uses another's connections.
    #[must_use]
    pub fn new(organization: u64, target: &TargetUrl) -> Arc<Self> {
        let (host, server_name) = match target.host() {
            TargetHost::Ip(ip) => (Host::Ip(ip), Some(ServerName::from(ip))),
            TargetHost::Name(name) => {
                // RFC 6066 section 3: without the final dot.
                let sent = name.strip_suffix('.').unwrap_or(name).to_owned();
                (Host::Name(name.to_owned()), ServerName::try_from(sent).ok())
            }
        };
        let authority = target.authority();
        Arc::new(Self {
            organization,
            is_tls: target.is_https(),
            host,
            port: target.port(),
            host_header: HeaderValue::from_str(&authority).expect("a target's host and port are printable ASCII"),
            authority: Authority::try_from(authority).expect("a target's host is an address or a plain name"),
            server_name,
        })
    }

    /// A map that begins with `host`, which receivers like to see first, with room for so many others.
    #[must_use]
    pub fn headers(&self, others: usize) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(others + 1);
        headers.insert(HOST, self.host_header.clone());
        headers
    }

    pub(crate) fn organization(&self) -> u64 {
        self.organization
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.is_tls { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// The name or address that a certificate must be for; `None` for a name that no certificate can hold.
    pub(crate) fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }

    fn identity(&self) -> (u64, bool, &Host, u16) {
        (self.organization, self.is_tls, &self.host, self.port)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
