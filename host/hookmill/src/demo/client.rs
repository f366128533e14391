//! A client of the API, as anyone could write it: a connection for each call, a key in a header, JSON there and back.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

/// The longest that one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Calls the API with one key.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    key: String,
}

/// What the API answers where it refuses (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Client {
    /// Calls the host at `address`.
    pub(crate) fn new(address: SocketAddr, key: String) -> Client {
        Client { address, key }
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Posts a body of JSON.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: impl Into<Bytes>) -> anyhow::Result<T> {
        self.call(Method::POST, path, body.into()).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<T> {
        let what = format!("{method} {path}");
        let answer = tokio::time::timeout(CALL_TIMEOUT, self.exchange(method, path, body));
        let (status, body) = match answer.await {
            Ok(answer) => answer.with_context(|| what.clone())?,
            Err(_) => anyhow::bail!("{what}: no answer within {} s", CALL_TIMEOUT.as_secs()),
        };
        if !status.is_success() {
            let detail = serde_json::from_slice(&body).map_or_else(|_| "no word why".to_owned(), |problem: Problem| problem.detail);
            anyhow::bail!("{what}: {status}: {detail}");
        }
        serde_json::from_slice(&body).with_context(|| format!("{what}: the answer can not be read"))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its faults come out at the request; it ends when the sender is dropped.
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header("x-api-key", &self.key);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let answer = sender.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        connection.abort();
        let body = body.map_err(|error| anyhow::anyhow!(error))?;
        Ok((status, body.to_bytes()))
    }
}
