//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! The usual arrangement gives each connection a task. Here the connection is polled inside the future of its one request, which costs
//! the same (measured); between requests nobody polls it, and what happened meanwhile (the receiver has hung up) is found when it is
//! taken up again. So there is no task to own and to end, and dropping the future of a request closes the connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use crate::transport::{Ends, Transport};

/// A request's body: there before the request begins, sent with its length.
pub(crate) type RequestBody = Full<Bytes>;

/// The longest response head, and the most bytes that are read ahead.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

pub(crate) struct H1 {
    sender: SendRequest<RequestBody>,
    /// `None` once it has ended. It is dropped then, which gives back a request that it had not begun.
    connection: Option<Connection<TokioIo<Transport>, RequestBody>>,
    pub(crate) ends: Ends,
}

impl H1 {
    pub(crate) async fn open(transport: Transport, ends: Ends) -> hyper::Result<Box<Self>> {
        let (sender, connection) = Builder::new()
            .max_buf_size(BUFFER_BYTES_MAX)
            .max_header_size(BUFFER_BYTES_MAX)
            .handshake(TokioIo::new(transport))
            .await?;
        let connection = Some(connection);
        Ok(Box::new(Self { sender, connection, ends }))
    }

    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let connection = &mut self.connection;
        poll_fn(|cx| {
            drive(connection, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    pub(crate) fn poll_frame(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        // The connection reads of a body only what has been asked for.
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        drive(&mut self.connection, cx);
        Pin::new(body).poll_frame(cx)
    }

    /// Whether it can take a request now, as far as it has been driven.
    pub(crate) fn is_ready(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Drives it to where it waits, so that what the system knows of its end is taken notice of; nobody is woken when more happens.
    /// That also makes it forget the task that used it last, which the next request would wake for nothing.
    pub(crate) fn settle(&mut self) {
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
    }
}

fn drive(connection: &mut Option<Connection<TokioIo<Transport>, RequestBody>>, cx: &mut Context<'_>) {
    if let Some(alive) = connection
        && Pin::new(alive).poll(cx).is_ready()
    {
        // An error that belongs to a request has gone to that request.
        *connection = None;
    }
}
