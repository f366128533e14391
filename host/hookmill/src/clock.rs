//! The real clock and dice.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hookmill_domain::clock::{Clock, Sleep};
use hookmill_domain::time::Time;

/// Time that begins at the wall clock, goes on by monotonic time, and is slewed towards the wall clock by at most a tenth of what has
/// passed: a jump of the wall clock neither fires timers nor starves them.
#[derive(Debug, Clone)]
pub(crate) struct SystemClock {
    state: std::sync::Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    at: Instant,
    /// Microseconds since the epoch.
    now_us: i64,
}

/// One microsecond in so many may be added or left out.
const SLEW: i64 = 10;

impl SystemClock {
    /// Begins at the wall clock.
    pub(crate) fn new() -> SystemClock {
        SystemClock {
            state: std::sync::Arc::new(Mutex::new(State {
                at: Instant::now(),
                now_us: wall_us(),
            })),
        }
    }

    /// Goes on from `floor` if it has not come so far: nothing on disk is younger than the present.
    pub(crate) fn go_on_from(&self, floor: Time) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now_us = state.now_us.max(floor.millis().saturating_mul(1000));
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn wall_us() -> i64 {
    i64::try_from(wall().as_micros()).unwrap_or(i64::MAX)
}

/// What the clock shows after `passed` microseconds, seen the wall clock.
fn slewed(now_us: i64, passed: i64, wall_us: i64) -> i64 {
    let steady = now_us.saturating_add(passed);
    let most = passed / SLEW;
    steady.saturating_add(wall_us.saturating_sub(steady).clamp(-most, most))
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        let passed = i64::try_from(at.saturating_duration_since(state.at).as_micros()).unwrap_or(i64::MAX);
        state.now_us = slewed(state.now_us, passed, wall_us());
        state.at = at;
        Time::from_millis(state.now_us / 1000)
    }

    fn wall_seconds(&self) -> i64 {
        i64::try_from(wall().as_secs()).unwrap_or(i64::MAX)
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let left = at.since_millis(clock.now());
                if left == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(left)).await;
            }
        })
    }

    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system has a source of random bytes, or nothing here can be kept secret");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_of_the_wall_clock_are_spread() {
        assert_eq!(slewed(1_000, 100, 1_100), 1_100);
        assert_eq!(slewed(1_000, 100, 1_000_000), 1_110);
        assert_eq!(slewed(1_000, 100, 0), 1_090);
        assert_eq!(slewed(1_000, 0, 0), 1_000, "it never goes back");
    }

    #[test]
    fn it_goes_on_from_what_is_on_disk() {
        let clock = SystemClock::new();
        let floor = clock.now().plus_millis(3_600_000);
        clock.go_on_from(floor);
        assert!(clock.now() >= floor);
    }
}
