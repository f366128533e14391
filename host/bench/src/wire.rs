//! As much of HTTP/1.1 as a load generator and a receiver need, so that they take little of the cores they share with
//! the system under test: whole messages with a `content-length`, over a connection that is kept. No chunks, no TLS.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Far more than either side sends here: a larger head or body is a fault.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A connection, and what was read from it ahead.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
    /// Of the message handed out last; dropped from the buffer when the next one is read.
    taken_bytes: usize,
}

/// One request or response, in the connection's buffer.
pub(crate) struct Message<'a> {
    /// The first line and the headers.
    pub(crate) head: &'a [u8],
    /// As long as `content-length` says.
    pub(crate) body: &'a [u8],
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Result<Wire> {
        stream.set_nodelay(true)?;
        Ok(Wire {
            stream,
            buffer: BytesMut::with_capacity(8 * 1024),
            taken_bytes: 0,
        })
    }

    pub(crate) async fn connect(address: SocketAddr) -> Result<Wire> {
        Wire::new(TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?)
    }

    pub(crate) async fn write(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(message).await?)
    }

    /// The next message; none when the peer has closed between two.
    pub(crate) async fn read(&mut self) -> Result<Option<Message<'_>>> {
        self.buffer.advance(self.taken_bytes);
        self.taken_bytes = 0;
        let (head_bytes, body_bytes) = loop {
            if let Some((head_bytes, body_bytes)) = measure(&self.buffer)?
                && self.buffer.len() >= head_bytes + body_bytes
            {
                break (head_bytes, body_bytes);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                ensure!(self.buffer.is_empty(), "closed within a message");
                return Ok(None);
            }
        };
        self.taken_bytes = head_bytes + body_bytes;
        let (head, rest) = self.buffer.split_at(head_bytes);
        Ok(Some(Message {
            head,
            body: &rest[..body_bytes],
        }))
    }
}

impl Message<'_> {
    /// A response's status.
    pub(crate) fn status(&self) -> Result<u16> {
        let digits = self.head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| digits.parse().ok()).context("read a status line")
    }

    /// A header's value, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        header(self.head, name)
    }
}

/// The bytes of head and body, once the head is there.
fn measure(buffer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(buffer.len() <= HEAD_BYTES_MAX, "the head is larger than {HEAD_BYTES_MAX} bytes");
        return Ok(None);
    };
    let head = &buffer[..end + 4];
    if header(head, "transfer-encoding").is_some() {
        bail!("a chunked body: this client reads none");
    }
    let body_bytes = match header(head, "content-length") {
        None => 0,
        Some(digits) => std::str::from_utf8(digits)?.parse().context("read a content-length")?,
    };
    ensure!(body_bytes <= BODY_BYTES_MAX, "the body is larger than {BODY_BYTES_MAX} bytes");
    Ok(Some((head.len(), body_bytes)))
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (key, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        key.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_measured_once_its_head_is_whole() {
        let whole = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:  5 \r\n\r\nhello";
        assert_eq!(measure(&whole[..40]).expect("no fault"), None);
        assert_eq!(measure(whole).expect("no fault"), Some((whole.len() - 5, 5)));
        assert_eq!(header(whole, "host"), Some(b"x".as_slice()));
        assert_eq!(header(whole, "hos"), None);
        assert!(measure(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(measure(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n").is_err());
    }
}
