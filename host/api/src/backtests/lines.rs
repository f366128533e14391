//! The answer's body: a line of JSON for each thing that is told.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hookmill_flow::Line;
use http_body::Frame;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::shown::{LineShown, Versions};
use crate::json;
use crate::problem::Problem;

/// The lines of a backtest, as the client takes them. When it is dropped, the backtest ends.
pub(super) struct Lines {
    lines: mpsc::Receiver<Line>,
    versions: Versions,
    has_ended: bool,
}

/// The backtest ended without a word, by a fault of the host's: the answer is cut off.
#[derive(Debug, thiserror::Error)]
#[error("the backtest ended before its last line")]
pub(super) struct Cut;

impl Lines {
    pub(super) fn new(lines: mpsc::Receiver<Line>, versions: Versions) -> Lines {
        Lines {
            lines,
            versions,
            has_ended: false,
        }
    }

    fn text(&self, line: Line) -> Result<Bytes, Cut> {
        let shown = match line {
            Line::Progress(tally) => LineShown::Progress(tally.into()),
            Line::Summary(summary) => LineShown::Summary(Box::new(self.versions.summary(summary))),
            Line::Failed(failure) => {
                let document = String::from_utf8(Problem::from(failure).document()).map_err(|_| Cut)?;
                LineShown::Problem(RawValue::from_string(document).map_err(|_| Cut)?)
            }
        };
        let mut text = json::to_vec(&shown).map_err(|_| Cut)?;
        text.push(b'\n');
        Ok(text.into())
    }
}

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(line) = self.lines.poll_recv(context) else {
            return Poll::Pending;
        };
        self.has_ended = !matches!(line, Some(Line::Progress(_)));
        let text = line.ok_or(Cut).and_then(|line| self.text(line));
        Poll::Ready(Some(text.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }
}
