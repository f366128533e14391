//! When a failed delivery is tried again.

use crate::time::Time;

/// The waits between attempts. The first attempt is made at once; each wait begins at the end of the attempt before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    delays_ms: Vec<u64>,
}

/// Why a list of waits is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// Too many.
    #[error("holds at most {max} waits", max = Schedule::DELAYS_MAX)]
    TooMany,
    /// One is too long.
    #[error("a wait is at most {max} ms (a day)", max = Schedule::DELAY_MS_MAX)]
    TooLong,
}

impl Schedule {
    /// The most waits of a schedule.
    pub const DELAYS_MAX: usize = 50;
    /// The longest wait: a day.
    pub const DELAY_MS_MAX: u64 = 24 * 60 * 60 * 1000;

    /// The schedule with these waits, and one attempt more than there are waits.
    pub fn new(delays_ms: Vec<u64>) -> Result<Schedule, BadSchedule> {
        if delays_ms.len() > Schedule::DELAYS_MAX {
            return Err(BadSchedule::TooMany);
        }
        if delays_ms.iter().any(|delay| *delay > Schedule::DELAY_MS_MAX) {
            return Err(BadSchedule::TooLong);
        }
        Ok(Schedule { delays_ms })
    }

    /// The waits, in milliseconds.
    pub fn delays_ms(&self) -> &[u64] {
        &self.delays_ms
    }

    /// When the next attempt is due after `attempts` of them (at least one), the last of which ended at `ended`. `None`: there is no
    /// further one.
    pub fn next(&self, attempts: u32, ended: Time) -> Option<Time> {
        let wait = usize::try_from(attempts.checked_sub(1)?).ok()?;
        self.delays_ms.get(wait).map(|delay| ended.plus_millis(*delay))
    }
}

impl Default for Schedule {
    /// Ten attempts, the waits 2, 4, 8 … 512 seconds.
    fn default() -> Schedule {
        Schedule {
            delays_ms: (1..=9).map(|n| 1000 << n).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_with_waits_of_two_to_the_n() {
        let schedule = Schedule::default();
        let mut now = Time::from_millis(0);
        let mut seen = Vec::new();
        for attempts in 1.. {
            let Some(due) = schedule.next(attempts, now) else { break };
            seen.push(due.since_millis(now) / 1000);
            now = due;
        }
        assert_eq!(seen, [2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }

    #[test]
    fn edges() {
        let now = Time::from_millis(7);
        assert_eq!(Schedule::new(vec![]).expect("one attempt").next(1, now), None);
        assert_eq!(Schedule::default().next(0, now), None);
        assert_eq!(Schedule::default().next(u32::MAX, now), None);
        assert_eq!(Schedule::new(vec![1; 51]), Err(BadSchedule::TooMany));
        assert_eq!(Schedule::new(vec![86_400_001]), Err(BadSchedule::TooLong));
    }
}
