//! The threads that call plugins: who of them waits, and how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use tokio::sync::Notify;

/// It is at work, or has been rung for.
const BUSY: u8 = 0;
/// It has found no run to take, and goes on with calls that have yielded.
const BETWEEN_SLICES: u8 = 1;
/// It has nothing to do.
const ASLEEP: u8 = 2;

/// All of them.
#[derive(Debug)]
pub(crate) struct Callers(Vec<Caller>);

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
        Callers((0..threads).map(caller).collect())
    }

    pub(crate) fn bell(&self, thread: usize) -> Arc<Notify> {
        self.0[thread].bell.clone()
    }

    /// A thread has found nothing to take. `has_calls`: it has some that have yielded, and goes on with them.
    pub(crate) fn waits(&self, thread: usize, has_calls: bool) {
        let state = if has_calls { BETWEEN_SLICES } else { ASLEEP };
        self.0[thread].state.store(state, SeqCst);
    }

    /// It waits no more.
    pub(crate) fn is_back(&self, thread: usize) {
        self.0[thread].state.store(BUSY, SeqCst);
    }

    /// Whether none of them sleeps, so that real runs may wait for one.
    pub(crate) fn are_busy(&self) -> bool {
        self.0.iter().all(|caller| caller.state.load(SeqCst) != ASLEEP)
    }

    /// Rings for one that sleeps, else for one that goes on with slices: there the run would wait for one of them, and share its core. Each is
    /// rung for once. A busy one looks again before it waits.
    pub(crate) fn ring(&self) {
        let takes = |caller: &&Caller, state| caller.state.compare_exchange(state, BUSY, SeqCst, SeqCst).is_ok();
        let mut callers = self.0.iter();
        let asleep = callers.find(|caller| takes(caller, ASLEEP));
        let rung = asleep.or_else(|| self.0.iter().find(|caller| takes(caller, BETWEEN_SLICES)));
        if let Some(caller) = rung {
            caller.bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_that_sleeps_is_rung_for_before_one_with_slices_and_each_once() {
        let callers = Callers::new(3);
        let rung = || {
            let is_rung = |thread: &usize| callers.bell(*thread).notified().now_or_never().is_some();
            (0..3).filter(is_rung).collect::<Vec<_>>()
        };
        callers.ring();
        assert!(rung().is_empty(), "all are busy, and look before they wait");
        callers.waits(0, true);
        assert!(callers.are_busy(), "one that gives slices is");
        callers.waits(2, false);
        assert!(!callers.are_busy());
        callers.ring();
        assert_eq!(rung(), [2]);
        callers.ring();
        assert_eq!(rung(), [0]);
        callers.ring();
        assert!(rung().is_empty() && callers.are_busy(), "both are on their way");
        callers.waits(2, false);
        callers.is_back(2);
        callers.ring();
        assert!(rung().is_empty());
    }
}
