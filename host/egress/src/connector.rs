//! New connections: resolved, judged, dialled, and wrapped in TLS where the target says so.
//!
//! The address that is judged is the address that is dialled; nothing is resolved twice. One refused address among a name's answers
//! refuses the name, so that a name server can not slip one in beside honest ones.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hookmill_domain::address::AddressPolicy;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::endpoint::{Endpoint, Host};
use crate::failure::{Failure, FailureCode};
use crate::listeners::OwnListeners;
use crate::resolver::Resolver;
use crate::tls;
use crate::transport::{Ends, Transport};

/// How many of a name's addresses are dialled; all of them are judged.
const DIALLED_MAX: u32 = 8;

/// What each address gets at least of the time to connect, so that several silent ones do not starve each other of a round trip.
const DIAL_TIME_MIN: Duration = Duration::from_secs(1);

pub(crate) struct Connector {
    pub(crate) resolver: Resolver,
    pub(crate) listeners: OwnListeners,
    /// Or why there is none: without roots, `http` still works.
    pub(crate) tls: Result<TlsConnector, String>,
    pub(crate) connect_timeout: Duration,
}

/// A connection that stands and on which nothing has been sent.
pub(crate) struct Connected {
    pub(crate) transport: Transport,
    pub(crate) ends: Ends,
    pub(crate) is_h2: bool,
}

impl Connector {
    pub(crate) async fn connect(&self, endpoint: &Endpoint, policy: &AddressPolicy, deadline: Instant) -> Result<Connected, Failure> {
        let deadline = deadline.min(Instant::now() + self.connect_timeout);
        let addresses = self.judged_addresses(endpoint, policy, deadline).await?;
        let (stream, ends) = self.dial_in_turn(&addresses, deadline).await?;
        if !endpoint.is_tls() {
            let transport = Transport::Plain(stream);
            return Ok(Connected {
                transport,
                ends,
                is_h2: false,
            });
        }
        let tls = self
            .tls
            .as_ref()
            .map_err(|reason| Failure::local(FailureCode::Tls, format!("the host can not speak TLS: {reason}")))?;
        let Some(name) = endpoint.server_name() else {
            return Err(Failure::new(FailureCode::Tls, "no certificate can hold the target's name"));
        };
        match timeout_at(deadline, tls.connect(name.clone(), stream)).await {
            Err(_) => Err(Failure::new(FailureCode::Tls, "the handshake did not end in time")),
            Ok(Err(error)) => Err(Failure::of_io(FailureCode::Tls, "handshake", &error)),
            Ok(Ok(stream)) => Ok(Connected {
                is_h2: stream.get_ref().1.alpn_protocol() == Some(tls::ALPN_H2),
                transport: Transport::Tls(Box::new(stream)),
                ends,
            }),
        }
    }

    /// Whether a connection to `remote` may be made or used; `local` is its near end, once there is one.
    pub(crate) fn judge(&self, policy: &AddressPolicy, remote: SocketAddr, local: Option<IpAddr>) -> Result<(), Failure> {
        if let Err(refused) = policy.judge(remote.ip()) {
            return Err(refusal(refused.to_string()));
        }
        if self.listeners.are_reached_by(remote, local) {
            return Err(refusal("the target is a listener of this host itself"));
        }
        Ok(())
    }

    async fn judged_addresses(&self, endpoint: &Endpoint, policy: &AddressPolicy, deadline: Instant) -> Result<Vec<SocketAddr>, Failure> {
        let with_port = |ip: IpAddr| SocketAddr::new(ip, endpoint.port());
        match endpoint.host() {
            Host::Ip(ip) => {
                let address = with_port(*ip);
                self.judge(policy, address, None)?;
                Ok(vec![address])
            }
            Host::Name(name) => {
                let answers = self.resolver.resolve(endpoint.organization(), name, deadline).await?;
                for ip in &answers {
                    // What a name of a private network stands for is not for every organization to read.
                    if let Err(refused) = policy.judge(*ip) {
                        let phrase = refused.class.phrase();
                        return Err(refusal(format!("the name answers with {phrase}")));
                    }
                    self.judge(policy, with_port(*ip), None)?;
                }
                Ok(answers.into_iter().map(with_port).collect())
            }
        }
    }

    /// The first address that takes the connection, each given its share of the time that is left.
    async fn dial_in_turn(&self, addresses: &[SocketAddr], deadline: Instant) -> Result<(TcpStream, Ends), Failure> {
        let mut failure: Option<Failure> = None;
        let mut left = DIALLED_MAX.min(u32::try_from(addresses.len()).unwrap_or(DIALLED_MAX));
        for address in addresses {
            if left == 0 {
                break;
            }
            let now = Instant::now();
            let share = (deadline.saturating_duration_since(now) / left).max(DIAL_TIME_MIN);
            left -= 1;
            match self.dial(*address, deadline.min(now + share)).await {
                Ok(connected) => return Ok(connected),
                // A refusal ends it. Of the others the last is told, but one that counts before one of the host's own.
                Err(refused) if refused.code == FailureCode::EgressRefused => return Err(refused),
                Err(next) if next.local_fault && failure.is_some() => {}
                Err(next) => failure = Some(next),
            }
        }
        Err(failure.unwrap_or_else(|| Failure::new(FailureCode::Dns, "the name has no addresses")))
    }

    async fn dial(&self, address: SocketAddr, deadline: Instant) -> Result<(TcpStream, Ends), Failure> {
        let stream = timeout_at(deadline, TcpStream::connect(address))
            .await
            .map_err(|_| {
                let detail = format!("{address}: no connection in time");
                Failure::new(FailureCode::Connect, detail)
            })?
            .map_err(|error| Failure::of_dialling(address, &error))?;
        let of_stream = |error| Failure::of_dialling(address, &error);
        let local = stream.local_addr().map_err(of_stream)?.ip();
        if self.listeners.are_reached_by(address, Some(local)) {
            return Err(refusal("the target is a listener of this host itself"));
        }
        stream.set_nodelay(true).map_err(of_stream)?;
        let remote = address;
        Ok((stream, Ends { remote, local }))
    }
}

fn refusal(detail: impl Into<String>) -> Failure {
    Failure::new(FailureCode::EgressRefused, detail)
}
