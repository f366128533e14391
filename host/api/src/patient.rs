//! A socket that does not wait for ever for its peer to read: a client that asks and never takes the answer would hold its connection,
//! and the answer, for as long as it likes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::connection::Guest;

/// A stream whose writes fail when none of them gets on for a while. Reads are left as they are: who reads has a time of its own.
pub(crate) struct Patient<S> {
    stream: S,
    stall: Duration,
    guest: Arc<Guest>,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Lets each write wait for at most `stall`. The guest is told whether one waits.
    pub(crate) fn new(stream: S, stall: Duration, guest: Arc<Guest>) -> Patient<S> {
        Patient {
            stream,
            stall,
            guest,
            waiting: None,
        }
    }

    fn judge(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if self.waiting.take().is_some() {
                self.guest.writes(false);
            }
            return written;
        }
        if self.waiting.is_none() {
            self.guest.writes(true);
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::connection::Guests;

    #[tokio::test]
    async fn a_peer_that_does_not_read_ends_the_write() {
        let (mine, _theirs) = tokio::io::duplex(16);
        let mut patient = Patient::new(mine, Duration::from_millis(10), Guests::new(Duration::ZERO).guest());
        let error = patient.write_all(&[0; 100]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_reads_gets_all() {
        let (mine, mut theirs) = tokio::io::duplex(16);
        let mut patient = Patient::new(mine, Duration::from_secs(60), Guests::new(Duration::ZERO).guest());
        let mut read = vec![0; 100];
        let (written, got) = tokio::join!(patient.write_all(&[7; 100]), theirs.read_exact(&mut read));
        written.expect("it was read");
        got.expect("it was written");
        assert_eq!(read, [7; 100]);
    }
}
