//! Receivers: real HTTP servers on loopback that keep what they got.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long anything may take in a test that waits for it. Nothing waits so long unless it has gone wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How many came before it.
    pub number: usize,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16),
    Full(u16, Vec<(&'static str, String)>, Bytes),
    /// Nothing, until the other side has had enough.
    Hang,
    /// That status, once the gate is open.
    Gated(Gate, u16),
}

/// Holds answers back until it is opened.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    pub fn closed() -> Gate {
        Gate(watch::channel(false).0)
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let mut open = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = open.wait_for(|open| *open).await;
    }
}

type Handler = dyn Fn(&Received) -> Reply + Send + Sync;

/// A receiver that runs until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    count: watch::Sender<usize>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Answers 200 to everything.
    pub async fn start() -> Receiver {
        Receiver::answering(|_| Reply::Status(200)).await
    }

    pub async fn answering(handler: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Receiver::on(listener, handler)
    }

    pub fn on(listener: TcpListener, handler: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Receiver {
        let address = listener.local_addr().expect("a bound address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let count = watch::channel(0).0;
        let server = tokio::spawn(serve(listener, Arc::new(handler), received.clone(), count.clone()));
        Receiver {
            address,
            received,
            count,
            server,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no handler panics while it holds the list").clone()
    }

    /// What has come, once there are so many.
    pub async fn wait_for(&self, wanted: usize) -> Vec<Received> {
        let mut count = self.count.subscribe();
        let waited = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= wanted)).await;
        let received = self.received();
        assert!(
            waited.is_ok(),
            "{wanted} requests were expected, {} came: {received:?}",
            received.len()
        );
        received
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, handler: Arc<Handler>, received: Arc<Mutex<Vec<Received>>>, count: watch::Sender<usize>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (handler, received, count) = (handler.clone(), received.clone(), count.clone());
        let service = service_fn(move |request| answer(request, handler.clone(), received.clone(), count.clone()));
        connections.spawn(async move {
            // A client may go away at any time.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    handler: Arc<Handler>,
    received: Arc<Mutex<Vec<Received>>>,
    count: watch::Sender<usize>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let mut got = Received {
        method: head.method.to_string(),
        path,
        headers: head.headers,
        body,
        number: 0,
    };
    let reply = {
        let mut received = received.lock().expect("no handler panics while it holds the list");
        got.number = received.len();
        let reply = handler(&got);
        received.push(got);
        reply
    };
    count.send_modify(|count| *count += 1);
    let (status, headers, body) = match reply {
        Reply::Status(status) => (status, Vec::new(), Bytes::new()),
        Reply::Full(status, headers, body) => (status, headers, body),
        Reply::Gated(gate, status) => {
            gate.passed().await;
            (status, Vec::new(), Bytes::new())
        }
        Reply::Hang => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(body)).expect("a test's answer is valid"))
}
