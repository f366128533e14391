//! What came back, and how much of it is read.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::failure::Failure;
use crate::link::Link;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// A response, whatever its status, or why there is none.
    pub result: Result<Response, Failure>,
    /// From the call of [`crate::Client::send`] until this answer, in microseconds.
    pub duration_us: u64,
    /// The request went out on a connection that had served another before it.
    pub reused_connection: bool,
}

impl Answer {
    /// A 2xx status line came back.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(&self.result, Ok(response) if response.status.is_success())
    }

    /// The host itself was at fault, so that the attempt does not count.
    #[must_use]
    pub fn is_local_fault(&self) -> bool {
        matches!(&self.result, Err(failure) if failure.local_fault)
    }
}

/// A response: its status line came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Of the status line. Redirects are answers like any other.
    pub status: StatusCode,
    /// What `Retry-After` asks for, at most [`crate::ClientConfig::retry_after_max`].
    pub retry_after: Option<Duration>,
    /// The first bytes of the body, as they were sent.
    pub body: Bytes,
    /// The body was longer than what is kept of it, or was cut.
    pub body_is_cut: bool,
    /// How reading the body ended.
    pub body_end: BodyEnd,
}

/// How reading a body ended. None of it changes what the status line said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// It was read to its end.
    Complete,
    /// It is longer than is read of any; the connection was dropped.
    TooLong,
    /// It did not end in time; the connection was dropped.
    Stalled,
    /// The connection ended before the body did, or its framing is broken.
    Broken,
}

impl BodyEnd {
    /// The end as one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::TooLong => "too_long",
            Self::Stalled => "stalled",
            Self::Broken => "broken",
        }
    }
}

pub(crate) struct ReadBody {
    pub(crate) kept: Bytes,
    pub(crate) is_cut: bool,
    pub(crate) end: BodyEnd,
}

/// Reads until the end of the body, `read_max` bytes or `until`, whichever comes first. `until` is asked only if the body is not
/// there at once, which saves most responses a timer.
pub(crate) async fn read_body(
    mut body: Incoming,
    link: &mut Link,
    kept_max: usize,
    read_max: usize,
    until: impl FnOnce() -> Instant,
) -> ReadBody {
    let mut kept = Vec::new();
    let mut read = 0_usize;
    let reading = async {
        while !body.is_end_stream() {
            let data = match link.frame(&mut body).await {
                None => break,
                Some(Err(_)) => return BodyEnd::Broken,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_trailers) => continue,
                },
            };
            read = read.saturating_add(data.len());
            let room = kept_max - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if read > read_max {
                return BodyEnd::TooLong;
            }
        }
        BodyEnd::Complete
    };
    let end = {
        let mut reading = pin!(reading);
        match poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
            Poll::Ready(end) => end,
            Poll::Pending => {
                let in_time = timeout_at(until(), reading).await;
                in_time.unwrap_or(BodyEnd::Stalled)
            }
        }
    };
    ReadBody {
        is_cut: end != BodyEnd::Complete || read > kept.len(),
        kept: kept.into(),
        end,
    }
}
