//! Large answers, and the memory that they take: it is claimed before what they are made of is read, and given back when the client has
//! read them or has gone. Small ones are bounded by the number of connections.
//!
//! They have as much room as requests' bodies, but it is another: who does not read an answer keeps nobody from posting events. Nor does
//! anybody keep that room by reading slowly: an answer is to be read at the pace at which an event is to be sent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body::{Frame, SizeHint};
use serde::Serialize;
use tokio::time::Instant;

use crate::auth::Caller;
use crate::bodies::{Claim, FREE_BYTES};
use crate::json::to_pieces;
use crate::problem::Problem;
use crate::reception::Reception;

/// How much of an answer is handed to its connection at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Room for one answer.
pub(crate) struct Room {
    claim: Claim,
    /// How long reading so many bytes may take.
    pace: (Duration, u64),
}

impl Reception {
    /// Room for an answer to that caller, who waits for it as one waits who sends a large body. `bytes`: all that is in memory while the
    /// answer is made.
    pub(crate) async fn room(&self, caller: &Caller, bytes: u64) -> Result<Room, Problem> {
        let intake = &self.river.limits().intake;
        let timeout = Duration::from_millis(intake.request_read_timeout_ms);
        let claim = self.answers.claim(caller.organization());
        Ok(Room {
            claim: claimed(claim, bytes, timeout).await?,
            pace: (timeout, intake.event_body_bytes_max),
        })
    }
}

async fn claimed(mut claim: Claim, bytes: u64, timeout: Duration) -> Result<Claim, Problem> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes > FREE_BYTES {
        let room = tokio::time::timeout(timeout, claim.grow(bytes)).await;
        room.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many large answers are under way").retry_after(5))?;
    }
    Ok(claim)
}

impl Room {
    /// The answer: a value as JSON.
    pub(crate) fn of<T: Serialize>(self, value: &T) -> Result<Response, Problem> {
        let text = to_pieces(value).map_err(|_| Problem::internal())?;
        Ok(self.json(text))
    }

    /// The answer: JSON text, of which these are the parts.
    pub(crate) fn json(mut self, parts: impl IntoIterator<Item = Bytes>) -> Response {
        let parts: Vec<Bytes> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        self.claim.shrink(if bytes > FREE_BYTES { bytes } else { 0 });
        let (time, times) = (self.pace.0, (bytes as u64).div_ceil(self.pace.1.max(1)).max(1));
        let claim = Arc::new(self.claim);
        let body = Large {
            parts: parts.into_iter().map(|part| held(part, claim.clone())).collect(),
            bytes_left: bytes as u64,
            deadline: Instant::now() + time.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX)),
        };
        ([(header::CONTENT_TYPE, "application/json")], Body::new(body)).into_response()
    }
}

/// Bytes that hold a claim until nobody holds any of them: a connection still has the end of an answer when its body has ended.
pub(crate) fn held(bytes: Bytes, claim: Arc<Claim>) -> Bytes {
    struct Held {
        bytes: Bytes,
        _claim: Arc<Claim>,
    }
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    Bytes::from_owner(Held { bytes, _claim: claim })
}

/// A body that is handed out a piece at a time.
struct Large {
    parts: VecDeque<Bytes>,
    bytes_left: u64,
    deadline: Instant,
}

/// Why an answer is cut off.
#[derive(Debug, thiserror::Error)]
#[error("the client takes too long to read its answer")]
struct TooSlow;

impl http_body::Body for Large {
    type Data = Bytes;
    type Error = TooSlow;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TooSlow>>> {
        let Some(part) = self.parts.front_mut() else {
            return Poll::Ready(None);
        };
        let piece = part.split_to(part.len().min(PIECE_BYTES));
        if part.is_empty() {
            self.parts.pop_front();
        }
        // Looked at when the connection has room for more. Where it never has, its stalled write ends it.
        if Instant::now() >= self.deadline {
            self.parts.clear();
            return Poll::Ready(Some(Err(TooSlow)));
        }
        self.bytes_left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes_left)
    }
}

#[cfg(test)]
mod tests {
    use hookmill_domain::integration::OrganizationKey;
    use hookmill_domain::limits::IntakeLimits;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::bodies::Bodies;

    const HOUR: Duration = Duration::from_secs(3600);

    fn bodies() -> Bodies {
        Bodies::new(&IntakeLimits {
            payload_memory_bytes_max: 300 * 1024,
            ..IntakeLimits::default()
        })
    }

    async fn room(bodies: &Bodies, time: Duration) -> Room {
        let mut claim = bodies.claim(Some(OrganizationKey(1)));
        claim.grow(300 * 1024).await;
        Room {
            claim,
            pace: (time, 100 * 1024),
        }
    }

    async fn is_free(bodies: &Bodies, bytes: usize) -> bool {
        let mut claim = bodies.claim(None);
        tokio::time::timeout(Duration::ZERO, claim.grow(bytes)).await.is_ok()
    }

    #[tokio::test]
    async fn the_room_is_held_until_the_last_piece_has_gone() {
        let bodies = bodies();
        let parts = [vec![b'a'; 3], vec![b'b'; 200 * 1024], vec![b'c'; 1]].map(Bytes::from);
        let answer = room(&bodies, HOUR).await.json(parts.clone());
        assert!(is_free(&bodies, 99 * 1024).await, "what only its making took is given back");
        assert!(!is_free(&bodies, 101 * 1024).await);
        let (mut body, mut pieces) = (answer.into_body(), Vec::new());
        while let Some(frame) = body.frame().await {
            let piece = frame.expect("it is read in time").into_data().expect("data");
            assert!(piece.len() <= PIECE_BYTES);
            pieces.push(piece);
        }
        drop(body);
        assert_eq!(pieces.concat(), parts.concat());
        let last = pieces.pop();
        drop(pieces);
        assert!(!is_free(&bodies, 101 * 1024).await, "the connection has yet to write the last one");
        drop(last);
        assert!(is_free(&bodies, 300 * 1024).await);
    }

    #[tokio::test]
    async fn an_answer_that_came_out_small_holds_nothing() {
        let bodies = bodies();
        let answer = room(&bodies, HOUR).await.json([Bytes::from(vec![b'a'; FREE_BYTES])]);
        assert!(is_free(&bodies, 300 * 1024).await);
        let body = answer.into_body().collect().await.expect("it is read in time");
        assert_eq!(body.to_bytes().len(), FREE_BYTES);
    }

    #[tokio::test]
    async fn an_answer_for_which_there_is_no_room_is_refused_in_time() {
        let bodies = bodies();
        let held = room(&bodies, HOUR).await;
        let ask = async |bytes| claimed(bodies.claim(None), bytes, Duration::from_millis(10)).await;
        let refused = ask(FREE_BYTES as u64 + 1).await.map(|_| ()).expect_err("the room is taken");
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.answer().headers()[header::RETRY_AFTER], "5");
        assert!(ask(FREE_BYTES as u64).await.is_ok(), "a small one needs none");
        drop(held);
        assert!(ask(u64::MAX).await.is_ok(), "one larger than all goes alone");
    }

    #[tokio::test]
    async fn who_reads_too_slowly_is_cut_off() {
        let bodies = bodies();
        let answer = room(&bodies, Duration::ZERO).await.json([Bytes::from(vec![b'a'; 200 * 1024])]);
        let mut body = answer.into_body();
        assert!(body.frame().await.expect("there is more").is_err());
        assert!(is_free(&bodies, 300 * 1024).await);
    }
}
