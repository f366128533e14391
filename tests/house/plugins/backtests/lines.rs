//! The answer of a backtest: all of it, or line by line while it comes.

use std::collections::VecDeque;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::parts::client::{Answer, Client};
use crate::parts::receiver::PATIENCE;

/// The summary of a whole answer, which is its last line.
#[track_caller]
pub(super) fn summary(answer: &Answer) -> Value {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{body}");
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let last = body.lines().last().unwrap_or_default();
    let mut line: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert!(line["summary"].is_object(), "{body}");
    line["summary"].take()
}

/// An answer under way. Dropping it closes the connection.
pub(super) struct Stream {
    body: Incoming,
    lines: VecDeque<Value>,
    rest: String,
    connection: JoinHandle<hyper::Result<()>>,
}

impl Stream {
    pub(super) async fn open(client: &Client, path: &str, body: &Value) -> Stream {
        let stream = TcpStream::connect(client.address).await.expect("the host is there");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        let connection = tokio::spawn(connection);
        let request = Request::post(path)
            .header("host", client.address.to_string())
            .header("authorization", format!("Bearer {}", client.key))
            .header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_string()))).expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        Stream {
            body: answer.into_body(),
            lines: VecDeque::new(),
            rest: String::new(),
            connection,
        }
    }

    /// The next line; `None`: it has ended as it should.
    pub(super) async fn line(&mut self) -> Option<Value> {
        while self.lines.is_empty() {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.expect("something is said before long")?.expect("it is not cut off");
            let data = frame.into_data().expect("there are no trailers");
            self.rest.push_str(std::str::from_utf8(&data).expect("lines come whole"));
            while let Some((line, rest)) = self.rest.split_once('\n') {
                self.lines.push_back(serde_json::from_str(line).expect("JSON"));
                self.rest = rest.to_owned();
            }
        }
        self.lines.pop_front()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
