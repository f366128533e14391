//! An answer that comes line by line.

use std::time::Duration;

use anyhow::Context as _;
use hookmill_domain::target::TargetUrl;
use hookmill_egress::{Client, Stream};

use super::{failed, refused};

/// The longest silence of an answer; a host says something each second.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The longest line.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An answer, line by line. Dropping it ends what the host does for it.
pub(crate) struct Lines {
    url: TargetUrl,
    stream: Stream,
    read: Vec<u8>,
    /// Connections that are shared live as long as it.
    _client: Client,
}

impl Lines {
    /// Begins to read. What the host refuses is an error that says why.
    pub(super) async fn open(url: TargetUrl, stream: Stream, client: Client) -> anyhow::Result<Lines> {
        let status = stream.status();
        let mut lines = Lines {
            url,
            stream,
            read: Vec::new(),
            _client: client,
        };
        if status.is_success() {
            return Ok(lines);
        }
        let said = lines.next().await?.unwrap_or_default();
        Err(refused(&lines.url, status, said.as_bytes()))
    }

    /// The next line; `None`: the answer has ended as it should.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.read[looked_at..].iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(looked_at + end + 1);
                return self.text(rest).map(Some);
            }
            looked_at = self.read.len();
            anyhow::ensure!(looked_at <= LINE_BYTES_MAX, "{} answers with more than can be read", self.url);
            let piece = tokio::time::timeout(SILENCE_MAX, self.stream.piece()).await;
            let piece = piece.with_context(|| format!("{} says nothing for {} s", self.url, SILENCE_MAX.as_secs()))?;
            match piece {
                Some(Ok(piece)) => self.read.extend_from_slice(&piece),
                Some(Err(failure)) => return Err(failed(&self.url, &failure)),
                None if self.read.is_empty() => return Ok(None),
                None => return self.text(Vec::new()).map(Some),
            }
        }
    }

    fn text(&mut self, rest: Vec<u8>) -> anyhow::Result<String> {
        let line = std::mem::replace(&mut self.read, rest);
        String::from_utf8(line).with_context(|| format!("the answer of {} is not text", self.url))
    }
}
