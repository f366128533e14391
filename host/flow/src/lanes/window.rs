//! How many attempts at once a target gets, by how it answers: one that hangs is found out by a few of them, and holds few from then on.
//!
//! It is what TCP does with a path that it does not know (RFC 5681, section 3): a modest start, more with each answer, half with each
//! attempt that came to nothing.

use std::time::Duration;

/// Attempts at once to a target that is not known yet.
const FIRST: u32 = 16;
/// An attempt that takes longer holds its place for so long that it says nothing good of its target.
const SLOW: Duration = Duration::from_secs(2);

/// What an attempt tells of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It was answered soon, whatever the answer.
    Answered,
    /// It failed at once, or was not made.
    Unknown,
    /// It was answered late.
    Slow,
    /// It took long and came to nothing.
    Hung,
}

impl Pace {
    /// Of an attempt that took so long, was answered or not, or ran out of time.
    pub(crate) fn of(duration: Duration, answered: bool, timed_out: bool) -> Pace {
        match (answered, duration < SLOW && !timed_out) {
            (true, true) => Pace::Answered,
            (true, false) => Pace::Slow,
            (false, true) => Pace::Unknown,
            (false, false) => Pace::Hung,
        }
    }
}

/// How many attempts at once a target gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window(u32);

impl Default for Window {
    fn default() -> Window {
        Window(FIRST)
    }
}

impl Window {
    /// So many, where none gets more than `max`.
    pub(crate) fn size(self, max: u32) -> u32 {
        self.0.min(max)
    }

    /// Whether it has hung lately, and has not answered often enough since.
    pub(crate) fn has_hung(self) -> bool {
        self.0 < FIRST
    }

    /// Counts an attempt that has ended, of so many that were under way. What is not used does not grow: it would say nothing of what the
    /// target can take (RFC 7661).
    pub(crate) fn count(&mut self, pace: Pace, in_flight: u32, max: u32) {
        self.0 = match pace {
            Pace::Answered if self.has_hung() => self.0 * 2,
            Pace::Answered if in_flight >= self.size(max) => (self.0 + 1).min(max.max(FIRST)),
            Pace::Slow if self.0 > FIRST => (self.0 / 2).max(FIRST),
            Pace::Answered | Pace::Unknown | Pace::Slow => self.0,
            Pace::Hung => (self.0 / 2).max(1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_open_it_and_hanging_closes_it() {
        let mut window = Window::default();
        let after = |window: &mut Window, pace, times| {
            (0..times).for_each(|_| window.count(pace, window.size(64), 64));
            window.size(64)
        };
        assert_eq!(after(&mut window, Pace::Answered, 10), 26);
        window.count(Pace::Answered, 25, 64);
        assert_eq!(window.size(64), 26, "it is not used whole");
        assert_eq!(after(&mut window, Pace::Answered, 100), 64);
        assert_eq!(after(&mut window, Pace::Slow, 1), 32);
        assert_eq!(after(&mut window, Pace::Slow, 9), 16);
        assert_eq!(after(&mut window, Pace::Answered, 48), 64);
        assert_eq!(after(&mut window, Pace::Hung, 2), 16);
        assert!(!window.has_hung());
        assert_eq!(after(&mut window, Pace::Hung, 100), 1);
        assert_eq!(after(&mut window, Pace::Unknown, 100), 1);
        assert!(window.has_hung());
        assert_eq!(after(&mut window, Pace::Answered, 4), 16);
        assert!(!window.has_hung());
        assert_eq!(window.size(2), 2);
    }

    #[test]
    fn what_an_attempt_tells() {
        let (soon, late) = (Duration::from_millis(10), Duration::from_secs(5));
        assert_eq!(Pace::of(soon, true, false), Pace::Answered);
        assert_eq!(Pace::of(late, true, false), Pace::Slow, "it answers, but holds its places for long");
        assert_eq!(Pace::of(soon, false, false), Pace::Unknown, "a refused connection holds nothing");
        assert_eq!(Pace::of(late, false, false), Pace::Hung);
        assert_eq!(Pace::of(soon, false, true), Pace::Hung, "its time was short");
    }
}
