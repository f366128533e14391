//! The lanes behind their one lock, and the bells that wake who takes from them. The lock is held for a step of the yard and never across
//! a wait.

mod callers;
mod lane;
mod loads;
mod window;
mod work;
mod yard;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::limits::Limits;
use hookmill_plugin_room::Interrupter;
use hookmill_store::Store;
use tokio::sync::Notify;

use callers::Callers;
pub(crate) use loads::Load;
pub(crate) use window::Pace;
pub(crate) use work::{Run, Sending, Stage, held, place_bytes};
pub(crate) use yard::{After, AttemptEnded, Cold, Yard};

/// The yard, and rings for threads that call plugins, tasks that send, and tasks that read.
pub(crate) struct Lanes {
    yard: Mutex<Yard>,
    pub(crate) callers: Callers,
    /// Workers that wait for a delivery, and who makes more of them when none waits.
    idle: AtomicU32,
    workers: Notify,
    /// A worker has been rung for and has not come yet: it rings for the next one itself.
    worker_comes: AtomicBool,
    pub(crate) no_worker: Notify,
    pub(crate) loads: Notify,
    pub(crate) timers: Notify,
    /// Rung when a call or an attempt has ended.
    pub(crate) ended: Notify,
    ends: AtomicBool,
    store: Store,
    interrupter: Interrupter,
}

/// Why a worker was rung for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rung {
    /// There is something to send.
    Work,
    /// The river ends.
    End,
}

impl Lanes {
    pub(crate) fn new(limits: Limits, threads: usize, calls_max: u32, store: Store, interrupter: Interrupter) -> Lanes {
        Lanes {
            yard: Mutex::new(Yard::new(limits, calls_max)),
            callers: Callers::new(threads),
            idle: AtomicU32::new(0),
            workers: Notify::new(),
            worker_comes: AtomicBool::new(false),
            no_worker: Notify::new(),
            loads: Notify::new(),
            timers: Notify::new(),
            ended: Notify::new(),
            ends: AtomicBool::new(false),
            store,
            interrupter,
        }
    }

    /// One step. Whatever may be taken after it is rung for: once, since who is rung for takes some and rings for the next.
    pub(crate) fn step<T>(&self, step: impl FnOnce(&mut Yard) -> T) -> T {
        self.step_and_ring(|yard| {
            let value = step(yard);
            (value, yard.has_runs())
        })
    }

    /// A step that says whether a thread is to be rung for.
    fn step_and_ring<T>(&self, step: impl FnOnce(&mut Yard) -> (T, bool)) -> T {
        let mut yard = self.lock();
        let timer = yard.first_timer();
        let (value, runs) = step(&mut yard);
        let (sendings, loads, sooner) = (
            yard.has_sendings(),
            yard.has_loads(),
            yard.first_timer().is_some_and(|at| timer.is_none_or(|timer| at < timer)),
        );
        drop(yard);
        if runs && self.callers.ring() == callers::Rung::WithinASlice {
            // Whoever has used up a slice waits for those who have not, and not they for the end of its next one.
            self.interrupter.interrupt();
        }
        if sendings {
            self.ring_for_sendings();
        }
        if loads {
            self.loads.notify_one();
        }
        if sooner {
            self.timers.notify_one();
        }
        value
    }

    /// One step that leaves something for the store. It is left there before the lock is given up, so that records, and the marks that pass
    /// their events, come to the store in the order of the steps.
    pub(crate) fn step_after<T>(&self, step: impl FnOnce(&mut Yard, &mut After) -> T) -> T {
        self.step(|yard| self.leave(yard, step))
    }

    fn leave<T>(&self, yard: &mut Yard, step: impl FnOnce(&mut Yard, &mut After) -> T) -> T {
        let mut after = After::default();
        let value = step(yard, &mut after);
        if !after.records.is_empty() {
            self.store.record_outcomes(after.records);
        }
        if let Some(mark) = after.mark {
            self.store.save_mark(mark);
        }
        value
    }

    /// What a thread that calls plugins does between calls, under one lock: the end of the last ones, and the next runs, at most `max` of
    /// them. If there are none, it counts as waiting from here on; `has_calls`: it has some that have yielded, gives them a slice now,
    /// and has a place for one more.
    pub(crate) fn next_runs(
        &self,
        thread: usize,
        max: usize,
        has_calls: bool,
        runs: &mut Vec<Run>,
        ended: impl FnOnce(&mut Yard, &mut After),
    ) {
        self.step_and_ring(|yard| {
            self.leave(yard, ended);
            runs.extend(std::iter::from_fn(|| yard.take_run()).take(max));
            // Under the lock: who offers a run after this finds it waiting.
            if runs.is_empty() && (max > 0 || has_calls && !yard.has_runs()) {
                self.callers.waits(thread, has_calls);
            }
            // Fewer than asked for: there are no more.
            let more = runs.len() >= max && yard.has_runs();
            ((), more)
        });
        if runs.is_empty() && max > 0 {
            self.callers.tell_watchers();
        }
    }

    /// What a worker does between deliveries, under one lock: the end of the last one, and the next one. If there is none, it counts as
    /// waiting from here on. If there are more, the next worker is rung for.
    pub(crate) fn next_sending(&self, ended: impl FnOnce(&mut Yard, &mut After)) -> Option<Sending> {
        self.step_after(|yard, after| {
            ended(yard, after);
            self.worker_comes.store(false, Ordering::SeqCst);
            let next = yard.take_sending();
            if next.is_none() {
                self.idle.fetch_add(1, Ordering::SeqCst);
            }
            next
        })
    }

    /// Waits until a worker is rung for, or the end has come.
    pub(crate) async fn worker_is_rung(&self) -> Rung {
        // Made before the look at the end, so that a ring between the two is not missed.
        let rung = self.workers.notified();
        let ends = self.ends.load(Ordering::SeqCst);
        if !ends {
            rung.await;
        }
        self.idle.fetch_sub(1, Ordering::SeqCst);
        if ends { Rung::End } else { Rung::Work }
    }

    /// Lets workers go that find nothing to do.
    pub(crate) fn end(&self) {
        self.ends.store(true, Ordering::SeqCst);
        self.workers.notify_waiters();
    }

    /// The next read. If there are more, the next reader is rung for.
    pub(crate) fn take_load(&self) -> Option<(IntegrationKey, Load)> {
        let mut yard = self.lock();
        let taken = yard.take_load();
        let more = taken.is_some() && yard.has_loads();
        drop(yard);
        if more {
            self.loads.notify_one();
        }
        taken
    }

    /// A look that changes nothing.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Yard) -> T) -> T {
        look(&self.lock())
    }

    /// A worker that waits takes it; if none waits, one is made. One at a time: whoever comes to the yard looks, and rings for the next
    /// if there is more, so a ring is never lost.
    fn ring_for_sendings(&self) {
        if self.worker_comes.swap(true, Ordering::SeqCst) {
            return;
        }
        if self.idle.load(Ordering::SeqCst) > 0 {
            // The one that waits for the shortest time: what it used last is still warm.
            self.workers.notify_last();
        } else {
            self.no_worker.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Yard> {
        // A panic inside a step would be a fault of the house; what is in memory can be made again from disk, so the others go on.
        self.yard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
