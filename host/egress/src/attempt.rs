//! One attempt: a connection, a request, an answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hookmill_domain::address::AddressPolicy;
use http::header::{CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::answer::{BodyEnd, ReadBody, Response, read_body};
use crate::client::{Client, Outgoing};
use crate::endpoint::Endpoint;
use crate::failure::{Failure, FailureCode};
use crate::h1::{H1, RequestBody};
use crate::h2_link;
use crate::link::{Link, Unanswered};
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
        let (answer, mut link) = self.open(outgoing).await?;
        let (head, body) = answer.into_parts();
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
            self.give_back(link, &head.headers, ended);
        }
        let retry_after = retry_after::read(&head.headers, self.wall_seconds, config.retry_after_max);
        Ok(Response {
            status: head.status,
            retry_after,
            body: kept,
            body_is_cut: is_cut,
            body_end: end,
        })
    }

    /// Sends the request and waits for the head of its response.
    pub(crate) async fn open(&mut self, outgoing: Outgoing) -> Result<(http::Response<Incoming>, Link), Failure> {
        let request = request(outgoing, &self.client.config.user_agent);
        let deadline = self.deadline;
        let answered = {
            // Pinned where it stands: moving it into the timeout would cost more than the timeout.
            let exchange = pin!(self.exchange(request));
            timeout_at(deadline, exchange).await
        };
        answered.unwrap_or_else(|_| Err(self.out_of_time()))
    }

    /// Sends the request on a pooled connection, or on a new one where there is none or where the pooled one turns out to have
    /// ended before the request was processed.
    async fn exchange(&mut self, mut request: Request<RequestBody>) -> Result<(http::Response<Incoming>, Link), Failure> {
        if let Some(mut link) = self.pooled(self.started) {
            match link.send(&self.endpoint, request).await {
                Ok(answer) => return Ok((answer, link)),
                Err(Unanswered { unsent, failure }) => request = unsent.ok_or(failure)?,
            }
            if let Link::H2(h2) = link {
                self.client.pool.forget(&self.endpoint, h2.id);
            }
        }
        // In a box, so that the future of an attempt, of which there are many at once, need not hold a TLS handshake.
        Box::pin(self.exchange_afresh(request)).await
    }

    async fn exchange_afresh(&mut self, request: Request<RequestBody>) -> Result<(http::Response<Incoming>, Link), Failure> {
        let mut link = self.fresh().await?;
        match link.send(&self.endpoint, request).await {
            Ok(answer) => Ok((answer, link)),
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
                Link::H1(h1) => {
                    h1.settle();
                    judged.is_ok() && h1.is_ready()
                }
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
        let of_opening = |error| Failure::of_exchange(&error);
        let pool = &self.client.pool;
        if connected.is_h2 {
            let opened = h2_link::open(connected.transport, &self.client.spawner).await;
            let sender = opened.map_err(of_opening)?;
            let h2 = pool.share(&self.endpoint, sender, connected.ends, Instant::now());
            return Ok(Link::H2(h2));
        }
        if self.endpoint.is_tls() {
            pool.learn_h1(&self.endpoint);
        }
        let opened = H1::open(connected.transport, connected.ends).await;
        opened.map(Link::H1).map_err(of_opening)
    }

    /// Returns a connection whose exchange is complete to the pool, if it can take another.
    fn give_back(&self, link: Link, headers: &HeaderMap, now: Instant) {
        let Link::H1(mut h1) = link else {
            return;
        };
        if !h1.is_ready() {
            h1.settle();
        }
        let idle_for = idle_hint(headers).unwrap_or(Duration::MAX);
        if !idle_for.is_zero() && h1.is_ready() {
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

/// The request with the headers that are the client's alone to set.
fn request(outgoing: Outgoing, user_agent: &HeaderValue) -> Request<RequestBody> {
    let is_empty = outgoing.body.is_empty();
    let mut request = Request::new(Full::new(outgoing.body));
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = outgoing.path_and_query.into();
    let mut headers = outgoing.headers;
    headers.remove(TRANSFER_ENCODING);
    // Of a body that is there hyper writes the length; of none it writes nothing, which some receivers refuse.
    headers.remove(CONTENT_LENGTH);
    if is_empty {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers.entry(USER_AGENT).or_insert_with(|| user_agent.clone());
    *request.headers_mut() = headers;
    request
}

/// How long the receiver says it keeps an idle connection (`keep-alive: timeout=5`), less a second for the way there, so that
/// no request meets its closing.
fn idle_hint(headers: &HeaderMap) -> Option<Duration> {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    let text = headers.get(KEEP_ALIVE)?.to_str().ok()?;
    let mut fields = text.split(',').map(str::trim);
    let seconds: u64 = fields.find_map(|field| field.strip_prefix("timeout="))?.parse().ok()?;
    Some(Duration::from_secs(seconds.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_say_how_long_they_keep_a_connection() {
        for (text, seconds) in [
            ("timeout=5", Some(4)),
            ("max=100, timeout=60", Some(59)),
            ("timeout=5, max=1000", Some(4)),
            ("timeout=1", Some(0)),
            ("timeout=0", Some(0)),
            ("timeout=99999999999999999999", None),
            ("max=100", None),
            ("timeout=soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", HeaderValue::from_static(text));
            let hint = idle_hint(&headers).map(|hint| hint.as_secs());
            assert_eq!(hint, seconds, "{text}");
        }
    }
}
