//! A response that is read as it comes.

use bytes::Bytes;
use http::StatusCode;

use crate::failure::Failure;
use crate::link::{Body, Link};

/// A response whose head has come back. Dropping it closes the connection, which tells the other side that nobody reads any more.
pub struct Stream {
    status: StatusCode,
    body: Body,
    link: Link,
}

impl Stream {
    pub(crate) fn new(status: StatusCode, body: Body, link: Link) -> Stream {
        Stream { status, body, link }
    }

    /// Of the status line.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The next bytes of the body, once they are there; `None`: it has ended as it should. Dropping the future loses nothing.
    pub async fn piece(&mut self) -> Option<Result<Bytes, Failure>> {
        self.link.data(&mut self.body).await
    }
}
