//! IP addresses judged by what they mean.
//!
//! In comes an address as it would be dialled, out goes leave to dial it or the class that forbids it. Forms that carry an
//! IPv4 address inside (mapped, compatible, translated, NAT64, 6to4, Teredo) are judged as the address inside. By default
//! only global unicast may be dialled; an [`AddressPolicy`] opens more, network by network.
//!
//! Nothing here resolves a name or opens a socket, and nothing here decides by the spelling of an address: who has text
//! parses it first, as WHATWG URLs do (see [`crate::target::TargetUrl`]).

mod class;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

pub use class::AddressClass;

/// What an operator opened: the networks beside global unicast that may be dialled.
///
/// The default opens nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allowed: Vec<Allow>,
}

impl AddressPolicy {
    /// A policy that opens exactly these networks.
    #[must_use]
    pub fn new(allowed: Vec<Allow>) -> Self {
        Self { allowed }
    }

    /// Reads each entry as [`Allow`] does.
    ///
    /// # Errors
    /// The first entry that is neither a network nor a known name.
    pub fn parse<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Result<Self, AllowError> {
        let allowed = entries.into_iter().map(|entry| entry.as_ref().parse()).collect::<Result<_, _>>()?;
        Ok(Self { allowed })
    }

    /// This policy and what `other` opens besides: the host's with one organization's.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut allowed = self.allowed.clone();
        for allow in &other.allowed {
            if !allowed.contains(allow) {
                allowed.push(*allow);
            }
        }
        Self { allowed }
    }

    /// What is opened.
    #[must_use]
    pub fn allowed(&self) -> &[Allow] {
        &self.allowed
    }

    /// Whether `ip` may be dialled.
    ///
    /// The allow-list is matched against what the address means, so `127.0.0.0/8` opens `::ffff:127.0.0.1` too. An address
    /// that carries two (Teredo: server and client) needs leave for both.
    ///
    /// # Errors
    /// [`Refused`], with the class that forbids it.
    pub fn judge(&self, ip: IpAddr) -> Result<(), Refused> {
        for meant in class::meanings(ip).into_iter().flatten() {
            let Some(class) = class::classify(meant) else {
                continue;
            };
            if !self.allowed.iter().any(|allow| allow.covers(meant, class)) {
                return Err(Refused { ip, meant, class });
            }
        }
        Ok(())
    }
}

/// One opened network: a CIDR (`10.0.0.0/8`, or a single address), `loopback` or `private`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Every address of the network, whatever its class: who writes a network out means all of it.
    Net(IpNet),
    /// `loopback`: 127.0.0.0/8 and ::1, so that `localhost` works.
    Loopback,
    /// `private`: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918) and fc00::/7 (RFC 4193), but none of the cloud
    /// metadata addresses among them.
    Private,
}

impl Allow {
    fn covers(self, meant: IpAddr, class: AddressClass) -> bool {
        match self {
            Self::Net(net) => net.contains(&meant),
            Self::Loopback => class == AddressClass::Loopback,
            Self::Private => class == AddressClass::Private,
        }
    }
}

impl FromStr for Allow {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        match text {
            "loopback" => return Ok(Self::Loopback),
            "private" => return Ok(Self::Private),
            _ => {}
        }
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        text.parse::<IpAddr>()
            .map(|ip| Self::Net(ip.into()))
            .map_err(|_| AllowError { text: text.into() })
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Loopback => f.write_str("loopback"),
            Self::Private => f.write_str("private"),
        }
    }
}

/// An entry of an allow-list that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither a network (10.0.0.0/8), an address, `loopback` nor `private`")]
pub struct AllowError {
    text: String,
}

/// An address that may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The address as it would be dialled.
    pub ip: IpAddr,
    /// What it means: itself, or the address carried inside.
    pub meant: IpAddr,
    /// What `meant` is.
    pub class: AddressClass,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        if self.ip == self.meant {
            write!(f, " is {}", self.class.phrase())
        } else {
            write!(f, " stands for {}, {}", self.meant, self.class.phrase())
        }
    }
}

#[cfg(test)]
mod tests;
