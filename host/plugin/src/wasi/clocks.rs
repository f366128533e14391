//! Clocks that stand at the event's acceptance, and move on only by the guest's own sleeping.
//!
//! A sleep returns at once: waiting for timers moves the clock on to the earliest of them. So time costs nothing and is the same on
//! every run. Nothing else that a guest can wait for here ever comes later than at once, so waiting for what will never come is a
//! fault, not a wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hookmill_domain::time::Time;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::{self, Duration, Instant};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::bindings::wasi::io::poll;

use crate::sandbox::Sandbox;

/// The most things that a guest waits for at once.
const POLLABLES_MAX: usize = 1024;
/// A clock is read in milliseconds, as events are accepted.
const RESOLUTION_NS: u64 = 1_000_000;

/// The clock of a call, in nanoseconds since the epoch: the wall clock and the monotonic one are the same.
#[derive(Debug)]
pub(crate) struct Clock {
    now_ns: AtomicU64,
    /// The earliest deadline of a timer that was asked and not due; `u64::MAX` is none.
    next_ns: AtomicU64,
}

impl Clock {
    pub(crate) fn standing_at(time: Time) -> Clock {
        let millis = u64::try_from(time.millis()).unwrap_or(0);
        Clock {
            now_ns: AtomicU64::new(millis.saturating_mul(1_000_000)),
            next_ns: AtomicU64::new(u64::MAX),
        }
    }

    fn now_ns(&self) -> u64 {
        self.now_ns.load(Relaxed)
    }

    fn is_due(&self, at_ns: u64) -> bool {
        let due = at_ns <= self.now_ns();
        if !due {
            self.next_ns.fetch_min(at_ns, Relaxed);
        }
        due
    }

    fn forget_next(&self) {
        self.next_ns.store(u64::MAX, Relaxed);
    }

    /// Moves on to the earliest deadline that was asked for; false if there was none.
    fn move_on(&self) -> bool {
        let next_ns = self.next_ns.swap(u64::MAX, Relaxed);
        if next_ns == u64::MAX && self.now_ns() == u64::MAX {
            return false;
        }
        self.now_ns.fetch_max(next_ns, Relaxed);
        true
    }
}

/// What a guest waits for when it sleeps.
struct Timer {
    clock: Arc<Clock>,
    at_ns: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        if !self.clock.is_due(self.at_ns) {
            std::future::pending().await
        }
    }
}

impl Sandbox {
    fn timer(&mut self, at_ns: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let wasi = self.wasi();
        let timer = Timer {
            clock: Arc::clone(&wasi.clock),
            at_ns,
        };
        let timer = wasi.table.push(timer)?;
        subscribe(&mut wasi.table, timer)
    }

    /// Which of these are ready, after moving the clock on if none is.
    async fn wait(&mut self, reps: &[u32]) -> wasmtime::Result<Vec<u32>> {
        let wasi = self.wasi();
        wasi.clock.forget_next();
        for moved in [false, true] {
            if moved && !wasi.clock.move_on() {
                break;
            }
            let mut ready = Vec::new();
            for (index, rep) in (0..).zip(reps) {
                if poll::HostPollable::ready(&mut wasi.table, Resource::new_borrow(*rep)).await? {
                    ready.push(index);
                }
            }
            if !ready.is_empty() {
                return Ok(ready);
            }
        }
        Err(wasmtime::Error::msg("the plugin waits for something that never comes"))
    }
}

impl wall_clock::Host for Sandbox {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        let now_ns = self.wasi().clock.now_ns();
        let nanoseconds = u32::try_from(now_ns % 1_000_000_000).expect("less than a second");
        Ok(Datetime {
            seconds: now_ns / 1_000_000_000,
            nanoseconds,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        Ok(Datetime {
            seconds: 0,
            nanoseconds: RESOLUTION_NS as u32,
        })
    }
}

impl monotonic_clock::Host for Sandbox {
    fn now(&mut self) -> wasmtime::Result<Instant> {
        Ok(self.wasi().clock.now_ns())
    }

    fn resolution(&mut self) -> wasmtime::Result<Duration> {
        Ok(RESOLUTION_NS)
    }

    fn subscribe_instant(&mut self, when: Instant) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(when)
    }

    fn subscribe_duration(&mut self, duration: Duration) -> wasmtime::Result<Resource<DynPollable>> {
        let at_ns = self.wasi().clock.now_ns().saturating_add(duration);
        self.timer(at_ns)
    }
}

impl poll::Host for Sandbox {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.is_empty() || pollables.len() > POLLABLES_MAX {
            return Err(wasmtime::Error::msg(format!(
                "a plugin may wait for 1 to {POLLABLES_MAX} things at once"
            )));
        }
        let reps: Vec<u32> = pollables.iter().map(Resource::rep).collect();
        self.wait(&reps).await
    }
}

impl poll::HostPollable for Sandbox {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.wasi().table, pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.wait(&[pollable.rep()]).await.map(|_| ())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.wasi().table, pollable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_to_the_earliest_deadline() {
        let clock = Clock::standing_at(Time::from_millis(5));
        assert!(clock.is_due(5_000_000));
        assert!(!clock.is_due(9_000_000) && !clock.is_due(7_000_000));
        assert!(clock.move_on());
        assert_eq!(clock.now_ns(), 7_000_000);
        assert!(clock.is_due(7_000_000) && !clock.is_due(9_000_000));
    }
}
