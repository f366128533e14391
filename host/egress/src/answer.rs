//! What came back, and how much of it is read.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use crate::failure::Failure;
use crate::link::{Body, Link};

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

/// What the house reads of a response's head.
#[derive(Clone, Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    /// The field's text.
    pub(crate) retry_after: Option<String>,
    /// How long the receiver says it keeps an idle connection (`keep-alive: timeout=5`), less a second for the way there, so that no request
    /// meets its closing.
    pub(crate) idle_for: Option<Duration>,
}

impl ResponseHead {
    pub(crate) fn new(status: StatusCode, retry_after: Option<&[u8]>, keep_alive: Option<&[u8]>) -> Self {
        let text = |field: Option<&[u8]>| field.and_then(|field| std::str::from_utf8(field).ok().map(str::to_owned));
        Self {
            status,
            retry_after: text(retry_after),
            idle_for: text(keep_alive).as_deref().and_then(idle_hint),
        }
    }
}

fn idle_hint(keep_alive: &str) -> Option<Duration> {
    let mut fields = keep_alive.split(',').map(str::trim);
    let seconds: u64 = fields.find_map(|field| field.strip_prefix("timeout="))?.parse().ok()?;
    Some(Duration::from_secs(seconds.saturating_sub(1)))
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
    mut body: Body,
    link: &mut Link,
    kept_max: usize,
    read_max: usize,
    until: impl FnOnce() -> Instant,
) -> ReadBody {
    let mut kept = Vec::new();
    let mut read = 0_usize;
    let reading = async {
        while !link.has_ended(&body) {
            let data = match link.data(&mut body).await {
                None => break,
                Some(Err(_)) => return BodyEnd::Broken,
                Some(Ok(data)) => data,
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
            let head = ResponseHead::new(StatusCode::OK, None, Some(text.as_bytes()));
            assert_eq!(head.idle_for.map(|hint| hint.as_secs()), seconds, "{text}");
        }
    }
}
