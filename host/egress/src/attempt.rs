//! One attempt: a connection, a request, an answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hookmill_domain::address::AddressPolicy;
use tokio::time::{Instant, timeout_at};

use crate::answer::{BodyEnd, ReadBody, Response, ResponseHead, read_body};
use crate::client::{Client, Outgoing};
use crate::endpoint::Endpoint;
use crate::failure::{Failure, FailureCode};
use crate::h1::{H1, Unanswered};
use crate::h2_link;
use crate::link::{Body, Link};
use crate::pool::Turn;
use crate::retry_after;

/// The longest that an attempt may last, whatever its caller says.
const ATTEMPT_TIMEOUT_MAX: Duration = Duration::from_secs(600);

pub(crate) struct Attempt<'a> {
    client: &'a Client,
    endpoint: Arc<Endpoint>,
    policy: Arc<AddressPolicy>,
    timeout: Duration,
    started: Instant,
    deadline: Instant,
    ended: Option<Instant>,
    wall_seconds: i64,
    stage: Stage,
}

/// How far it has come, for what is told when time runs out.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Connecting,
    Waiting { reused_connection: bool },
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(client: &'a Client, outgoing: &Outgoing, started: Instant) -> Self {
        let timeout = outgoing.timeout.unwrap_or(client.config.attempt_timeout);
        let timeout = timeout.min(ATTEMPT_TIMEOUT_MAX);
        Self {
            client,
            endpoint: Arc::clone(&outgoing.endpoint),
            policy: Arc::clone(&outgoing.policy),
            timeout,
            started,
            deadline: started + timeout,
            ended: None,
            wall_seconds: outgoing.wall_seconds,
            stage: Stage::Connecting,
        }
    }

    /// How long it took, or has taken so far.
    pub(crate) fn duration(&self) -> Duration {
        self.ended.unwrap_or_else(Instant::now) - self.started
    }

    pub(crate) fn reused_connection(&self) -> bool {
        let reused_connection = true;
        self.stage == Stage::Waiting { reused_connection }
    }

    pub(crate) async fn run(&mut self, outgoing: Outgoing) -> Result<Response, Failure> {
        let (head, body, mut link) = self.open(outgoing).await?;
        let config = &self.client.config;
        let is_success = head.status.is_success();
        let kept_max = if is_success {
            config.response_kept_bytes_max_of_success
        } else {
            config.response_kept_bytes_max
        };
        let until = || match is_success {
            true => self.deadline.min(Instant::now() + config.success_body_timeout),
            false => self.deadline,
        };
        let read_max = config.response_read_bytes_max;
        let ReadBody { kept, is_cut, end } = read_body(body, &mut link, kept_max, read_max, until).await;
        let ended = Instant::now();
        self.ended = Some(ended);
        if end == BodyEnd::Complete {
            self.give_back(link, head.idle_for, ended);
        }
        let retry_after = head.retry_after.as_deref();
        let retry_after = retry_after.and_then(|field| retry_after::read(field, self.wall_seconds, config.retry_after_max));
        Ok(Response {
            status: head.status,
            retry_after,
            body: kept,
            body_is_cut: is_cut,
            body_end: end,
        })
    }

    /// Sends the request and waits for the head of its response.
    pub(crate) async fn open(&mut self, outgoing: Outgoing) -> Result<(ResponseHead, Body, Link), Failure> {
        let deadline = self.deadline;
        let answered = {
            // Pinned where it stands: moving it into the timeout would cost more than the timeout.
            let exchange = pin!(self.exchange(&outgoing));
            timeout_at(deadline, exchange).await
        };
        answered.unwrap_or_else(|_| Err(self.out_of_time()))
    }

    /// Sends the request on a pooled connection, or on a new one where there is none or where the pooled one turns out to have
    /// ended before the request was processed.
    async fn exchange(&mut self, outgoing: &Outgoing) -> Result<(ResponseHead, Body, Link), Failure> {
        if let Some(mut link) = self.pooled(self.started) {
            match link.send(&self.endpoint, outgoing, &self.client.config.user_agent).await {
                Ok((head, body)) => return Ok((head, body, link)),
                Err(Unanswered { is_unsent: true, .. }) => {}
                Err(Unanswered { failure, .. }) => return Err(failure),
            }
            if let Link::H2(h2) = link {
                self.client.pool.forget(&self.endpoint, h2.id);
            }
        }
        // In a box, so that the future of an attempt, of which there are many at once, need not hold a TLS handshake.
        Box::pin(self.exchange_afresh(outgoing)).await
    }

    async fn exchange_afresh(&mut self, outgoing: &Outgoing) -> Result<(ResponseHead, Body, Link), Failure> {
        let mut link = self.fresh().await?;
        match link.send(&self.endpoint, outgoing, &self.client.config.user_agent).await {
            Ok((head, body)) => Ok((head, body, link)),
            Err(Unanswered { failure, .. }) => Err(failure),
        }
    }

    /// A pooled connection that is alive and still allowed.
    fn pooled(&mut self, now: Instant) -> Option<Link> {
        // Each turn takes one out for good, so the number of turns is bounded by what can be in there.
        for _ in 0..=self.client.config.idle_max_per_target {
            let mut link = self.client.pool.take(&self.endpoint, now)?;
            let ends = link.ends();
            let judged = self.client.connector.judge(&self.policy, ends.remote, Some(ends.local));
            let is_usable = match &mut link {
                Link::H1(h1) => judged.is_ok() && h1.is_still_ready(),
                Link::H2(h2) => {
                    if judged.is_err() {
                        self.client.pool.forget(&self.endpoint, h2.id);
                    }
                    judged.is_ok()
                }
            };
            if is_usable {
                let reused_connection = true;
                self.stage = Stage::Waiting { reused_connection };
                return Some(link);
            }
        }
        None
    }

    /// A new connection, or another attempt's that can be shared.
    async fn fresh(&mut self) -> Result<Link, Failure> {
        self.stage = Stage::Connecting;
        let _others_wait = match self.client.pool.turn(&self.endpoint) {
            Turn::Free => None,
            Turn::First(first) => Some(first),
            Turn::Wait(mut first) => {
                // It never changes: an error says that the one who dialled is done.
                let _ = first.changed().await;
                if let Some(link) = self.pooled(Instant::now()) {
                    return Ok(link);
                }
                None
            }
        };
        let connected = self.client.connector.connect(&self.endpoint, &self.policy, self.deadline).await?;
        let reused_connection = false;
        self.stage = Stage::Waiting { reused_connection };
        let pool = &self.client.pool;
        if connected.is_h2 {
            let opened = h2_link::open(connected.transport, &self.client.spawner).await;
            let sender = opened.map_err(|error| Failure::of_exchange(&error))?;
            let h2 = pool.share(&self.endpoint, sender, connected.ends, Instant::now());
            return Ok(Link::H2(h2));
        }
        if self.endpoint.is_tls() {
            pool.learn_h1(&self.endpoint);
        }
        Ok(Link::H1(H1::new(connected.transport, connected.ends)))
    }

    /// Returns a connection whose exchange is complete to the pool, if it can take another. `idle_for`: so long the receiver keeps it.
    fn give_back(&self, link: Link, idle_for: Option<Duration>, now: Instant) {
        let Link::H1(mut h1) = link else {
            return;
        };
        let idle_for = idle_for.unwrap_or(Duration::MAX);
        if !idle_for.is_zero() && h1.is_ready() {
            h1.shrink();
            self.client.pool.put(&self.endpoint, h1, idle_for, now);
        }
    }

    fn out_of_time(&self) -> Failure {
        let doing = match self.stage {
            Stage::Connecting => "connection",
            Stage::Waiting { .. } => "answer",
        };
        let detail = format!("no {doing} within {} ms", self.timeout.as_millis());
        Failure::new(FailureCode::Timeout, detail)
    }
}
