//! A connection of either version, as an attempt sees it.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response, Uri, Version, uri};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;

use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::h1::{H1, RequestBody};
use crate::h2_link::{H2, H2Unanswered};
use crate::transport::Ends;

pub(crate) enum Link {
    H1(Box<H1>),
    H2(H2),
}

/// A request that got no answer; given back if no receiver has processed it.
pub(crate) struct Unanswered {
    pub(crate) unsent: Option<Request<RequestBody>>,
    pub(crate) failure: Failure,
}

impl Link {
    pub(crate) fn ends(&self) -> Ends {
        match self {
            Self::H1(h1) => h1.ends,
            Self::H2(h2) => h2.ends,
        }
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(&mut self, endpoint: &Endpoint, mut request: Request<RequestBody>) -> Result<Response<Incoming>, Unanswered> {
        match self {
            Self::H1(h1) => {
                address_h1(&mut request, endpoint);
                h1.send(request).await.map_err(|mut failed| Unanswered {
                    unsent: failed.take_message(),
                    failure: Failure::of_exchange(failed.error()),
                })
            }
            Self::H2(h2) => {
                address_h2(&mut request, endpoint);
                // In a box, since it keeps a copy of the request: HTTP/1.1 need not make room for that.
                let sent = Box::pin(h2.send(request)).await;
                sent.map_err(|H2Unanswered { unsent, error }| Unanswered {
                    unsent,
                    failure: Failure::of_exchange(&error),
                })
            }
        }
    }

    /// The next frame of a response's body.
    pub(crate) async fn frame(&mut self, body: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
        poll_fn(|cx| match self {
            Self::H1(h1) => h1.poll_frame(body, cx),
            Self::H2(_) => Pin::new(&mut *body).poll_frame(cx),
        })
        .await
    }
}

/// Origin form, and the receiver in `host` (RFC 9112 section 3.2).
fn address_h1(request: &mut Request<RequestBody>, endpoint: &Endpoint) {
    if request.uri().scheme().is_some()
        && let Some(path_and_query) = request.uri().path_and_query().cloned()
    {
        *request.uri_mut() = path_and_query.into();
    }
    *request.version_mut() = Version::HTTP_11;
    let host = endpoint.host_header().clone();
    request.headers_mut().insert(HOST, host);
}

/// All in the URI, and no `host` (RFC 9113 section 8.3.1).
fn address_h2(request: &mut Request<RequestBody>, endpoint: &Endpoint) {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(endpoint.scheme());
    parts.authority = Some(endpoint.authority().clone());
    parts.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path are all there");
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(HOST);
}
