//! A receiver as a customer would run it, on loopback: it verifies each request's signature by the published library and the header that the
//! integration promised, refuses what does not hold (401), and takes the rest. What came is told to the demonstration.
//!
//! It answers without waiting for anybody: what nobody takes note of is not told.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use super::plan::Door;

/// The most connections at once; the host opens fewer.
const CONNECTIONS_MAX: usize = 1024;
/// The longest body: an event's, and the frame around it.
const BODY_BYTES_MAX: usize = 17 * 1024 * 1024;
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The most arrivals that wait to be taken note of.
const ARRIVALS_MAX: usize = 256;
/// The pause after a connection that could not be accepted: there may be no room for it yet.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a refused request is told.
const REFUSAL: &str = "down for a moment, try again";

/// One request that came.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// The path of the door.
    pub(crate) path: &'static str,
    /// Its `webhook-id`.
    pub(crate) id: String,
    /// When it was answered.
    pub(crate) at: Instant,
    /// What it was answered.
    pub(crate) status: StatusCode,
    /// Why its signature does not hold, if it does not.
    pub(crate) signature_fault: Option<String>,
    /// Whether it carries the header that was promised.
    pub(crate) is_authorized: bool,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Arrival {
    /// Whether it was taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.status.is_success()
    }
}

/// The receiver. Dropping it ends it.
pub(crate) struct Receiver {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    arrivals: mpsc::Receiver<Arrival>,
    serving: JoinHandle<()>,
}

struct Shared {
    guards: Mutex<HashMap<&'static str, Arc<Guard>>>,
    arrivals: mpsc::Sender<Arrival>,
}

/// Who stands behind a door.
struct Guard {
    door: &'static Door,
    secret: Webhook,
    refused: AtomicU32,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1. All doors are shut until [`Receiver::open_door`].
    pub(crate) async fn start() -> anyhow::Result<Receiver> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("the receiver can not listen on 127.0.0.1")?;
        let address = listener.local_addr().context("the receiver has no address")?;
        let (sender, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let shared = Arc::new(Shared {
            guards: Mutex::default(),
            arrivals: sender,
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Receiver {
            address,
            shared,
            arrivals,
            serving,
        })
    }

    /// Takes requests at a door from now on, signed with `secret` (`whsec_…`).
    pub(crate) fn open_door(&self, door: &'static Door, secret: &str) -> anyhow::Result<()> {
        let guard = Guard {
            door,
            secret: Webhook::new(secret).context("the integration's secret can not be read")?,
            refused: AtomicU32::new(0),
        };
        let mut guards = self.shared.guards.lock().unwrap_or_else(PoisonError::into_inner);
        guards.insert(door.path, Arc::new(guard));
        Ok(())
    }

    /// The next request that comes. Cancelling it loses none.
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // They end with this task.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| async { Ok::<_, std::convert::Infallible>(shared.answer(request).await) });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // A connection that breaks is told by what did not arrive.
            drop(served.await);
            drop(place);
        });
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let guard = {
            let guards = self.guards.lock().unwrap_or_else(PoisonError::into_inner);
            guards.get(parts.uri.path()).cloned()
        };
        let Some(guard) = guard else {
            return told(StatusCode::NOT_FOUND, "there is nobody here");
        };
        let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            _ => return told(StatusCode::BAD_REQUEST, "the body can not be read"),
        };
        let arrival = guard.judge(&parts.headers, body);
        let answer = match arrival.status {
            StatusCode::OK => told(arrival.status, "taken"),
            StatusCode::SERVICE_UNAVAILABLE => told(arrival.status, REFUSAL),
            other => told(other, "signature or authorization does not hold"),
        };
        // A full queue means that nobody looks.
        drop(self.arrivals.try_send(arrival));
        answer
    }
}

impl Guard {
    fn judge(&self, headers: &HeaderMap, body: Bytes) -> Arrival {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let signature_fault = self.secret.verify(&body, headers).err().map(|fault| fault.to_string());
        let is_authorized = text(header::AUTHORIZATION.as_str()) == self.door.authorization;
        let status = if signature_fault.is_some() || !is_authorized {
            StatusCode::UNAUTHORIZED
        } else if self.refuses() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        Arrival {
            path: self.door.path,
            id: text(HEADER_WEBHOOK_ID).to_owned(),
            at: Instant::now(),
            status,
            signature_fault,
            is_authorized,
            body,
        }
    }

    /// Whether one more is refused; counted.
    fn refuses(&self) -> bool {
        let one_more = |refused: u32| (refused < self.door.refusals).then_some(refused + 1);
        self.refused.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }
}

fn told(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use http::HeaderValue;
    use standardwebhooks::{HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    static DOOR: Door = Door {
        path: "/a",
        authorization: "Bearer abc",
        refusals: 1,
    };

    fn guard() -> Guard {
        Guard {
            door: &DOOR,
            secret: Webhook::new(SECRET).expect("a secret"),
            refused: AtomicU32::new(0),
        }
    }

    fn signed(body: &str) -> HeaderMap {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let now = i64::try_from(now).expect("before the year 292 billion");
        let signature = Webhook::new(SECRET).and_then(|secret| secret.sign("dlv_1", now, body.as_bytes()));
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_WEBHOOK_ID, HeaderValue::from_static("dlv_1"));
        headers.insert(HEADER_WEBHOOK_TIMESTAMP, HeaderValue::from(now));
        headers.insert(HEADER_WEBHOOK_SIGNATURE, signature.expect("signed").parse().expect("a header"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        headers
    }

    #[test]
    fn what_holds_is_refused_as_often_as_the_door_says_and_then_taken() {
        let guard = guard();
        let status = || guard.judge(&signed("{}"), Bytes::from_static(b"{}")).status.as_u16();
        assert_eq!([status(), status(), status()], [503, 200, 200]);
    }

    #[test]
    fn what_does_not_hold_is_told() {
        let guard = guard();
        let other_body = guard.judge(&signed("{}"), Bytes::from_static(b"{ }"));
        assert_eq!(other_body.status, StatusCode::UNAUTHORIZED);
        assert!(other_body.signature_fault.is_some() && other_body.is_authorized);
        let mut headers = signed("{}");
        headers.remove(header::AUTHORIZATION);
        let nobody = guard.judge(&headers, Bytes::from_static(b"{}"));
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
        assert!(nobody.signature_fault.is_none() && !nobody.is_authorized);
    }
}
