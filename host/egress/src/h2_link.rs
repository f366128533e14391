//! One HTTP/2 connection, shared by the requests of its endpoint and driven by a task of the client's.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING, USER_AGENT};
use http::{Request, Response, Uri, Version, uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor as _;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::client::Outgoing;
use crate::endpoint::Endpoint;
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

/// A request's body: there before the request begins, sent with its length.
pub(crate) type RequestBody = Full<Bytes>;

/// A share in a connection.
#[derive(Clone)]
pub(crate) struct H2 {
    /// Tells the connections of an endpoint apart.
    pub(crate) id: u64,
    pub(crate) sender: SendRequest<RequestBody>,
    pub(crate) ends: Ends,
}

/// A request that got no answer.
pub(crate) struct H2Unanswered {
    /// No receiver has processed it.
    pub(crate) is_unsent: bool,
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
    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        endpoint: &Endpoint,
        outgoing: &Outgoing,
        user_agent: &HeaderValue,
    ) -> Result<Response<Incoming>, H2Unanswered> {
        match self.sender.try_send_request(request(endpoint, outgoing, user_agent)).await {
            Ok(response) => Ok(response),
            Err(mut failed) => {
                let was_returned = failed.take_message().is_some();
                let error = failed.into_error();
                // Receivers end HTTP/2 connections in full flight, as a matter of routine (nginx after each 1,000 requests), and say which
                // requests they have not looked at.
                let is_unsent = was_returned || was_never_processed(&error);
                Err(H2Unanswered { is_unsent, error })
            }
        }
    }
}

/// The request as HTTP/2 has it: all that addresses it is in the URI, and there is no `host` (RFC 9113 section 8.3.1).
fn request(endpoint: &Endpoint, outgoing: &Outgoing, user_agent: &HeaderValue) -> Request<RequestBody> {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(endpoint.scheme());
    parts.authority = Some(endpoint.authority().clone());
    parts.path_and_query = Some(outgoing.path_and_query.clone());
    let mut request = Request::new(Full::new(outgoing.body.clone()));
    *request.method_mut() = outgoing.method.clone();
    *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path are all there");
    *request.version_mut() = Version::HTTP_2;
    let mut headers = outgoing.headers.clone();
    for of_connection in [HOST, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(of_connection);
    }
    if outgoing.body.is_empty() {
        // Of a body that is there hyper writes the length; of none it writes nothing, which some receivers refuse.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers.entry(USER_AGENT).or_insert_with(|| user_agent.clone());
    *request.headers_mut() = headers;
    request
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
