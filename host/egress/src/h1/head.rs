//! The head of a response (RFC 9112 sections 4 to 6 and 9.3).

use std::mem::MaybeUninit;

use http::StatusCode;
use httparse::{Header, ParserConfig, Status};

use super::framing::Framing;
use crate::answer::ResponseHead;

/// Fields of a head.
const FIELDS_MAX: usize = 100;

/// What a head says.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) response: ResponseHead,
    pub(crate) framing: Framing,
    /// The connection can serve another request after this response.
    pub(crate) keeps: bool,
}

/// It is no head of a response.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the response is not HTTP/1.1: {0}")]
    Syntax(#[from] httparse::Error),
    #[error("the response's status is none")]
    Status,
    #[error("the response's content-length is none, or there are two")]
    Length,
}

/// Reads a head at the beginning of what has come, and how long it is. `None`: it is not there whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, &mut fields)?;
    let Status::Complete(bytes) = status else { return Ok(None) };
    let status = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(Malformed::Status)?;
    let is_1_1 = parsed.version == Some(1);
    let mut found = Found::default();
    for Header { name, value } in parsed.headers.iter() {
        found.field(name, value)?;
    }
    let (framing, keeps) = found.framing(status, is_1_1);
    let response = ResponseHead::new(status, found.retry_after, found.keep_alive);
    Ok(Some((Head { response, framing, keeps }, bytes)))
}

/// The fields that matter.
#[derive(Debug, Default)]
struct Found<'a> {
    retry_after: Option<&'a [u8]>,
    keep_alive: Option<&'a [u8]>,
    length: Option<u64>,
    is_transfer_encoded: bool,
    /// The last of all transfer codings is `chunked`, which stands there so many times.
    is_chunked: bool,
    chunked_times: usize,
    closes: bool,
    keeps: bool,
}

impl<'a> Found<'a> {
    fn field(&mut self, name: &str, value: &'a [u8]) -> Result<(), Malformed> {
        if name.eq_ignore_ascii_case("content-length") {
            for text in elements(value) {
                let length = number(text).ok_or(Malformed::Length)?;
                // RFC 9110 section 8.6: the same one may stand there more than once.
                if self.length.replace(length).is_some_and(|other| other != length) {
                    return Err(Malformed::Length);
                }
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            for coding in elements(value) {
                self.is_transfer_encoded = true;
                self.is_chunked = coding.eq_ignore_ascii_case(b"chunked");
                self.chunked_times += usize::from(self.is_chunked);
            }
        } else if name.eq_ignore_ascii_case("connection") {
            for option in elements(value) {
                self.closes |= option.eq_ignore_ascii_case(b"close");
                self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if name.eq_ignore_ascii_case("retry-after") {
            self.retry_after.get_or_insert(value);
        } else if name.eq_ignore_ascii_case("keep-alive") {
            self.keep_alive.get_or_insert(value);
        }
        Ok(())
    }

    /// RFC 9112 section 6.3, in its order.
    fn framing(&self, status: StatusCode, is_1_1: bool) -> (Framing, bool) {
        let keeps = if is_1_1 { !self.closes } else { self.keeps && !self.closes };
        match status {
            // It would speak another protocol from here on, which nobody has asked for.
            StatusCode::SWITCHING_PROTOCOLS => (Framing::Ended, false),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => (Framing::Ended, keeps),
            _ if status.is_informational() => (Framing::Ended, keeps),
            _ if self.is_transfer_encoded && self.is_chunked => {
                // Else it may have been made to be read in two ways.
                let is_clear = is_1_1 && self.length.is_none() && self.chunked_times == 1;
                (Framing::chunked(), keeps && is_clear)
            }
            _ if self.is_transfer_encoded => (Framing::UntilClose, false),
            _ => match self.length {
                Some(0) => (Framing::Ended, keeps),
                Some(length) => (Framing::Length(length), keeps),
                None => (Framing::UntilClose, false),
            },
        }
    }
}

/// The elements of a list (RFC 9110 section 5.6.1), the empty ones left out.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

fn number(text: &[u8]) -> Option<u64> {
    let is_number = text.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> (u16, Framing, bool) {
        let text = text.replace('\n', "\r\n");
        let (head, bytes) = parse(text.as_bytes()).expect("it is a head").expect("it is whole");
        assert_eq!(bytes, text.len());
        (head.response.status.as_u16(), head.framing, head.keeps)
    }

    #[test]
    fn the_body_ends_by_what_the_head_says() {
        let chunked = Framing::chunked();
        for (fields, framing, keeps) in [
            ("", Framing::UntilClose, false),
            ("content-length: 0\n", Framing::Ended, true),
            ("Content-Length: 5\n", Framing::Length(5), true),
            ("content-length: 5, 5\ncontent-length:5\n", Framing::Length(5), true),
            ("content-length: 5\nconnection: x, Close\n", Framing::Length(5), false),
            ("transfer-encoding: Chunked\n", chunked, true),
            ("transfer-encoding: gzip\ntransfer-encoding: chunked\n", chunked, true),
            ("transfer-encoding: gzip, chunked\nconnection: close\n", chunked, false),
            ("transfer-encoding: chunked, gzip\n", Framing::UntilClose, false),
            ("content-length: 5\ntransfer-encoding: chunked\n", chunked, false),
            ("transfer-encoding: chunked, chunked\n", chunked, false),
            ("transfer-encoding: x\ncontent-length: 5\n", Framing::UntilClose, false),
        ] {
            let read = head(&format!("HTTP/1.1 200 OK\n{fields}\n"));
            assert_eq!(read, (200, framing, keeps), "{fields}");
        }
        for (line, keeps) in [("HTTP/1.0 200 OK\n", false), ("HTTP/1.0 200 OK\nconnection: keep-alive\n", true)] {
            assert_eq!(head(&format!("{line}content-length: 1\n\n")), (200, Framing::Length(1), keeps));
        }
        assert_eq!(
            head("HTTP/1.0 200 OK\nconnection: keep-alive\ntransfer-encoding: chunked\n\n"),
            (200, chunked, false)
        );
        for status in [100, 103, 204, 304] {
            let read = head(&format!("HTTP/1.1 {status} x\ncontent-length: 5\n\n"));
            assert_eq!(read, (status, Framing::Ended, true));
        }
        assert_eq!(head("HTTP/1.1 101 x\n\n"), (101, Framing::Ended, false));
        assert_eq!(head("HTTP/1.1 200\ncontent-length: 0\n\n").0, 200, "without a reason");
    }

    #[test]
    fn what_is_no_head_is_told_as_soon_as_it_is_seen() {
        for text in [
            "SSH-2.0",
            "HTTP/2 200",
            "HTTP/1.1 abc",
            "HTTP/1.1 20 OK\r\n",
            "HTTP/1.1 099 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nbad field\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(FIELDS_MAX + 1));
        assert!(parse(many.as_bytes()).is_err());
        for text in [
            "",
            "HTTP/1.1 2",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
            "HTTP/1.1 200 OK\r\n\r",
        ] {
            assert!(parse(text.as_bytes()).expect("there may be more").is_none(), "{text}");
        }
    }
}
