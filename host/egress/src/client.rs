//! The client: its configuration, and one attempt from request to answer.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::limits::DeliveryLimits;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use hyper::rt::Executor as _;
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, MissedTickBehavior};

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::connector::Connector;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::listeners::OwnListeners;
use crate::pool::{self, Pool};
use crate::resolver::Resolver;
use crate::stream::Stream;
use crate::tasks::{Spawner, Tasks};
use crate::tls;

/// How often the pool is swept: often enough that a connection which its receiver has closed is not kept for long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What a client may spend, and how it introduces itself.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// For looking up the name, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// For a whole attempt, where the [`Outgoing`] names no other.
    pub attempt_timeout: Duration,
    /// After a 2xx status line, for the rest of the response: what comes later can not change anything.
    pub success_body_timeout: Duration,
    /// Bytes kept of the body of any response but a success.
    pub response_kept_bytes_max: usize,
    /// Bytes kept of the body of a success.
    pub response_kept_bytes_max_of_success: usize,
    /// Bytes read of a body before the connection is dropped. What is kept is never more.
    pub response_read_bytes_max: usize,
    /// The longest wait that `Retry-After` can ask for.
    pub retry_after_max: Duration,
    /// Idle HTTP/1.1 connections of one endpoint.
    pub idle_max_per_target: usize,
    /// Idle HTTP/1.1 connections in all; and as many HTTP/2 connections.
    pub idle_max: usize,
    /// How long a connection is kept unused. Shorter than what common load balancers allow (60 s), so that the client closes first.
    pub idle_timeout: Duration,
    /// Names looked up at once. Each one holds a thread.
    pub lookups_max: usize,
    /// Names looked up at once for one organization, so that hanging name servers of one leave the others' alone.
    pub lookups_max_per_organization: usize,
    /// `user-agent`, where the headers hold none.
    pub user_agent: HeaderValue,
    /// Trusted beside the platform's roots.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Names that are answered from here and never looked up. Their addresses are judged like any other.
    pub fixed_names: HashMap<String, Vec<IpAddr>>,
}

impl ClientConfig {
    /// What the house's limits say, and defaults for the rest.
    #[must_use]
    pub fn new(limits: &DeliveryLimits) -> Self {
        let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            connect_timeout: Duration::from_millis(limits.connect_timeout_ms),
            attempt_timeout: Duration::from_millis(limits.attempt_timeout_ms),
            success_body_timeout: Duration::from_secs(1),
            response_kept_bytes_max: bytes(limits.response_kept_bytes_max),
            response_kept_bytes_max_of_success: bytes(limits.response_kept_bytes_max_of_success),
            response_read_bytes_max: bytes(limits.response_read_bytes_max),
            retry_after_max: Duration::from_millis(limits.retry_after_ms_max),
            idle_max_per_target: 64,
            idle_max: 1024,
            idle_timeout: Duration::from_secs(50),
            lookups_max: 64,
            lookups_max_per_organization: 8,
            user_agent: HeaderValue::from_static("Hookmill/0.1"),
            extra_roots: Vec::new(),
            fixed_names: HashMap::new(),
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self::new(&DeliveryLimits::default())
    }
}

/// One request to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Whom to.
    pub endpoint: Arc<Endpoint>,
    /// Of the request line, as [`hookmill_domain::target::TargetUrl::join`] makes it.
    pub path_and_query: PathAndQuery,
    /// Of the request line.
    pub method: Method,
    /// All headers but those of the client: it sets `host` and `content-length`, and `user-agent` where there is none.
    /// [`Endpoint::headers`] makes a map to begin with.
    pub headers: HeaderMap,
    /// Sent as it is, with its length.
    pub body: Bytes,
    /// For the whole attempt; `None`: the client's.
    pub timeout: Option<Duration>,
    /// Which addresses may be dialled, as it stands now: pooled connections are judged by it, too.
    pub policy: Arc<AddressPolicy>,
    /// The present by the wall clock, for a `Retry-After` that is a date.
    pub wall_seconds: i64,
}

/// Sends requests. One for the whole house; share it by reference or `Arc`.
///
/// Its tasks end when it is dropped; [`Client::close`] also waits for them.
pub struct Client {
    pub(crate) config: ClientConfig,
    pub(crate) connector: Connector,
    pub(crate) pool: Arc<Pool>,
    pub(crate) spawner: Spawner,
    tasks: Tasks,
}

impl Client {
    /// A client without connections. Reads the platform's root certificates; if there are none it says so in the log, `http`
    /// works, and each attempt by `https` is a fault of the host's own.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    #[must_use]
    pub fn new(mut config: ClientConfig) -> Self {
        let tls = tls::connector(std::mem::take(&mut config.extra_roots));
        if let Err(error) = &tls {
            tracing::warn!(%error, "no delivery by https is possible on this host");
        }
        let fixed_names = std::mem::take(&mut config.fixed_names);
        let connector = Connector {
            resolver: Resolver::new(fixed_names, config.lookups_max, config.lookups_max_per_organization),
            listeners: OwnListeners::default(),
            tls: tls.map_err(|error| error.to_string()),
            connect_timeout: config.connect_timeout,
        };
        let pool = Arc::new(Pool::new(pool::Limits {
            idle_max: config.idle_max,
            idle_max_per_target: config.idle_max_per_target,
            idle_timeout: config.idle_timeout,
        }));
        let tasks = Tasks::default();
        let spawner = tasks.spawner();
        spawner.execute(sweep(Arc::downgrade(&pool)));
        Self {
            config,
            connector,
            pool,
            spawner,
            tasks,
        }
    }

    /// Names the house's own listeners, in place of those named before: they are refused, whatever a policy allows. A listener on
    /// all addresses stands for each address of this host.
    pub fn set_own_listeners(&self, listeners: Vec<SocketAddr>) {
        self.connector.listeners.set(listeners);
    }

    /// Whether that address is one of the house's own listeners: no policy opens it.
    pub fn is_own_listener(&self, address: SocketAddr) -> bool {
        self.connector.listeners.are_reached_by(address, None)
    }

    /// One attempt: sends the request and reads the answer. Dropping the future ends the attempt.
    pub async fn send(&self, outgoing: Outgoing) -> Answer {
        let mut attempt = Attempt::new(self, &outgoing, Instant::now());
        let result = attempt.run(outgoing).await;
        Answer {
            result,
            duration_us: u64::try_from(attempt.duration().as_micros()).unwrap_or(u64::MAX),
            reused_connection: attempt.reused_connection(),
        }
    }

    /// The same for a response that is long in coming: its body is read piece by piece, by a caller who has their own patience and measure.
    /// The outgoing's timeout ends with the response's head.
    pub async fn open(&self, outgoing: Outgoing) -> Result<Stream, Failure> {
        let mut attempt = Attempt::new(self, &outgoing, Instant::now());
        let (head, body, link) = attempt.open(outgoing).await?;
        Ok(Stream::new(head.status, body, link))
    }

    /// Drops all connections and ends all tasks. Requests under way over HTTP/2 fail, others end by themselves; call it when none
    /// is under way. Later requests dial anew and leave nothing behind.
    pub async fn close(&self) {
        self.pool.close();
        self.tasks.close().await;
    }
}

async fn sweep(pool: Weak<Pool>) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        match pool.upgrade() {
            Some(pool) => pool.sweep(now),
            None => return,
        }
    }
}
