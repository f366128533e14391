//! A response that is read as it comes.

use bytes::Bytes;
use http::StatusCode;
use hyper::body::Incoming;

use crate::failure::Failure;
use crate::link::Link;

/// A response whose head has come back. Dropping it closes the connection, which tells the other side that nobody reads any more.
pub struct Stream {
    status: StatusCode,
    body: Incoming,
    link: Link,
}

impl Stream {
    pub(crate) fn new(response: http::Response<Incoming>, link: Link) -> Stream {
        Stream {
            status: response.status(),
            body: response.into_body(),
            link,
        }
    }

    /// Of the status line.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The next bytes of the body, once they are there; `None`: it has ended as it should. Dropping the future loses nothing.
    pub async fn piece(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            match self.link.frame(&mut self.body).await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => {}
                },
                Err(error) => return Some(Err(Failure::of_exchange(&error))),
            }
        }
    }
}
