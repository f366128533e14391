//! Why an attempt got no answer, and whose fault it was.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// Details are for people; what is longer is cut.
const DETAIL_BYTES_MAX: usize = 512;

/// An attempt that got no status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where it failed, for records and metrics.
    pub code: FailureCode,
    /// What happened, for people: one line, at most 512 bytes. It may carry words of the receiver's and never an address
    /// that a name of a private network stands for.
    pub detail: String,
    /// It was the host's own fault (no file descriptors, no memory, no ports, no root certificates): the attempt does not count.
    pub local_fault: bool,
}

/// Where an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The policy does not allow the address, or it is a listener of the house itself. Nothing was sent.
    EgressRefused,
    /// The name could not be resolved in time.
    Dns,
    /// No address could be connected to in time.
    Connect,
    /// The TLS handshake failed, ran out of time, or the certificate is not trusted.
    Tls,
    /// The attempt's time ran out before a status line.
    Timeout,
    /// The connection ended before a status line.
    Reset,
    /// What came back is not HTTP.
    Protocol,
}

impl FailureCode {
    /// The code as one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EgressRefused => "egress_refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
        }
    }
}

impl Failure {
    pub(crate) fn new(code: FailureCode, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if detail.len() > DETAIL_BYTES_MAX {
            detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
        }
        Self {
            code,
            detail,
            local_fault: false,
        }
    }

    pub(crate) fn local(code: FailureCode, detail: impl Into<String>) -> Self {
        Self {
            local_fault: true,
            ..Self::new(code, detail)
        }
    }

    /// Of a system call. `EADDRNOTAVAIL` is not judged here, since it means two things: see [`Failure::of_dialling`].
    pub(crate) fn of_io(code: FailureCode, prefix: &str, error: &io::Error) -> Self {
        Self {
            local_fault: is_local(error),
            ..Self::new(code, format!("{prefix}: {}", chain(error)))
        }
    }

    /// Of dialling one address. No free port left shows as `EADDRNOTAVAIL`; over IPv6 the same number tells that this host has no
    /// address to dial from, which waiting does not cure.
    pub(crate) fn of_dialling(address: std::net::SocketAddr, error: &io::Error) -> Self {
        let no_port = address.is_ipv4() && error.kind() == ErrorKind::AddrNotAvailable;
        let mut failure = Self::of_io(FailureCode::Connect, &address.to_string(), error);
        failure.local_fault |= no_port;
        failure
    }

    /// Of reading or writing on a connection that stands.
    pub(crate) fn of_connection(prefix: &str, error: &io::Error) -> Self {
        Self::of_io(code_of_io(error), prefix, error)
    }

    /// Of an exchange over HTTP/2, on a connection that stands.
    pub(crate) fn of_exchange(error: &hyper::Error) -> Self {
        let mut code = if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            FailureCode::Reset
        } else if error.is_timeout() {
            FailureCode::Timeout
        } else {
            FailureCode::Protocol
        };
        let mut local_fault = false;
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                local_fault |= is_local(io);
                code = code_of_io(io);
            } else if let Some(h2) = cause.downcast_ref::<h2::Error>()
                && h2.is_remote()
                && (h2.is_reset() || h2.is_go_away())
            {
                code = FailureCode::Reset;
            }
            source = cause.source();
        }
        Self {
            local_fault,
            ..Self::new(code, chain(error))
        }
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl Error for Failure {}

/// Whether the system refused because the host ran out of something.
fn is_local(error: &io::Error) -> bool {
    let ran_out = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error.kind() == ErrorKind::OutOfMemory || ran_out.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn code_of_io(error: &io::Error) -> FailureCode {
    let is_tls = |inner: &(dyn Error + Send + Sync + 'static)| inner.is::<rustls::Error>();
    if error.get_ref().is_some_and(is_tls) {
        return FailureCode::Tls;
    }
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput => FailureCode::Protocol,
        ErrorKind::TimedOut => FailureCode::Timeout,
        _ => FailureCode::Reset,
    }
}

/// An error and its causes in one line, each said once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let step = cause.to_string();
        if !text.ends_with(&step) {
            text.push_str(": ");
            text.push_str(&step);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_faults_are_told_apart() {
        let dialling = |address: &str, errno: Errno| {
            let address = address.parse().expect("an address");
            Failure::of_dialling(address, &errno.into()).local_fault
        };
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS] {
            assert!(dialling("192.0.2.1:80", errno), "{errno:?}");
            assert!(dialling("[2001:db8::1]:80", errno), "{errno:?}");
        }
        assert!(dialling("192.0.2.1:80", Errno::ADDRNOTAVAIL));
        assert!(!dialling("[2001:db8::1]:80", Errno::ADDRNOTAVAIL));
        for errno in [
            Errno::CONNREFUSED,
            Errno::CONNRESET,
            Errno::TIMEDOUT,
            Errno::HOSTUNREACH,
            Errno::NETUNREACH,
            Errno::ACCESS,
        ] {
            assert!(!dialling("192.0.2.1:80", errno), "{errno:?}");
        }
    }

    #[test]
    fn details_are_cut_between_characters() {
        let failure = Failure::new(FailureCode::Dns, "ü".repeat(DETAIL_BYTES_MAX));
        assert_eq!(failure.detail.len(), DETAIL_BYTES_MAX);
        let odd = Failure::new(FailureCode::Dns, format!("a{}", "ü".repeat(400)));
        assert_eq!(odd.detail.len(), DETAIL_BYTES_MAX - 1);
    }
}
