//! The lanes behind their one lock, and the bells that wake who takes from them. The lock is held for a step of the yard and never across
//! a wait.

mod lane;
mod work;
mod yard;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::limits::Limits;
use hookmill_store::Store;
use tokio::sync::Notify;

pub(crate) use work::{RowFollows, Run, Sending, Stage, place_bytes};
pub(crate) use yard::{After, Load, Yard};

/// Runs for which one thread is enough: waking a second one costs more than it saves.
const RUNS_A_THREAD: usize = 32;

/// The yard, and rings for threads that call plugins, tasks that send, and tasks that read.
pub(crate) struct Lanes {
    yard: Mutex<Yard>,
    /// One for each thread that calls plugins, and whether it waits.
    runs: Vec<(Arc<Notify>, AtomicBool)>,
    /// Workers that wait for a delivery, and who makes more of them when none waits.
    pub(crate) idle: AtomicU32,
    pub(crate) workers: Notify,
    pub(crate) no_worker: Notify,
    pub(crate) loads: Notify,
    pub(crate) timers: Notify,
    /// Rung when a call or an attempt has ended.
    pub(crate) ended: Notify,
    store: Store,
}

impl Lanes {
    pub(crate) fn new(limits: Limits, threads: usize, calls_max: u32, store: Store) -> Lanes {
        Lanes {
            yard: Mutex::new(Yard::new(limits, calls_max)),
            runs: (0..threads).map(|_| (Arc::default(), AtomicBool::new(false))).collect(),
            idle: AtomicU32::new(0),
            workers: Notify::new(),
            no_worker: Notify::new(),
            loads: Notify::new(),
            timers: Notify::new(),
            ended: Notify::new(),
            store,
        }
    }

    /// The bell of a thread that calls plugins.
    pub(crate) fn run_bell(&self, thread: usize) -> Arc<Notify> {
        self.runs[thread].0.clone()
    }

    /// Says whether a thread that calls plugins is about to wait.
    pub(crate) fn set_idle(&self, thread: usize, idle: bool) {
        self.runs[thread].1.store(idle, Ordering::SeqCst);
    }

    /// One step. Whatever it made ready is rung for.
    pub(crate) fn step<T>(&self, step: impl FnOnce(&mut Yard) -> T) -> T {
        let mut yard = self.lock();
        let timer = yard.first_timer();
        let value = step(&mut yard);
        let (runs, sendings, loads, sooner) = (
            yard.ready_runs(),
            yard.has_sendings(),
            yard.has_loads(),
            yard.first_timer().is_some_and(|at| timer.is_none_or(|timer| at < timer)),
        );
        drop(yard);
        if runs > 0 {
            self.ring_for_runs(runs);
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
        self.step(|yard| {
            let mut after = After::default();
            let value = step(yard, &mut after);
            if !after.records.is_empty() {
                self.store.record_outcomes(after.records);
            }
            if let Some(mark) = after.mark {
                self.store.save_mark(mark);
            }
            value
        })
    }

    /// Rings again if a delivery waits: for a worker that was rung for and took another.
    pub(crate) fn ring_if_sendings(&self) {
        if self.look(Yard::has_sendings) {
            self.ring_for_sendings();
        }
    }

    /// The next run. Every thread was rung for when it was offered, so nobody is rung for here.
    pub(crate) fn take_run(&self) -> Option<Run> {
        self.lock().take_run()
    }

    /// The next delivery. If there are more, the next worker is rung for.
    pub(crate) fn take_sending(&self) -> Option<Sending> {
        let mut yard = self.lock();
        let taken = yard.take_sending();
        let more = taken.is_some() && yard.has_sendings();
        drop(yard);
        if more {
            self.ring_for_sendings();
        }
        taken
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

    /// Rings for as many idle threads as there is work for. A busy one looks again before it waits.
    fn ring_for_runs(&self, runs: usize) {
        let idle = self.runs.iter().filter(|(_, idle)| idle.load(Ordering::SeqCst));
        for (bell, _) in idle.take(1 + runs / RUNS_A_THREAD) {
            bell.notify_one();
        }
    }

    /// A worker that waits takes it; if none waits, one is made. A worker that was rung for looks again before it waits, so a ring is
    /// never lost.
    fn ring_for_sendings(&self) {
        if self.idle.load(Ordering::SeqCst) > 0 {
            self.workers.notify_one();
        } else {
            self.no_worker.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Yard> {
        // A panic inside a step would be a fault of the house; what is in memory can be made again from disk, so the others go on.
        self.yard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
