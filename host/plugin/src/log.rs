//! What a guest says during a call: the lines of the interface `log`, and of standard output and error, each with its level in front.
//!
//! What is over the limits is counted and said in a last line, and costs next to nothing once the log is full. Who goes on and on after
//! that floods it, which ends the call: the bound is a count, so that the same call ends in the same way everywhere. A message of several
//! lines becomes several lines of log, so that no guest can write a line with a level that it did not use. The text is as the guest
//! gave it: whoever shows it escapes it.

use hookmill_domain::limits::PluginLimits;

use crate::fault::LimitMet;

/// How much of the guest's last words goes into a fault.
const LAST_WORDS_BYTES_MAX: usize = 1024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
    Stdout,
    Stderr,
}

impl Level {
    /// The levels that the interface `log` has a function for.
    pub(crate) const FUNCTIONS: [Level; 4] = [Level::Debug, Level::Info, Level::Warn, Level::Error];

    /// As it stands in front of a line, and as the function is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Stdout => "stdout",
            Level::Stderr => "stderr",
        }
    }
}

/// The log of one call.
#[derive(Debug)]
pub(crate) struct Log {
    text: String,
    lines: usize,
    lines_cut: u64,
    left_out: u64,
    full: bool,
    lines_max: usize,
    line_bytes_max: usize,
    bytes_max: usize,
    left_out_max: u32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    last_words: String,
}

impl Log {
    pub(crate) fn new(limits: &PluginLimits) -> Log {
        let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        Log {
            text: String::new(),
            lines: 0,
            lines_cut: 0,
            left_out: 0,
            full: limits.log_lines_max == 0,
            lines_max: limits.log_lines_max as usize,
            line_bytes_max: bytes(limits.log_line_bytes_max),
            bytes_max: bytes(limits.log_bytes_max),
            left_out_max: limits.log_left_out_lines_max,
            stdout: Vec::new(),
            stderr: Vec::new(),
            last_words: String::new(),
        }
    }

    /// Whether a message of that level would change nothing but a count.
    pub(crate) fn ignores(&self, level: Level) -> bool {
        self.full && level != Level::Error
    }

    /// Counts a message that [`Log::ignores`], unread.
    pub(crate) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Whether the guest said no more than a log may leave out.
    pub(crate) fn within_limits(&self) -> Result<(), LimitMet> {
        if self.left_out <= u64::from(self.left_out_max) {
            return Ok(());
        }
        Err(LimitMet::Log {
            left_out_max: self.left_out_max,
        })
    }

    /// Takes a message of the interface `log`.
    pub(crate) fn message(&mut self, level: Level, text: &str) {
        if level == Level::Error {
            self.last_words.clear();
            self.last_words.push_str(&text[..text.floor_char_boundary(LAST_WORDS_BYTES_MAX)]);
        }
        if self.full {
            return self.leave_out();
        }
        text.lines().for_each(|line| self.line(level, line));
    }

    /// Takes what the guest wrote to standard output or error.
    pub(crate) fn write(&mut self, level: Level, bytes: &[u8]) {
        if level == Level::Stderr {
            self.remember(bytes);
        }
        if self.full {
            self.left_out += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            return;
        }
        let mut pending = std::mem::take(self.pending(level));
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ends) = match piece.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (piece, false),
            };
            // One byte over the limit is enough to see that the line is to be cut.
            let room = self.line_bytes_max.saturating_add(1).saturating_sub(pending.len());
            pending.extend_from_slice(&piece[..piece.len().min(room)]);
            if ends {
                self.line(level, String::from_utf8_lossy(&pending).trim_end_matches('\r'));
                pending.clear();
            }
        }
        *self.pending(level) = pending;
    }

    /// What the guest said last on a level of errors, for a fault's message.
    pub(crate) fn last_words(&self) -> &str {
        self.last_words.trim_end()
    }

    /// The log's text, if anything was said.
    pub(crate) fn finish(&mut self) -> Option<String> {
        for level in [Level::Stdout, Level::Stderr] {
            let pending = std::mem::take(self.pending(level));
            if !pending.is_empty() {
                self.line(level, &String::from_utf8_lossy(&pending));
            }
        }
        let mut text = std::mem::take(&mut self.text);
        match (self.left_out, self.lines_cut) {
            (0, 0) => {}
            (left_out, 0) => text.push_str(&format!("(the log's limits: {left_out} more left out)\n")),
            (0, lines_cut) => text.push_str(&format!("(the log's limits: {lines_cut} cut)\n")),
            (left_out, lines_cut) => {
                text.push_str(&format!("(the log's limits: {lines_cut} cut, {left_out} more left out)\n"));
            }
        }
        (!text.is_empty()).then_some(text)
    }

    fn line(&mut self, level: Level, line: &str) {
        let frame_bytes = level.name().len() + ": \n".len();
        let room = self.bytes_max.saturating_sub(self.text.len() + frame_bytes);
        if self.full || room == 0 {
            self.full = true;
            return self.leave_out();
        }
        let kept = line.floor_char_boundary(self.line_bytes_max.min(room));
        self.lines_cut += u64::from(kept < line.len());
        for part in [level.name(), ": ", &line[..kept], "\n"] {
            self.text.push_str(part);
        }
        self.lines += 1;
        self.full = self.lines >= self.lines_max;
    }

    fn remember(&mut self, bytes: &[u8]) {
        self.last_words.push_str(&String::from_utf8_lossy(bytes));
        if self.last_words.len() > LAST_WORDS_BYTES_MAX {
            let over = self.last_words.len() - LAST_WORDS_BYTES_MAX;
            self.last_words.drain(..self.last_words.ceil_char_boundary(over));
        }
    }

    fn pending(&mut self, level: Level) -> &mut Vec<u8> {
        if level == Level::Stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines_max: u32, line_bytes_max: u64, bytes_max: u64) -> Log {
        Log::new(&PluginLimits {
            log_lines_max: lines_max,
            log_line_bytes_max: line_bytes_max,
            log_bytes_max: bytes_max,
            ..PluginLimits::default()
        })
    }

    #[test]
    fn a_level_stands_in_front_of_each_line() {
        let mut log = log(10, 100, 1000);
        log.message(Level::Info, "one\nerror: not an error");
        log.write(Level::Stdout, b"a");
        log.write(Level::Stderr, b"oh\r\nno");
        log.write(Level::Stdout, b"b\nc");
        let text = log.finish().expect("something was said");
        assert_eq!(
            text,
            "info: one\ninfo: error: not an error\nstderr: oh\nstdout: ab\nstdout: c\nstderr: no\n"
        );
    }

    #[test]
    fn silence_is_no_log() {
        assert_eq!(log(10, 100, 1000).finish(), None);
    }

    #[test]
    fn lines_over_the_limits_are_cut_and_counted() {
        let mut log = log(2, 4, 1000);
        log.message(Level::Info, "éééé");
        log.write(Level::Stdout, b"123456\n");
        assert!(log.ignores(Level::Info) && !log.ignores(Level::Error));
        log.message(Level::Error, "last");
        log.write(Level::Stdout, b"x\ny\n");
        log.leave_out();
        assert_eq!(log.last_words(), "last");
        assert_eq!(
            log.finish().expect("a log"),
            "info: éé\nstdout: 1234\n(the log's limits: 2 cut, 4 more left out)\n"
        );
    }

    #[test]
    fn bytes_in_all_are_limited() {
        let mut log = log(1000, 100, 30);
        for _ in 0..10 {
            log.message(Level::Warn, "12345678");
        }
        let text = log.finish().expect("a log");
        assert_eq!(text, "warn: 12345678\nwarn: 12345678\n(the log's limits: 8 more left out)\n");
    }

    #[test]
    fn the_end_of_standard_error_is_remembered() {
        let mut log = log(1, 10, 100);
        log.write(Level::Stderr, "ä".repeat(2000).as_bytes());
        log.write(Level::Stderr, b"\nlast\n");
        assert!(log.last_words().ends_with("ä\nlast"));
        assert!(log.last_words().len() <= LAST_WORDS_BYTES_MAX);
    }

    #[test]
    fn a_flood_of_standard_output_is_over_the_limits() {
        let mut log = log(1, 10, 100);
        log.write(Level::Stdout, &b"\n".repeat(10_001));
        assert_eq!(log.within_limits(), Ok(()));
        log.write(Level::Stdout, b"\n");
        assert_eq!(log.within_limits(), Err(LimitMet::Log { left_out_max: 10_000 }));
    }
}
