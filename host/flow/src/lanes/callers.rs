//! The threads that call plugins: who of them waits, and how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// It is at work, or has been rung for.
const BUSY: u8 = 0;
/// It has found no run to take, and goes on with calls that have yielded.
const BETWEEN_SLICES: u8 = 1;
/// It has nothing to do.
const ASLEEP: u8 = 2;

/// Whom a ring has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rung {
    /// One that gives a slice to a call, and hears it when that ends.
    WithinASlice,
    /// One that slept, or nobody.
    Otherwise,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Callers {
    threads: Vec<Caller>,
    /// Those who wait until one of them sleeps, and how they are told: nobody is rung for where nobody waits.
    watchers: AtomicUsize,
    sleeps: Notify,
}

#[derive(Debug)]
struct Caller {
    bell: Arc<Notify>,
    state: AtomicU8,
}

impl Callers {
    pub(crate) fn new(threads: usize) -> Callers {
        let caller = |_| Caller {
            bell: Arc::default(),
            state: AtomicU8::new(BUSY),
        };
        Callers {
            threads: (0..threads).map(caller).collect(),
            watchers: AtomicUsize::new(0),
            sleeps: Notify::new(),
        }
    }

    pub(crate) fn bell(&self, thread: usize) -> Arc<Notify> {
        self.threads[thread].bell.clone()
    }

    /// A thread has found nothing to take. `has_calls`: it has some that have yielded, and goes on with them.
    pub(crate) fn waits(&self, thread: usize, has_calls: bool) {
        let state = if has_calls { BETWEEN_SLICES } else { ASLEEP };
        self.threads[thread].state.store(state, SeqCst);
    }

    /// Tells those who wait for one to sleep that one may, after the lock under which it said so: telling may cost a call of the system.
    pub(crate) fn tell_watchers(&self) {
        if self.watchers.load(SeqCst) > 0 && !self.are_busy() {
            self.sleeps.notify_waiters();
        }
    }

    /// It waits no more.
    pub(crate) fn is_back(&self, thread: usize) {
        self.threads[thread].state.store(BUSY, SeqCst);
    }

    /// Whether none of them sleeps, so that real runs may wait for one.
    pub(crate) fn are_busy(&self) -> bool {
        self.threads.iter().all(|caller| caller.state.load(SeqCst) != ASLEEP)
    }

    /// Ends once one of them sleeps.
    pub(crate) async fn one_sleeps(&self) {
        let _watcher = Watcher::new(&self.watchers);
        loop {
            let slept = self.sleeps.notified();
            tokio::pin!(slept);
            slept.as_mut().enable();
            // Looked at after it is known that somebody waits: whoever falls asleep before that is seen, and whoever does after it tells.
            if !self.are_busy() {
                return;
            }
            slept.await;
        }
    }

    /// Rings for one that sleeps, else for one that goes on with slices: there the run shares its core, and the slice is to end. Each is rung
    /// for once. A busy one looks again before it waits.
    pub(crate) fn ring(&self) -> Rung {
        let takes = |caller: &&Caller, state| caller.state.compare_exchange(state, BUSY, SeqCst, SeqCst).is_ok();
        let mut callers = self.threads.iter();
        let asleep = callers.find(|caller| takes(caller, ASLEEP));
        let rung = asleep.or_else(|| self.threads.iter().find(|caller| takes(caller, BETWEEN_SLICES)));
        if let Some(caller) = rung {
            caller.bell.notify_one();
        }
        match (asleep, rung) {
            (None, Some(_)) => Rung::WithinASlice,
            _ => Rung::Otherwise,
        }
    }
}

/// One who waits, until it is dropped.
struct Watcher<'a>(&'a AtomicUsize);

impl Watcher<'_> {
    fn new(watchers: &AtomicUsize) -> Watcher<'_> {
        watchers.fetch_add(1, SeqCst);
        Watcher(watchers)
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_that_sleeps_is_rung_for_before_one_with_slices_and_each_once() {
        let callers = Callers::new(3);
        let rung = || {
            let is_rung = |thread: &usize| callers.bell(*thread).notified().now_or_never().is_some();
            (0..3).filter(is_rung).collect::<Vec<_>>()
        };
        assert_eq!(callers.ring(), Rung::Otherwise);
        assert!(rung().is_empty(), "all are busy, and look before they wait");
        callers.waits(0, true);
        assert!(callers.are_busy(), "one that gives slices is");
        callers.waits(2, false);
        assert!(!callers.are_busy());
        assert_eq!(callers.ring(), Rung::Otherwise);
        assert_eq!(rung(), [2]);
        assert_eq!(callers.ring(), Rung::WithinASlice);
        assert_eq!(rung(), [0]);
        callers.ring();
        assert!(rung().is_empty() && callers.are_busy(), "both are on their way");
        callers.waits(2, false);
        callers.is_back(2);
        callers.ring();
        assert!(rung().is_empty());
    }

    #[test]
    fn who_waits_for_one_to_sleep_is_told() {
        let callers = Callers::new(2);
        let mut context = Context::from_waker(Waker::noop());
        let mut slept = pin!(callers.one_sleeps());
        let mut is_told = || slept.as_mut().poll(&mut context) == Poll::Ready(());
        assert!(!is_told(), "both are busy");
        callers.waits(0, true);
        callers.tell_watchers();
        assert!(!is_told(), "one that gives slices is");
        callers.waits(1, false);
        callers.tell_watchers();
        assert!(is_told());
        assert!(callers.one_sleeps().now_or_never().is_some(), "it sleeps still");
        callers.is_back(1);
        assert!(callers.one_sleeps().now_or_never().is_none());
        assert_eq!(callers.watchers.load(SeqCst), 0, "who has gone away is not counted");
    }
}
