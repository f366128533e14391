//! One HTTP/1.1 connection (RFC 9112), driven by whoever uses it: there is no task to own and to end, and dropping the future of a request
//! closes the connection. Between requests nobody polls it, and what happened meanwhile (the receiver has hung up) is found when it is taken
//! up again.
//!
//! It speaks of HTTP what a delivery needs: a request whose body is there whole goes out with its head in one piece, and its answer is read as
//! it comes. The syntax of heads and chunks is the `httparse` crate's. A library's connection cost a tenth of a delivery more, mostly for the
//! channel between a request and the connection that carries it, which are one thing here.

mod framing;
mod head;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderValue, Method};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

use self::framing::{Framing, Next};
use self::head::Head;
use crate::answer::ResponseHead;
use crate::client::Outgoing;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, FailureCode};
use crate::transport::{Ends, Transport};

/// The longest response head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Heads of informational responses (RFC 9110 section 15.2) before the one that counts.
const INFORMATIONAL_MAX: usize = 16;
/// Empty lines before a head, which some receivers leave after the last body.
const EMPTY_LINES_MAX: usize = 8;
/// Read at once: of a head, and of a body.
const HEAD_READ_BYTES: usize = 4 * 1024;
const BODY_READ_BYTES: usize = 16 * 1024;
/// A body up to that goes into the buffer of its head: copying it costs less than a second piece.
const BODY_COPIED_BYTES_MAX: usize = 4 * 1024;
/// What each of its buffers keeps between requests.
const KEPT_BYTES_MAX: usize = 8 * 1024;

pub(crate) struct H1 {
    transport: Transport,
    sending: Sending,
    /// What has come and was not taken.
    input: Input,
    /// What is still to come of the response.
    framing: Framing,
    /// It can serve another request after the response.
    keeps: bool,
    pub(crate) ends: Ends,
}

/// A request that got no answer.
pub(crate) struct Unanswered {
    /// Nothing of it was sent.
    pub(crate) is_unsent: bool,
    pub(crate) failure: Failure,
}

impl H1 {
    pub(crate) fn new(transport: Transport, ends: Ends) -> Box<Self> {
        Box::new(Self {
            transport,
            sending: Sending::default(),
            input: Input::default(),
            framing: Framing::Ended,
            keeps: true,
            ends,
        })
    }

    /// Sends a request and waits for the head of its response, which may come before all of the request is sent, or where the receiver takes
    /// no more of it.
    pub(crate) async fn send(
        &mut self,
        endpoint: &Endpoint,
        outgoing: &Outgoing,
        user_agent: &HeaderValue,
    ) -> Result<ResponseHead, Unanswered> {
        // Whatever happens to this future: only a response that came whole makes it fit for another request.
        self.keeps = false;
        self.sending.begin(endpoint, outgoing, user_agent);
        let mut reading = HeadReading::default();
        let head = poll_fn(|cx| {
            self.sending.poll(&mut self.transport, cx);
            let failed = match reading.poll(&mut self.transport, &mut self.input, cx) {
                Poll::Ready(Ok(head)) => return Poll::Ready(Ok(head)),
                Poll::Ready(Err(failure)) => self.sending.failure().unwrap_or(failure),
                // The receiver may have answered before it hung up; where the host itself is at fault, nobody has.
                Poll::Pending => match self.sending.failure() {
                    Some(failure) if failure.local_fault => failure,
                    _ => return Poll::Pending,
                },
            };
            Poll::Ready(Err(Unanswered {
                is_unsent: self.sending.sent == 0 && !self.transport.is_tls(),
                failure: failed,
            }))
        })
        .await?;
        self.framing = match outgoing.method {
            // RFC 9112 section 6.3: whatever it says of a body.
            Method::HEAD => Framing::Ended,
            _ => head.framing,
        };
        self.keeps = head.keeps && self.sending.is_whole();
        Ok(head.response)
    }

    /// The next bytes of the response's body; `None`: it has ended as it should.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            match self.framing.next(self.input.bytes()) {
                Ok(Next::Data(bytes)) => {
                    let data = Bytes::copy_from_slice(&self.input.bytes()[..bytes]);
                    self.input.take(bytes);
                    return Poll::Ready(Some(Ok(data)));
                }
                Ok(Next::Skip(bytes)) => self.input.take(bytes),
                Ok(Next::Ended) => return Poll::Ready(None),
                Ok(Next::NeedMore) => {
                    // There are receivers that answer as they read.
                    self.sending.poll(&mut self.transport, cx);
                    match ready!(self.input.poll_fill(&mut self.transport, BODY_READ_BYTES, cx)) {
                        Ok(0) if self.framing.may_end() => {
                            self.framing = Framing::Ended;
                            return Poll::Ready(None);
                        }
                        Ok(0) => return self.body_failed(ended("the body did")),
                        Ok(_) => {}
                        Err(error) => return self.body_failed(Failure::of_connection("the body could not be read", &error)),
                    }
                }
                Err(broken) => return self.body_failed(Failure::new(FailureCode::Protocol, broken.to_string())),
            }
        }
    }

    fn body_failed(&mut self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        self.keeps = false;
        self.framing = Framing::Ended;
        Poll::Ready(Some(Err(failure)))
    }

    /// Whether the response's body has been read, as far as it is known without reading more.
    pub(crate) fn body_has_ended(&self) -> bool {
        self.framing == Framing::Ended
    }

    /// Whether it can serve another request: the last response was read to its end, and nothing has come after it.
    pub(crate) fn is_ready(&self) -> bool {
        self.keeps && self.body_has_ended() && self.input.bytes().is_empty()
    }

    /// The same, with what has come since: before a request nothing may come, least of all the connection's end. Nobody is woken when
    /// something does later.
    pub(crate) fn is_still_ready(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.is_ready()
            && self
                .input
                .poll_fill(&mut self.transport, HEAD_READ_BYTES, &mut context)
                .is_pending()
    }

    /// Gives up the memory that only a large exchange needs.
    pub(crate) fn shrink(&mut self) {
        for buffer in [&mut self.sending.head, &mut self.input.buffer] {
            if buffer.capacity() > KEPT_BYTES_MAX {
                *buffer = Vec::new();
            }
        }
    }
}

/// A request that is being sent.
#[derive(Default)]
struct Sending {
    /// The head, and a small body.
    head: Vec<u8>,
    /// What goes out after that.
    body: Bytes,
    sent: usize,
    state: Sent,
}

#[derive(Default)]
enum Sent {
    Partly,
    #[default]
    Whole,
    Failed(io::Error),
}

impl Sending {
    fn begin(&mut self, endpoint: &Endpoint, outgoing: &Outgoing, user_agent: &HeaderValue) {
        let is_small = outgoing.body.len() <= BODY_COPIED_BYTES_MAX;
        self.head.clear();
        write_head(&mut self.head, endpoint, outgoing, user_agent);
        if is_small {
            self.head.extend_from_slice(&outgoing.body);
        }
        self.body = if is_small { Bytes::new() } else { outgoing.body.clone() };
        self.sent = 0;
        self.state = Sent::Partly;
    }

    fn is_whole(&self) -> bool {
        matches!(self.state, Sent::Whole)
    }

    fn failure(&self) -> Option<Failure> {
        match &self.state {
            Sent::Failed(error) => Some(Failure::of_connection("the request could not be sent", error)),
            Sent::Partly | Sent::Whole => None,
        }
    }

    /// Sends what can be sent now.
    fn poll(&mut self, transport: &mut Transport, cx: &mut Context<'_>) {
        if let Sent::Partly = self.state {
            self.state = match self.poll_send(transport, cx) {
                Poll::Ready(Ok(())) => Sent::Whole,
                Poll::Ready(Err(error)) => Sent::Failed(error),
                Poll::Pending => return,
            };
            // The connection may rest in the pool for long, and nobody counts its memory.
            self.body = Bytes::new();
        }
    }

    fn poll_send(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut transport = Pin::new(transport);
        while self.sent < self.head.len() + self.body.len() {
            let of_head = &self.head[self.sent.min(self.head.len())..];
            let of_body = &self.body[self.sent.saturating_sub(self.head.len())..];
            let sent = match (of_head, of_body) {
                (of_head, []) => ready!(transport.as_mut().poll_write(cx, of_head)),
                ([], of_body) => ready!(transport.as_mut().poll_write(cx, of_body)),
                (of_head, of_body) => {
                    let pieces = [IoSlice::new(of_head), IoSlice::new(of_body)];
                    ready!(transport.as_mut().poll_write_vectored(cx, &pieces))
                }
            };
            match sent? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        transport.poll_flush(cx)
    }
}

fn write_head(out: &mut Vec<u8>, endpoint: &Endpoint, outgoing: &Outgoing, user_agent: &HeaderValue) {
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let method = outgoing.method.as_str().as_bytes();
    let path = outgoing.path_and_query.as_str().as_bytes();
    let host = endpoint.host_header().as_bytes();
    put(&[method, b" ", path, b" HTTP/1.1\r\nhost: ", host, b"\r\n"]);
    let mut has_user_agent = false;
    for (name, value) in &outgoing.headers {
        // Whom it goes to and where it ends are not the caller's to say.
        if *name == HOST || *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING {
            continue;
        }
        has_user_agent |= *name == USER_AGENT;
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    if !has_user_agent {
        put(&[b"user-agent: ", user_agent.as_bytes(), b"\r\n"]);
    }
    let length = outgoing.body.len().to_string();
    put(&[b"content-length: ", length.as_bytes(), b"\r\n\r\n"]);
}

/// A head that is being read.
#[derive(Default)]
struct HeadReading {
    informational: usize,
    empty_lines: usize,
    /// So many bytes were there when they were last looked at, and were no whole head.
    looked_at: usize,
}

impl HeadReading {
    fn poll(&mut self, transport: &mut Transport, input: &mut Input, cx: &mut Context<'_>) -> Poll<Result<Head, Failure>> {
        loop {
            while let Some(bytes) = empty_line(input.bytes()).filter(|_| self.looked_at == 0) {
                input.take(bytes);
                self.empty_lines += 1;
                if self.empty_lines > EMPTY_LINES_MAX {
                    let detail = "one empty line after another instead of a response";
                    return Poll::Ready(Err(Failure::new(FailureCode::Protocol, detail)));
                }
            }
            if self.is_worth_a_look(input.bytes()) {
                match head::parse(input.bytes()) {
                    Err(malformed) => return Poll::Ready(Err(Failure::new(FailureCode::Protocol, malformed.to_string()))),
                    Ok(None) => self.looked_at = input.bytes().len(),
                    Ok(Some((head, bytes))) => {
                        input.take(bytes);
                        let status = head.response.status;
                        if !status.is_informational() || status == http::StatusCode::SWITCHING_PROTOCOLS {
                            return Poll::Ready(Ok(head));
                        }
                        self.looked_at = 0;
                        self.informational += 1;
                        if self.informational > INFORMATIONAL_MAX {
                            let detail = "one informational response after another";
                            return Poll::Ready(Err(Failure::new(FailureCode::Protocol, detail)));
                        }
                        continue;
                    }
                }
            }
            if input.bytes().len() >= HEAD_BYTES_MAX {
                let detail = format!("the response's head is longer than {HEAD_BYTES_MAX} bytes");
                return Poll::Ready(Err(Failure::new(FailureCode::Protocol, detail)));
            }
            match ready!(input.poll_fill(transport, HEAD_READ_BYTES, cx)) {
                Ok(0) => return Poll::Ready(Err(ended("an answer"))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Failure::of_connection("no answer could be read", &error))),
            }
        }
    }

    /// A head that drips in is not read from its beginning at each drop: only where there is twice as much of it, or its end.
    fn is_worth_a_look(&self, bytes: &[u8]) -> bool {
        let new = &bytes[self.looked_at.saturating_sub(3).min(bytes.len())..];
        let has_end = || new.windows(2).any(|two| two == b"\n\n") || new.windows(3).any(|three| three == b"\n\r\n");
        !bytes.is_empty() && (bytes.len() >= self.looked_at * 2 || has_end())
    }
}

/// The length of an empty line that these bytes begin with.
fn empty_line(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

fn ended(before: &str) -> Failure {
    Failure::new(FailureCode::Reset, format!("the connection ended before {before}"))
}

/// Bytes that have come.
#[derive(Default)]
struct Input {
    buffer: Vec<u8>,
    taken: usize,
}

impl Input {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
    }

    /// Reads what there is, at most as much as is free in the buffer, which is at least so much. 0: the connection has ended.
    fn poll_fill(&mut self, transport: &mut Transport, room: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(room);
        pin!(transport.read_buf(&mut self.buffer)).poll(cx)
    }
}
