//! Reading a request's body: whole, bounded in bytes, time and memory.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use crate::bodies::{Claim, FREE_BYTES};
use crate::problem::Problem;

/// How much of a refused body is read and thrown away: a client that writes all of it before it reads the answer would else find its
/// connection reset instead of the answer.
const DISCARDED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How a body is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The most bytes: 413 past it.
    pub(crate) bytes_max: u64,
    /// That limit's name.
    pub(crate) limit: &'static str,
    /// How long all of it may take: 408 past it.
    pub(crate) timeout: Duration,
    /// Whether the client waits for leave to send it (`Expect: 100-continue`): then there is nothing to throw away.
    pub(crate) is_asked_for: bool,
}

impl Reading {
    /// How to read the body of a request with these headers.
    pub(crate) fn new(headers: &HeaderMap, limit: &'static str, bytes_max: u64, timeout_ms: u64) -> Reading {
        Reading {
            bytes_max,
            limit,
            timeout: Duration::from_millis(timeout_ms),
            is_asked_for: headers.contains_key(header::EXPECT),
        }
    }
}

/// A body, and the memory that it takes.
pub(crate) struct Whole {
    /// What was sent, in an allocation of its own: a part of the connection's buffer would pin the rest of it for as long as the body lives.
    pub(crate) bytes: Bytes,
    /// Given back when the body is no longer this room's affair.
    pub(crate) claim: Claim,
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is longer than it may be.
    #[error("the body has more than {bytes_max} bytes")]
    TooLarge {
        /// How long it may be.
        bytes_max: u64,
        /// That limit's name.
        limit: &'static str,
    },
    /// It did not come in time.
    #[error("the body was not there after {timeout_ms} ms")]
    Slow {
        /// How long it may take.
        timeout_ms: u128,
    },
    /// There was no memory for it in time.
    #[error("too many large bodies are under way")]
    NoMemory,
    /// Its framing is wrong, or the client has gone.
    #[error("the body is cut off or broken")]
    Broken,
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        let detail = error.to_string();
        let problem = match error {
            BodyError::TooLarge { bytes_max, limit } => Problem::too_large("", format!("has more than {bytes_max} bytes"), limit),
            BodyError::Slow { .. } => Problem::new(StatusCode::REQUEST_TIMEOUT, detail),
            BodyError::NoMemory => Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5),
            BodyError::Broken => Problem::new(StatusCode::BAD_REQUEST, detail),
        };
        // There may be more of the body to come, and nobody waits for it.
        problem.with_header(header::CONNECTION, HeaderValue::from_static("close"))
    }
}

/// Reads all of a body.
pub(crate) async fn read_whole<B: Body<Data = Bytes>>(body: B, reading: Reading, mut claim: Claim) -> Result<Whole, BodyError> {
    let deadline = Instant::now() + reading.timeout;
    let mut body = pin!(body);
    let bytes_max = usize::try_from(reading.bytes_max).unwrap_or(usize::MAX);
    let too_large = BodyError::TooLarge {
        bytes_max: reading.bytes_max,
        limit: reading.limit,
    };
    let announced = body.size_hint();
    if announced.lower() > reading.bytes_max {
        discard(body, reading, deadline).await;
        return Err(too_large);
    }
    let exact = announced.exact().and_then(|bytes| usize::try_from(bytes).ok());
    let mut bytes = Vec::with_capacity(exact.unwrap_or(0).min(FREE_BYTES));
    while !body.is_end_stream() {
        let frame = tokio::time::timeout_at(deadline, body.frame()).await;
        let frame = frame.map_err(|_| BodyError::Slow {
            timeout_ms: reading.timeout.as_millis(),
        })?;
        let Some(frame) = frame else { break };
        // Trailers are of no interest.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        let length = bytes.len() + data.len();
        if length > bytes_max {
            drop((bytes, claim));
            discard(body, reading, deadline).await;
            return Err(too_large);
        }
        if length > bytes.capacity() {
            let capacity = length.max(2 * bytes.capacity()).min(exact.unwrap_or(usize::MAX)).max(length);
            if capacity > FREE_BYTES {
                let room = tokio::time::timeout_at(deadline, claim.grow(capacity)).await;
                room.map_err(|_| BodyError::NoMemory)?;
            }
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Whole {
        bytes: Bytes::from(bytes),
        claim,
    })
}

/// Throws away the body of a request that is refused for another reason.
pub(crate) async fn discard_refused<B: Body<Data = Bytes>>(body: B, reading: Reading) {
    let deadline = Instant::now() + reading.timeout;
    discard(pin!(body), reading, deadline).await;
}

async fn discard<B: Body<Data = Bytes>>(mut body: std::pin::Pin<&mut B>, reading: Reading, deadline: Instant) {
    if reading.is_asked_for {
        return;
    }
    let mut left = DISCARDED_BYTES_MAX;
    while !body.is_end_stream() {
        let Ok(Some(Ok(frame))) = tokio::time::timeout_at(deadline, body.frame()).await else {
            return;
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(bytes) {
            Some(still) => left = still,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hookmill_domain::integration::OrganizationKey;
    use hookmill_domain::limits::IntakeLimits;
    use http_body::{Frame, SizeHint};
    use tokio::task::JoinSet;

    use super::*;
    use crate::bodies::Bodies;

    /// A body in pieces of that many bytes, which then ends or stalls.
    #[derive(Default)]
    struct Pieces {
        pieces: VecDeque<usize>,
        announced: Option<u64>,
        stalls: bool,
        /// Lets others have a turn before each piece.
        in_step: bool,
        has_waited: bool,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.has_waited = self.in_step && !self.has_waited;
            if self.has_waited {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.pieces.pop_front() {
                Some(length) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; length]))))),
                None if self.stalls => Poll::Pending,
                None => Poll::Ready(None),
            }
        }

        fn size_hint(&self) -> SizeHint {
            self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    async fn check(pieces: &[usize], announced: Option<u64>, stalls: bool) -> Result<usize, BodyError> {
        let body = Pieces {
            pieces: pieces.iter().copied().collect(),
            announced,
            stalls,
            ..Pieces::default()
        };
        let reading = Reading::new(&HeaderMap::new(), "event_body_bytes_max", 200_000, 20);
        let limits = IntakeLimits {
            payload_memory_bytes_max: 150_000,
            ..IntakeLimits::default()
        };
        let claim = Bodies::new(&limits).claim(None);
        read_whole(body, reading, claim).await.map(|whole| whole.bytes.len())
    }

    #[tokio::test]
    async fn bodies_are_read_whole_and_bounded() {
        let too_large = Err(BodyError::TooLarge {
            bytes_max: 200_000,
            limit: "event_body_bytes_max",
        });
        assert_eq!(check(&[], None, false).await, Ok(0));
        assert_eq!(check(&[5, 6], Some(11), false).await, Ok(11));
        assert_eq!(check(&[70_000, 70_000, 60_000], None, false).await, Ok(200_000));
        assert_eq!(check(&[70_000, 70_000, 60_000], Some(200_000), false).await, Ok(200_000));
        assert_eq!(check(&[70_000, 70_000, 60_001], None, false).await, too_large);
        assert_eq!(check(&[], Some(200_001), true).await, too_large, "refused by its announcement");
        assert_eq!(check(&[5], Some(11), true).await, Err(BodyError::Slow { timeout_ms: 20 }));
    }

    #[tokio::test]
    async fn a_body_for_which_there_is_no_memory_is_refused_in_time() {
        let bodies = Bodies::new(&IntakeLimits {
            payload_memory_bytes_max: 150_000,
            ..IntakeLimits::default()
        });
        let mut hog = bodies.claim(None);
        hog.grow(100_000).await;
        let reading = Reading::new(&HeaderMap::new(), "event_body_bytes_max", 200_000, 20);
        let large = Pieces {
            pieces: [80_000].into(),
            ..Pieces::default()
        };
        let refused = read_whole(large, reading, bodies.claim(None)).await.map(|whole| whole.bytes.len());
        assert_eq!(refused, Err(BodyError::NoMemory));
        let small = Pieces {
            pieces: [8_000].into(),
            ..Pieces::default()
        };
        assert!(
            read_whole(small, reading, bodies.claim(None)).await.is_ok(),
            "small ones need no share"
        );
    }

    /// Each holds as much as the others when there is nothing left, and wants as much again.
    #[tokio::test]
    async fn bodies_that_grow_in_step_are_all_read() {
        let bodies = Bodies::new(&IntakeLimits {
            payload_memory_bytes_max_per_organization: 8 * 128 * 1024,
            ..IntakeLimits::default()
        });
        let reading = Reading::new(&HeaderMap::new(), "event_body_bytes_max", 1_000_000, 5_000);
        let mut under_way = JoinSet::new();
        for _ in 0..8 {
            let body = Pieces {
                pieces: vec![20_000; 16].into(),
                in_step: true,
                ..Pieces::default()
            };
            let read = read_whole(body, reading, bodies.claim(Some(OrganizationKey(1))));
            under_way.spawn(async move { read.await.map(|whole| whole.bytes.len()) });
        }
        for read in under_way.join_all().await {
            assert_eq!(read, Ok(320_000));
        }
    }
}
