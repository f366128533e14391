//! One HTTP/2 connection, shared by the requests of its endpoint and driven by a task of the client's.

use std::error::Error;
use std::time::Duration;

use h2::Reason;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor as _;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::h1::RequestBody;
use crate::tasks::Spawner;
use crate::transport::{Ends, Transport};

/// A little more than is read of a response, and room for a number of them.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const HEADERS_BYTES_MAX: u32 = 64 * 1024;

/// A connection that went dead without a word is found while a request waits on it, and ended before most attempts run out of
/// time. An idle one is not asked.
const PING_INTERVAL: Duration = Duration::from_secs(8);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A share in a connection.
#[derive(Clone)]
pub(crate) struct H2 {
    /// Tells the connections of an endpoint apart.
    pub(crate) id: u64,
    pub(crate) sender: SendRequest<RequestBody>,
    pub(crate) ends: Ends,
}

/// A request that got no answer; given back if no receiver has processed it.
pub(crate) struct H2Unanswered {
    pub(crate) unsent: Option<Request<RequestBody>>,
    pub(crate) error: hyper::Error,
}

pub(crate) async fn open(transport: Transport, spawner: &Spawner) -> hyper::Result<SendRequest<RequestBody>> {
    let (sender, connection) = Builder::new(spawner.clone())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(transport))
        .await?;
    spawner.execute(async move {
        // Its errors reach the requests that ran on it.
        let _ = connection.await;
    });
    Ok(sender)
}

impl H2 {
    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, H2Unanswered> {
        // Receivers end HTTP/2 connections in full flight, as a matter of routine (nginx after each 1,000 requests), and say which
        // requests they have not looked at. For these the request is kept; bodies are shared, so it costs a few header values.
        let kept = request.clone();
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut failed) => {
                let returned = failed.take_message();
                let error = failed.into_error();
                let unsent = returned.or_else(|| was_never_processed(&error).then_some(kept));
                Err(H2Unanswered { unsent, error })
            }
        }
    }
}

/// RFC 9113 section 8.7: the stream was refused, or is beyond the last one that the receiver says it took.
fn was_never_processed(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(h2) = cause.downcast_ref::<h2::Error>() {
            let refused = h2.is_reset() && h2.reason() == Some(Reason::REFUSED_STREAM);
            let gone = h2.is_go_away() && h2.reason() == Some(Reason::NO_ERROR);
            return h2.is_remote() && (refused || gone);
        }
        source = cause.source();
    }
    false
}
