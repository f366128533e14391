//! A connection of either version, as an attempt sees it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::answer::ResponseHead;
use crate::client::Outgoing;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::h1::{H1, Unanswered};
use crate::h2_link::H2;
use crate::transport::Ends;

pub(crate) enum Link {
    H1(Box<H1>),
    H2(H2),
}

/// A response's body, which is read from its link.
pub(crate) enum Body {
    /// The connection knows where it ends.
    H1,
    H2(Incoming),
}

impl Link {
    pub(crate) fn ends(&self) -> Ends {
        match self {
            Self::H1(h1) => h1.ends,
            Self::H2(h2) => h2.ends,
        }
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        endpoint: &Endpoint,
        outgoing: &Outgoing,
        user_agent: &HeaderValue,
    ) -> Result<(ResponseHead, Body), Unanswered> {
        match self {
            Self::H1(h1) => h1.send(endpoint, outgoing, user_agent).await.map(|head| (head, Body::H1)),
            Self::H2(h2) => {
                // In a box: HTTP/1.1 need not make room for the copy of the request that this keeps.
                let sent = Box::pin(h2.send(endpoint, outgoing, user_agent)).await;
                let response = sent.map_err(|unanswered| Unanswered {
                    is_unsent: unanswered.is_unsent,
                    failure: Failure::of_exchange(&unanswered.error),
                })?;
                let (head, body) = response.into_parts();
                let field = |headers: &HeaderMap, name| headers.get(name).map(|value: &HeaderValue| value.as_bytes().to_vec());
                let retry_after = field(&head.headers, RETRY_AFTER);
                let keep_alive = field(&head.headers, HeaderName::from_static("keep-alive"));
                let head = ResponseHead::new(head.status, retry_after.as_deref(), keep_alive.as_deref());
                Ok((head, Body::H2(body)))
            }
        }
    }

    /// Whether a response's body has ended, as far as it is known without reading more.
    pub(crate) fn has_ended(&self, body: &Body) -> bool {
        match (self, body) {
            (Self::H1(h1), _) => h1.body_has_ended(),
            (_, Body::H2(body)) => body.is_end_stream(),
            (Self::H2(_), Body::H1) => true,
        }
    }

    /// The next bytes of a response's body, once they are there; `None`: it has ended as it should.
    pub(crate) async fn data(&mut self, body: &mut Body) -> Option<Result<Bytes, Failure>> {
        poll_fn(|cx| match (&mut *self, &mut *body) {
            (Self::H1(h1), _) => h1.poll_data(cx),
            (_, Body::H2(body)) => loop {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                match frame.map(|frame| frame.map(|frame| frame.into_data())) {
                    None => return Poll::Ready(None),
                    Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
                    Some(Ok(Err(_trailers))) => {}
                    Some(Err(error)) => return Poll::Ready(Some(Err(Failure::of_exchange(&error)))),
                }
            },
            (Self::H2(_), Body::H1) => Poll::Ready(None),
        })
        .await
    }
}
