//! The house's own listeners, which no request may reach, whatever a policy allows.

use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock};

#[derive(Default)]
pub(crate) struct OwnListeners(RwLock<Vec<SocketAddr>>);

impl OwnListeners {
    pub(crate) fn set(&self, listeners: Vec<SocketAddr>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = listeners;
    }

    /// Whether dialling `remote` reaches one of them. A listener on all addresses is reached by any address of this host: loopback
    /// and the unspecified one at once, others once `local` is known, since who dials itself has the same address at both ends.
    pub(crate) fn are_reached_by(&self, remote: SocketAddr, local: Option<IpAddr>) -> bool {
        let remote_ip = remote.ip().to_canonical();
        let is_this_host =
            remote_ip.is_loopback() || remote_ip.is_unspecified() || local.is_some_and(|local| local.to_canonical() == remote_ip);
        let reaches = |listener: &SocketAddr| {
            let ip = listener.ip().to_canonical();
            listener.port() == remote.port() && (ip == remote_ip || remote_ip.is_unspecified() || (ip.is_unspecified() && is_this_host))
        };
        let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().any(reaches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(listener: &str, remote: &str, local: Option<&str>) -> bool {
        let listeners = OwnListeners::default();
        listeners.set(vec![listener.parse().expect("an address")]);
        let local = local.map(|ip| ip.parse().expect("an address"));
        listeners.are_reached_by(remote.parse().expect("an address"), local)
    }

    #[test]
    fn by_address_and_port() {
        assert!(reached("127.0.0.1:8080", "127.0.0.1:8080", None));
        assert!(reached("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", None));
        assert!(reached("127.0.0.1:8080", "0.0.0.0:8080", None));
        assert!(!reached("127.0.0.1:8080", "127.0.0.1:8081", None));
        assert!(!reached("127.0.0.1:8080", "127.0.0.2:8080", None));
        assert!(!reached("127.0.0.1:8080", "192.0.2.1:8080", None));
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_each_of_them() {
        for listener in ["0.0.0.0:8080", "[::]:8080"] {
            assert!(reached(listener, "127.0.0.1:8080", None));
            assert!(reached(listener, "127.8.8.8:8080", None));
            assert!(reached(listener, "[::1]:8080", None));
            assert!(reached(listener, "0.0.0.0:8080", None));
            assert!(reached(listener, "192.168.0.5:8080", Some("192.168.0.5")));
            assert!(!reached(listener, "192.168.0.5:8080", Some("192.168.0.6")));
            assert!(!reached(listener, "192.168.0.5:8080", None));
            assert!(!reached(listener, "127.0.0.1:80", None));
        }
    }
}
