//! Sending: each attempt by the integration as it is now, signed anew; then what became of it is recorded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmill_domain::integration::{Hold, LiveTarget};
use hookmill_domain::request::Request;
use hookmill_domain::time::Time;
use hookmill_egress::{Answer, BodyEnd, Endpoint, Outgoing, sign};
use hookmill_store::{Attempt, LiveError, Next, Record};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::caches::{Reach, Way};
use crate::echo::masked;
use crate::guard::EndOnPanic;
use crate::lanes::{AttemptEnded, Pace, Rung, Sending, Stage};
use crate::river::Inner;

/// How long a delivery waits after a fault of the host's own, which uses up no attempt.
const OWN_FAULT_WAIT_MS: u64 = 1_000;

/// Keeps as many workers standing as there have been deliveries at once, and ends when the river stops and they have.
pub(crate) async fn send_deliveries(inner: Arc<Inner>) {
    let _guard = EndOnPanic("the task that keeps the workers");
    let workers_max = inner.limits.delivery.in_flight_max as usize;
    let mut workers = JoinSet::new();
    let mut stop = inner.stop.subscribe();
    while !*stop.borrow_and_update() {
        tokio::select! {
            () = inner.lanes.no_worker.notified() => {
                if workers.len() < workers_max {
                    workers.spawn(work(inner.clone()));
                }
            }
            Some(_) = workers.join_next() => {}
            _ = stop.changed() => {}
        }
    }
    // An attempt under way ends by itself, or with the grace period, when this task is aborted and its workers with it.
    while workers.join_next().await.is_some() {}
}

async fn work(inner: Arc<Inner>) {
    let _guard = EndOnPanic("a worker");
    loop {
        let mut next = inner.lanes.next_sending(|_, _| {});
        while let Some(sending) = next {
            next = deliver(&inner, sending).await;
        }
        if inner.lanes.worker_is_rung().await == Rung::End {
            return;
        }
    }
}

/// What came of a delivery's turn.
struct Turn {
    attempt: Option<Attempt>,
    counted: u32,
    next: Next,
    /// What it tells of its target.
    pace: Pace,
    /// As of that version of the integration its target is gone or was removed.
    absent: Option<i64>,
}

/// One delivery's turn. Gives the next delivery, if there is one.
async fn deliver(inner: &Arc<Inner>, sending: Sending) -> Option<Sending> {
    let Turn {
        attempt,
        counted,
        next,
        pace,
        absent,
    } = turn(inner, &sending).await;
    let target = match sending.stage {
        Stage::First { .. } => sending.request.target.as_ref().map(ToString::to_string),
        Stage::Again { .. } => None,
    };
    // What has been sent is freed after the lock.
    let mut spent = None;
    let next_sending = inner.lanes.next_sending(|yard, after| {
        let AttemptEnded { row, held } = yard.attempt_ended(&sending, pace, absent, after);
        // The integration was changed meanwhile: it is asked again at once.
        let next = match absent {
            Some(_) if !held => Next::Waiting(inner.clock.now()),
            _ => next,
        };
        let Sending {
            delivery, stage, request, ..
        } = sending;
        let record = match stage {
            Stage::First { facts, digest } => Record::First {
                delivery,
                facts,
                target,
                digest,
                attempt,
                next,
                request: match next {
                    Next::Delivered => {
                        spent = Some(request);
                        None
                    }
                    _ => Some(Box::new(request)),
                },
                last: row.last,
                queued: row.queued,
            },
            Stage::Again { was_due, .. } => {
                spent = Some(request);
                Record::Again {
                    delivery,
                    was_due,
                    attempt,
                    counted,
                    next,
                }
            }
        };
        after.records.push(record);
    });
    drop(spent);
    inner.lanes.ended.notify_waiters();
    next_sending
}

async fn turn(inner: &Arc<Inner>, sending: &Sending) -> Turn {
    let (attempts, counted) = match sending.stage {
        Stage::First { .. } => (0, 0),
        Stage::Again { attempts, counted, .. } => (attempts, counted),
    };
    let now = inner.clock.now();
    let not_made = |next| Turn {
        attempt: None,
        counted,
        next,
        pace: Pace::Unknown,
        absent: None,
    };
    if now.since_millis(sending.delivery.run.event.time()) > inner.limits.delivery.age_ms_max {
        return not_made(Next::Expired);
    }
    let reach = match inner.caches.reach(sending.delivery.run.integration).await {
        Ok(reach) => reach,
        Err(LiveError::NotFound) => return not_made(Next::Waiting(now)),
        Err(failure) => {
            warn!(delivery = %sending.id, error = %failure, "an integration can not be read; its delivery waits");
            return not_made(Next::Waiting(now.plus_millis(OWN_FAULT_WAIT_MS)));
        }
    };
    match reach.live.hold {
        None => {}
        // The lane is not served while it lasts; the store tells what a deletion makes of it.
        Some(Hold::Paused | Hold::Disabled | Hold::Deleted) => return not_made(Next::Waiting(now)),
    }
    let Some((target, way)) = reach.target(sending.target()).filter(|(target, _)| !target.gone) else {
        return Turn {
            absent: Some(reach.live.version),
            ..not_made(Next::Held)
        };
    };
    let outgoing = match outgoing(inner, &reach, target, way, sending) {
        Ok(outgoing) => outgoing,
        Err(detail) => return judged(inner, &reach, sending, attempts, counted, failed("request", detail)).await,
    };
    let answer = inner.client.send(outgoing).await;
    if answer.is_local_fault() {
        let detail = answer
            .result
            .as_ref()
            .err()
            .map(|failure| failure.detail.clone())
            .unwrap_or_default();
        warn!(delivery = %sending.id, detail, "the host could not make an attempt; it is not counted");
        return not_made(Next::Waiting(inner.clock.now().plus_millis(OWN_FAULT_WAIT_MS)));
    }
    let mut ended = read(answer);
    ended.response = masked(ended.response, &target.headers);
    judged(inner, &reach, sending, attempts, counted, ended).await
}

/// What an attempt came to, before the schedule is asked.
struct Ended {
    duration_us: u64,
    status: Option<u16>,
    code: Option<&'static str>,
    detail: Option<String>,
    retry_after: Option<Duration>,
    response: Bytes,
}

fn failed(code: &'static str, detail: String) -> Ended {
    Ended {
        duration_us: 0,
        status: None,
        code: Some(code),
        detail: Some(detail),
        retry_after: None,
        response: Bytes::new(),
    }
}

fn read(answer: Answer) -> Ended {
    let duration_us = answer.duration_us;
    match answer.result {
        Ok(response) => {
            let note = match response.body_end {
                BodyEnd::Complete => None,
                end => Some(format!("the response's body ended with: {}", end.as_str())),
            };
            Ended {
                duration_us,
                status: Some(response.status.as_u16()),
                code: (!response.status.is_success()).then_some("status"),
                detail: note,
                // RFC 9110, section 10.2.3, for the two statuses that it is usual with.
                retry_after: response.retry_after.filter(|_| matches!(response.status.as_u16(), 429 | 503)),
                response: response.body,
            }
        }
        Err(failure) => Ended {
            duration_us,
            ..failed(failure.code.as_str(), failure.detail)
        },
    }
}

async fn judged(inner: &Arc<Inner>, reach: &Reach, sending: &Sending, attempts: u32, counted: u32, ended: Ended) -> Turn {
    let ended_at = inner.clock.now();
    let (number, counted) = (attempts.saturating_add(1), counted.saturating_add(1));
    let timed_out = ended.code == Some("timeout");
    let pace = Pace::of(Duration::from_micros(ended.duration_us), ended.status.is_some(), timed_out);
    let mut absent = None;
    let next = match ended.code {
        None => Next::Delivered,
        // A plugin's own path may be gone without the target being so.
        Some(_) if ended.status == Some(410) && sending.request.path.is_none() && gone(inner, reach, sending).await => {
            absent = Some(reach.live.version);
            Next::Held
        }
        Some(_) => match reach.live.retry.next(counted, ended_at) {
            Some(due) => Next::Waiting(due.max(after(ended_at, ended.retry_after))),
            None => Next::Exhausted,
        },
    };
    let attempt = Attempt {
        number,
        ended_at,
        duration_us: ended.duration_us,
        status: ended.status,
        code: ended.code.map(str::to_owned),
        detail: ended.detail,
        response: ended.response,
    };
    Turn {
        attempt: Some(attempt),
        counted,
        next,
        pace,
        absent,
    }
}

fn after(now: Time, wait: Option<Duration>) -> Time {
    wait.map_or(now, |wait| now.plus_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
}

/// 410 Gone: nothing is sent to the target any more until its integration is changed. Answers whether the target is known to be gone: what is
/// held for one that is not, since its URL has been changed meanwhile or the store could not, would wait for ever.
async fn gone(inner: &Arc<Inner>, reach: &Reach, sending: &Sending) -> bool {
    info!(integration = %reach.live.id, delivery = %sending.id, "the receiver answered 410: its target is disabled");
    let integration = sending.delivery.run.integration;
    let Some((target, _)) = reach.target(sending.target()) else {
        return false;
    };
    let (name, url) = (sending.target().map(str::to_owned), target.url.as_str().to_owned());
    match inner.store.set_target_gone(integration, name, url, inner.clock.now()).await {
        Ok(is_gone) => {
            inner.caches.forget_reach(integration);
            is_gone
        }
        Err(failure) => {
            warn!(integration = %reach.live.id, error = %failure, "a target that is gone could not be disabled");
            false
        }
    }
}

fn outgoing(inner: &Arc<Inner>, reach: &Reach, target: &LiveTarget, way: &Way, sending: &Sending) -> Result<Outgoing, String> {
    let request = &sending.request;
    let endpoint = &way.endpoint;
    let path_and_query = match &way.path_and_query {
        Some(own) if request.path.is_none() && request.query.is_empty() => own.clone(),
        _ => path_and_query(target, request)?,
    };
    let wall_seconds = inner.clock.wall_seconds();
    Ok(Outgoing {
        endpoint: endpoint.clone(),
        path_and_query,
        method: http::Method::from_bytes(request.method.as_str().as_bytes()).map_err(|failure| failure.to_string())?,
        headers: headers(reach, target, endpoint, request, &sending.id.to_string(), wall_seconds)?,
        body: request.body.clone(),
        timeout: reach.live.timeout_ms.map(Duration::from_millis),
        policy: reach.policy.clone(),
        wall_seconds,
    })
}

/// The target's path and query with the request's below and after them. A key that the target has come to set is the target's.
fn path_and_query(target: &LiveTarget, request: &Request) -> Result<PathAndQuery, String> {
    let joined = if request.query.is_empty() {
        target.url.join(request.path.as_deref(), &[])
    } else {
        let own = target.url.query_keys();
        let query: Vec<(String, String)> = request.query.iter().filter(|(key, _)| !own.contains(key)).cloned().collect();
        target.url.join(request.path.as_deref(), &query)
    };
    joined.map_err(|failure| failure.to_string())
}

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// These, and `content-type`.
const OF_THE_HOUSE: usize = 4;

/// The headers of one attempt: the plugin's, then the target's, which win, then the house's.
fn headers(
    reach: &Reach,
    target: &LiveTarget,
    endpoint: &Endpoint,
    request: &Request,
    id: &str,
    wall_seconds: i64,
) -> Result<HeaderMap, String> {
    let value = |text: &str| match text {
        "application/json" => Ok(HeaderValue::from_static("application/json")),
        text => HeaderValue::from_str(text).map_err(|failure| failure.to_string()),
    };
    let mut headers = endpoint.headers(request.headers.len() + target.headers.len() + OF_THE_HOUSE);
    for (name, text) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|failure| failure.to_string())?;
        headers.append(name, value(text)?);
    }
    for (name, value) in &target.headers {
        headers.insert(name.clone(), value.clone());
    }
    headers.insert(http::header::CONTENT_TYPE, value(&request.content_type)?);
    headers.insert(WEBHOOK_ID, value(id)?);
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(wall_seconds));
    headers.insert(WEBHOOK_SIGNATURE, sign(&reach.secrets, id, wall_seconds, &[&request.body]));
    Ok(headers)
}
