//! The signals that tell a command to end.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long after a signal another one still tells of the same wish: `timeout` of GNU coreutils, say, sends its signal to the process and then
/// to its group, and who runs a process under another one may have both pass it on.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Ctrl-C, SIGTERM, and the end of the terminal.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Hangup,
    told_at: Option<Instant>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: Hangup::listen()?,
            told_at: None,
        })
    }

    /// Ends when one of them has come since the last time.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = self.hangup.recv() => {}
        }
        self.told_at = Some(Instant::now());
    }

    /// Ends when one has come that is another wish than the last one that [`Signals::next`] told of: sent by somebody, a second or more after
    /// that. A terminal's end is told more than once.
    pub(crate) async fn again(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if self.told_at.is_none_or(|told_at| told_at.elapsed() >= SAME_WISH) {
                return;
            }
        }
    }
}

/// SIGHUP, where it is to end the process. Whoever starts a process under `nohup` has it ignored, and it stays ignored.
struct Hangup(Option<Signal>);

impl Hangup {
    /// Listens from now on.
    fn listen() -> std::io::Result<Hangup> {
        let kind = SignalKind::hangup();
        // Only Linux tells it in a file; elsewhere the signal ends the process as ever.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        if is_ignored(&status, kind) {
            return Ok(Hangup(None));
        }
        signal(kind).map(|signal| Hangup(Some(signal)))
    }

    /// Ends when it has come since the last time.
    async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => pending().await,
        }
    }
}

/// Whether a process with this status ignores a signal (proc_pid_status(5): a mask in hexadecimal, the lowest bit for signal 1).
fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| (mask >> (kind.as_raw_value() - 1)) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = |mask: &str| format!("Name:\ta\nSigBlk:\tffffffffffffffff\nSigIgn:\t{mask}\nSigCgt:\tffffffffffffffff\n");
        for (mask, hangup, interrupt) in [
            ("0000000000000000", false, false),
            ("0000000000000001", true, false),
            ("0000000000001002", false, true),
            ("0000000000001003", true, true),
        ] {
            let of = |kind| is_ignored(&status(mask), kind);
            assert_eq!(
                (of(SignalKind::hangup()), of(SignalKind::interrupt())),
                (hangup, interrupt),
                "{mask}"
            );
        }
        assert!(!is_ignored("", SignalKind::hangup()));
    }
}
