//! Where a response's body ends (RFC 9112 sections 6 and 7).

/// What of the body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Nothing.
    Ended,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked { at: Chunk, extra_bytes: usize },
    /// What comes until the connection ends.
    UntilClose,
}

/// Where in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Before the line with a chunk's size.
    Size,
    /// So many bytes before the end of a chunk.
    Data(u64),
    /// Before the line's end that follows a chunk.
    DataEnd,
    /// After the last chunk.
    Trailers,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// So many of the body. They count as taken.
    Data(usize),
    /// So many that are not of the body. They count as taken.
    Skip(usize),
    /// It can not be told from so few.
    NeedMore,
    /// The body has ended before them.
    Ended,
}

/// What came is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("a chunk of the body has no valid size")]
    Size,
    #[error("a chunk of the body is longer than its size")]
    DataEnd,
    #[error("a line beside the body's chunks ends where others would not end it")]
    Line,
    #[error("the body's chunks carry too much beside it")]
    Extra,
}

/// Extensions of chunks and trailers of one body, which nobody reads.
const EXTRA_BYTES_MAX: usize = 16 * 1024;
/// A chunk's size of sixteen digits and a line's end.
const PLAIN_SIZE_BYTES_MAX: usize = 18;

impl Framing {
    /// A body in chunks.
    pub(crate) fn chunked() -> Framing {
        Framing::Chunked {
            at: Chunk::Size,
            extra_bytes: 0,
        }
    }

    /// Looks at bytes that have come and were not taken.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Next, Broken> {
        match self {
            Framing::Ended => Ok(Next::Ended),
            Framing::UntilClose if bytes.is_empty() => Ok(Next::NeedMore),
            Framing::UntilClose => Ok(Next::Data(bytes.len())),
            Framing::Length(left) => match take(left, bytes) {
                0 if *left == 0 => {
                    *self = Framing::Ended;
                    Ok(Next::Ended)
                }
                0 => Ok(Next::NeedMore),
                taken => Ok(Next::Data(taken)),
            },
            Framing::Chunked { at, extra_bytes } => {
                let next = chunk(at, extra_bytes, bytes)?;
                if next == Next::Ended {
                    *self = Framing::Ended;
                    return Ok(Next::Skip(LINE_END.len()));
                }
                Ok(next)
            }
        }
    }

    /// Whether the body may end with the connection.
    pub(crate) fn may_end(self) -> bool {
        matches!(self, Framing::Ended | Framing::UntilClose)
    }
}

const LINE_END: &[u8] = b"\r\n";

/// `Ended`: the line's end at the beginning of these bytes is the last of the body.
fn chunk(at: &mut Chunk, extra_bytes: &mut usize, bytes: &[u8]) -> Result<Next, Broken> {
    match at {
        Chunk::Size => {
            if bytes.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
                return Err(Broken::Size);
            }
            match httparse::parse_chunk_size(bytes).map_err(|_| Broken::Size)? {
                // The parser takes any byte of an extension.
                httparse::Status::Partial if bytes.contains(&b'\n') => Err(Broken::Line),
                httparse::Status::Complete((line, _)) if bytes[..line - LINE_END.len()].contains(&b'\n') => Err(Broken::Line),
                httparse::Status::Partial => within(*extra_bytes + bytes.len()).map(|()| Next::NeedMore),
                httparse::Status::Complete((line, size)) => {
                    *extra_bytes += line.saturating_sub(PLAIN_SIZE_BYTES_MAX);
                    within(*extra_bytes)?;
                    *at = if size == 0 { Chunk::Trailers } else { Chunk::Data(size) };
                    Ok(Next::Skip(line))
                }
            }
        }
        Chunk::Data(left) => match take(left, bytes) {
            0 => Ok(Next::NeedMore),
            taken => {
                if *left == 0 {
                    *at = Chunk::DataEnd;
                }
                Ok(Next::Data(taken))
            }
        },
        Chunk::DataEnd => match line_end(bytes) {
            Some(true) => {
                *at = Chunk::Size;
                Ok(Next::Skip(LINE_END.len()))
            }
            Some(false) => Err(Broken::DataEnd),
            None => Ok(Next::NeedMore),
        },
        Chunk::Trailers => {
            if line_end(bytes) == Some(true) {
                return Ok(Next::Ended);
            }
            let end = bytes.windows(LINE_END.len()).position(|two| two == LINE_END);
            if bytes[..end.unwrap_or(bytes.len())].contains(&b'\n') {
                return Err(Broken::Line);
            }
            match end {
                None => within(*extra_bytes + bytes.len()).map(|()| Next::NeedMore),
                Some(end) => {
                    *extra_bytes += end + LINE_END.len();
                    within(*extra_bytes)?;
                    Ok(Next::Skip(end + LINE_END.len()))
                }
            }
        }
    }
}

/// Takes what is there of so many bytes.
fn take(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= taken as u64;
    taken
}

/// Whether a line's end comes next; `None`: that can not be told yet.
fn line_end(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [] | [b'\r'] => None,
        bytes => Some(bytes.starts_with(LINE_END)),
    }
}

fn within(extra_bytes: usize) -> Result<(), Broken> {
    if extra_bytes > EXTRA_BYTES_MAX {
        Err(Broken::Extra)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body, and what is left after it.
    type Whole = (Vec<u8>, Vec<u8>);

    /// Reads bytes that come in pieces of so many. `None`: there is more to come.
    fn read(mut framing: Framing, bytes: &[u8], piece: usize) -> Result<Option<Whole>, Broken> {
        let (mut body, mut here) = (Vec::new(), Vec::new());
        let mut pieces = bytes.chunks(piece);
        loop {
            match framing.next(&here)? {
                Next::Data(bytes) => body.extend(here.drain(..bytes)),
                Next::Skip(bytes) => drop(here.drain(..bytes)),
                Next::NeedMore => match pieces.next() {
                    Some(piece) => here.extend_from_slice(piece),
                    None => return Ok(None),
                },
                Next::Ended => {
                    here.extend(pieces.flatten());
                    return Ok(Some((body, here)));
                }
            }
        }
    }

    #[test]
    fn a_body_ends_where_it_says_however_it_comes() {
        let chunked = b"5\r\nhello\r\n1;name=\"value\"\r\n \r\n0005\r\nworld\r\n0\r\ntrailer: x\r\n\r\nrest".as_slice();
        let cases = [
            (Framing::Length(11), b"hello worldrest".as_slice()),
            (Framing::chunked(), chunked),
            (Framing::chunked(), b"B\r\nhello world\r\n0\r\n\r\nrest"),
            (Framing::chunked(), b"b  \r\nhello world\r\n000\r\n\r\nrest"),
        ];
        for (framing, bytes) in cases {
            for piece in 1..=bytes.len() {
                let (body, rest) = read(framing, bytes, piece).expect("it is sound").expect("it ends");
                assert_eq!(
                    (&*body, &*rest),
                    (&b"hello world"[..], &b"rest"[..]),
                    "{framing:?} in pieces of {piece}"
                );
            }
            // One byte before its end it has not ended.
            let short = &bytes[..bytes.len() - "rest".len() - 1];
            assert_eq!(read(framing, short, 3), Ok(None));
        }
        assert_eq!(read(Framing::Length(0), b"rest", 4), Ok(Some((Vec::new(), b"rest".to_vec()))));
        assert_eq!(read(Framing::Ended, b"rest", 4), Ok(Some((Vec::new(), b"rest".to_vec()))));
        assert_eq!(read(Framing::UntilClose, b"rest", 1), Ok(None));
    }

    #[test]
    fn what_is_no_chunk_is_broken() {
        for (bytes, broken) in [
            (b"\r\n".as_slice(), Broken::Size),
            (b";x\r\n\r\n", Broken::Size),
            (b" 1\r\nx\r\n", Broken::Size),
            (b"-1\r\nx\r\n", Broken::Size),
            (b"0x1\r\nx\r\n", Broken::Size),
            (b"1 1\r\nx\r\n", Broken::Size),
            (b"1\nx\n0\n\n", Broken::Size),
            (b"11111111111111111\r\n", Broken::Size),
            (b"1;x\nx\r\nx\r\n", Broken::Line),
            (b"0;x\n\r\n\r\n", Broken::Line),
            (b"0\r\na: b\nc: d\r\n\r\n", Broken::Line),
            (b"0\r\n\n\r\n", Broken::Line),
            (b"1\r\nxx", Broken::DataEnd),
            (b"1\r\nx\n0\r\n\r\n", Broken::DataEnd),
            (b"1\r\nx\r0\r\n\r\n", Broken::DataEnd),
        ] {
            for piece in 1..=bytes.len() {
                assert_eq!(read(Framing::chunked(), bytes, piece), Err(broken), "{}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn what_nobody_reads_is_bounded() {
        let long = "x".repeat(EXTRA_BYTES_MAX);
        let many_chunks = "1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n".repeat(2000);
        let many_trailers = format!("0\r\n{}", "a: b\r\n".repeat(5000));
        for bytes in [format!("1;{long}"), format!("0\r\n{long}x"), many_chunks, many_trailers] {
            for piece in [7, 4096] {
                assert_eq!(read(Framing::chunked(), bytes.as_bytes(), piece), Err(Broken::Extra));
            }
        }
        // Small chunks without anything beside them may be as many as they like.
        let plain = format!("{}0\r\n\r\n", "1\r\nx\r\n".repeat(20_000));
        let read = read(Framing::chunked(), plain.as_bytes(), 4096);
        assert_eq!(read.expect("it is sound").map(|(body, _)| body.len()), Some(20_000));
    }

    /// Whatever comes, and however it is cut on its way: it is read as if it had come at once, and nothing is read past its end.
    #[test]
    fn what_comes_is_read_the_same_however_it_is_cut() {
        const PIECES: [&[u8]; 16] = [
            b"1",
            b"0",
            b"a",
            b"F",
            b"\r",
            b"\n",
            b"\r\n",
            b"\r\n\r\n",
            b";",
            b" ",
            b"x",
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
            b"2\r\nok\r\n",
            b"\t",
            b"\xff",
        ];
        let mut state = 1_u64;
        let mut roll = move |sides: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % sides
        };
        let (mut sound, mut broken) = (0, 0);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..1 + roll(12)).flat_map(|_| PIECES[roll(PIECES.len())].iter().copied()).collect();
            let framing = [Framing::chunked(), Framing::chunked(), Framing::Length(roll(20) as u64)][roll(3)];
            // Broken is broken, whatever is seen of it first.
            let whole = read(framing, &bytes, bytes.len()).map_err(drop);
            let cut = read(framing, &bytes, 1 + roll(4)).map_err(drop);
            assert_eq!(whole, cut, "{framing:?}: {}", bytes.escape_ascii());
            match whole {
                Ok(Some((_, rest))) => {
                    sound += 1;
                    assert!(bytes.ends_with(&rest));
                }
                Ok(None) => {}
                Err(_) => broken += 1,
            }
        }
        assert!(sound > 500 && broken > 500, "both were met: {sound}, {broken}");
    }
}
