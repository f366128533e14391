//! `GET /plugins/{name}/versions/{version}/component`: the very bytes that were uploaded, read a piece at a time, as the client takes them.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::OrganizationKey;
use hookmill_store::{Store, StoreError};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};

use super::VersionPath;
use super::read::find_version;
use crate::call::Call;
use crate::problem::Problem;
use crate::reception::Reception;

/// `GET /plugins/{name}/versions/{version}/component`. 304 to whoever has the bytes already.
pub(crate) async fn component(
    State(reception): State<Reception>,
    call: Call,
    headers: HeaderMap,
    path: VersionPath,
) -> Result<Response, Problem> {
    let (found, version) = find_version(&reception, &call, path).await?;
    let tag = format!("\"{}\"", version.digest);
    let is_known = has_tag(&headers, &tag);
    let tag = HeaderValue::from_str(&tag).map_err(|_| Problem::internal())?;
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/wasm")),
        (header::ETAG, tag),
    ];
    let body = Pieces {
        store: reception.store().clone(),
        owner: found.owner_key(),
        digest: version.digest,
        next: 0,
        bytes_left: version.component_bytes,
        reading: None,
    };
    Ok((headers, Body::new(body)).into_response())
}

/// Whether `If-None-Match` names that tag (RFC 9110, section 13.1.2: by weak comparison).
fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

type Reading = Pin<Box<dyn Future<Output = Result<Option<Bytes>, StoreError>> + Send>>;

/// A component's bytes. At most one piece of them is in memory.
struct Pieces {
    store: Store,
    /// `None`: it is the host's.
    owner: Option<OrganizationKey>,
    digest: Digest,
    next: u32,
    bytes_left: u64,
    reading: Option<Reading>,
}

/// Why a download is cut off.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the component is not there any more")]
    Gone,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Pieces {
    fn read(&mut self) -> Reading {
        let (store, owner, digest, number) = (self.store.clone(), self.owner, self.digest, self.next);
        self.next += 1;
        Box::pin(async move { store.component_piece(owner, digest, number).await })
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.bytes_left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => self.read(),
        };
        let Poll::Ready(read) = reading.as_mut().poll(context) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        Poll::Ready(Some(match read {
            Ok(Some(piece)) if !piece.is_empty() => {
                self.bytes_left = self.bytes_left.saturating_sub(piece.len() as u64);
                Ok(Frame::data(piece))
            }
            // Its version was deleted under way: what came so far is shorter than was announced.
            Ok(_) => Err(Cut::Gone),
            Err(failure) => Err(failure.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes_left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes_left)
    }
}
