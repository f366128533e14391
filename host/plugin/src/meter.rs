//! The time of a call: CPU time in running slices, and wall-clock time without the time spent waiting for a core.
//!
//! A ticker raises the engine's epoch, and so does whoever wants a guest's thread for another call: the running guest comes here, gives its
//! thread away and is polled again when its turn comes. A call that has just begun goes on: the epoch is the engine's, and raising it is
//! meant for those that have had a slice. So a call's budget is spent by itself alone, a thread is never held for more than a tick or two,
//! and a sleeping host call (there should be none) is ended by the wall clock.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Sleep;
use wasmtime::UpdateDeadline;

use crate::fault::LimitMet;
use crate::ticker::TICK;

/// The time of one call. It is shared by the call's store and by the one who polls it, always on the same thread at a time.
#[derive(Debug)]
pub(crate) struct Meter {
    budget_ms: u64,
    started: Instant,
    used_ns: AtomicU64,
    /// The thread's CPU clock at the running slice's start. Of the first slice it is not read (a system call): that slice is
    /// measured from `started`.
    slice_start_ns: AtomicU64,
    first_slice: AtomicBool,
    yielded: AtomicBool,
}

/// The most that a first slice counts: it ends with the tick after its first, and what it took longer, the system gave to others.
const FIRST_SLICE_NS_MAX: u64 = 4_000_000;

impl Meter {
    /// Starts now.
    pub(crate) fn start(budget_ms: u64) -> Meter {
        Meter {
            budget_ms,
            started: Instant::now(),
            used_ns: AtomicU64::new(0),
            slice_start_ns: AtomicU64::new(0),
            first_slice: AtomicBool::new(true),
            yielded: AtomicBool::new(false),
        }
    }

    /// Since the start, whatever happened.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The epoch was raised while the guest runs: it yields, unless it has just begun, or its budget is spent.
    pub(crate) fn tick(&self) -> Result<UpdateDeadline, LimitMet> {
        if self.first_slice.load(Relaxed) && self.started.elapsed() < TICK {
            return Ok(UpdateDeadline::Continue(1));
        }
        self.end_slice();
        if self.used_ns.load(Relaxed) / 1_000_000 >= self.budget_ms {
            return Err(LimitMet::Cpu { budget_ms: self.budget_ms });
        }
        self.yielded.store(true, Relaxed);
        Ok(UpdateDeadline::Yield(1))
    }

    fn end_slice(&self) {
        let slice_ns = if self.first_slice.load(Relaxed) {
            let elapsed_ns = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            elapsed_ns.min(FIRST_SLICE_NS_MAX)
        } else {
            thread_cpu_ns().saturating_sub(self.slice_start_ns.load(Relaxed))
        };
        self.used_ns.store(self.used_ns.load(Relaxed).saturating_add(slice_ns), Relaxed);
    }

    fn begin_slice(&self) {
        self.first_slice.store(false, Relaxed);
        self.slice_start_ns.store(thread_cpu_ns(), Relaxed);
    }
}

fn thread_cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Drives a call to its end, or until it has run and waited for the host for `wall_ms`. Time between a yield and the next turn does
/// not count.
pub(crate) async fn watch<F: Future>(meter: &Meter, wall_ms: u64, call: F) -> Result<F::Output, LimitMet> {
    let wall = Duration::from_millis(wall_ms);
    let mut call = pin!(call);
    let mut spent = Duration::ZERO;
    let mut paused_at: Option<Instant> = None;
    let mut alarm: Option<Pin<Box<Sleep>>> = None;
    std::future::poll_fn(|context| {
        let resumed_at = match paused_at {
            None => meter.started,
            Some(paused_at) => {
                let now = Instant::now();
                if !meter.yielded.swap(false, Relaxed) {
                    spent += now - paused_at;
                }
                meter.begin_slice();
                now
            }
        };
        if let Poll::Ready(output) = call.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        let now = Instant::now();
        paused_at = Some(now);
        spent += now - resumed_at;
        if !meter.yielded.load(Relaxed) {
            meter.end_slice();
        }
        if spent >= wall {
            return Poll::Ready(Err(LimitMet::Time { wall_ms }));
        }
        let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(wall - spent)));
        while alarm.as_mut().poll(context).is_ready() {
            // It counted the time in the queue too, which is given back.
            alarm.as_mut().reset(tokio::time::Instant::now() + (wall - spent));
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
    }

    /// Uses up CPU time until the thread's clock has moved on by that much.
    fn burn(ms: u64) {
        let until = thread_cpu_ns() + ms * 1_000_000;
        while thread_cpu_ns() < until {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_call_that_waits_for_ever_is_ended() {
        let meter = Meter::start(1000);
        let ended = runtime().block_on(watch(&meter, 20, std::future::pending::<()>()));
        assert_eq!(ended, Err(LimitMet::Time { wall_ms: 20 }));
        assert!(meter.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn slices_are_summed_up_to_the_budget() {
        let meter = Meter::start(6);
        let mut slices = 0;
        let call = std::future::poll_fn(|context| {
            burn(2);
            slices += 1;
            context.waker().wake_by_ref();
            match meter.tick() {
                Ok(_) => Poll::Pending,
                Err(limit) => Poll::Ready(limit),
            }
        });
        let ended = runtime().block_on(watch(&meter, 10_000, call));
        assert_eq!(ended, Ok(LimitMet::Cpu { budget_ms: 6 }));
        assert!((2..=3).contains(&slices), "{slices} slices of 2 ms");
    }

    #[test]
    fn a_call_that_has_just_begun_goes_on() {
        let answers = |started: Instant, slices: u32| {
            let meter = Meter {
                started,
                ..Meter::start(1000)
            };
            (0..slices).for_each(|_| meter.begin_slice());
            let goes_on = matches!(meter.tick(), Ok(UpdateDeadline::Continue(1)));
            assert_eq!(meter.yielded.load(Relaxed), !goes_on);
            goes_on
        };
        let now = Instant::now();
        let later = now + Duration::from_secs(3600);
        assert!(answers(later, 0), "less than a tick is over");
        assert!(!answers(now - TICK, 0));
        assert!(!answers(later, 1), "it has had a slice");
    }

    #[test]
    fn time_in_the_queue_is_not_spent() {
        // Its first slice has been a tick already, so that it gives its thread away at once.
        let meter = Meter {
            started: Instant::now() - TICK,
            ..Meter::start(1000)
        };
        let mut turns = 0;
        let call = std::future::poll_fn(|context| {
            turns += 1;
            context.waker().wake_by_ref();
            if turns == 6 {
                Poll::Ready(())
            } else {
                meter.tick().map_or(Poll::Ready(()), |_| Poll::Pending)
            }
        });
        let neighbour = async {
            for _ in 0..6 {
                burn(100);
                tokio::task::yield_now().await;
            }
        };
        // The neighbour takes 600 ms between this call's turns, far more than the 300 ms of its wall clock.
        let (ended, ()) = runtime().block_on(async { tokio::join!(watch(&meter, 300, call), neighbour) });
        assert_eq!(ended, Ok(()));
    }
}
