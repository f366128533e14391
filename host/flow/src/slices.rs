//! Calls that are under way on one thread, and have yielded: each gets a slice in its turn, one at a time, so that whoever asks for the
//! thread meanwhile waits for one slice and not for a round of them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// The calls of one thread.
#[derive(Debug)]
pub(crate) struct Slices<F> {
    calls: VecDeque<Slot<F>>,
    thread: Arc<AtomicWaker>,
}

#[derive(Debug)]
struct Slot<F> {
    call: Pin<Box<F>>,
    woken: Arc<Woken>,
    waker: Waker,
}

/// Whether a call can go on. A guest that has yielded can at once, one that waits for its component when that is there.
#[derive(Debug)]
struct Woken {
    is: AtomicBool,
    thread: Arc<AtomicWaker>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is.store(true, SeqCst);
        self.thread.wake();
    }
}

impl<F: Future> Slices<F> {
    pub(crate) fn new() -> Slices<F> {
        Slices {
            calls: VecDeque::new(),
            thread: Arc::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes up a call that has been polled elsewhere. It is asked once whether it can go on.
    pub(crate) fn push(&mut self, call: Pin<Box<F>>) {
        let woken = Arc::new(Woken {
            is: AtomicBool::new(true),
            thread: self.thread.clone(),
        });
        let waker = Waker::from(woken.clone());
        self.calls.push_back(Slot { call, woken, waker });
    }

    /// Gives one slice to the next call that can go on. `Ready`: it has ended; `None` where there are none.
    pub(crate) fn poll_slice(&mut self, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        // Before the look at who can go on, so that nobody comes to be woken between the two.
        self.thread.register(context.waker());
        if self.calls.is_empty() {
            return Poll::Ready(None);
        }
        for _ in 0..self.calls.len() {
            let Some(mut slot) = self.calls.pop_front() else { break };
            if !slot.woken.is.swap(false, SeqCst) {
                self.calls.push_back(slot);
                continue;
            }
            if let Poll::Ready(output) = slot.call.as_mut().poll(&mut Context::from_waker(&slot.waker)) {
                return Poll::Ready(Some(output));
            }
            self.calls.push_back(slot);
            if self.calls.iter().any(|slot| slot.woken.is.load(SeqCst)) {
                context.waker().wake_by_ref();
            }
            break;
        }
        Poll::Pending
    }

    /// The next call that ends; `None` where there are none.
    pub(crate) async fn next(&mut self) -> Option<F::Output> {
        poll_fn(|context| self.poll_slice(context)).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Counts its polls in a common list, and ends at the last of so many.
    async fn call(number: u32, slices: u32, polled: Rc<RefCell<Vec<u32>>>) -> u32 {
        for _ in 1..slices {
            polled.borrow_mut().push(number);
            tokio::task::yield_now().await;
        }
        polled.borrow_mut().push(number);
        number
    }

    #[tokio::test(flavor = "current_thread")]
    async fn each_gets_its_slice_in_turn_and_one_at_a_time() {
        let polled = Rc::new(RefCell::new(Vec::new()));
        let mut slices = Slices::new();
        for number in 0..4 {
            slices.push(Box::pin(call(number, 3, polled.clone())));
        }
        let once = poll_fn(|context| Poll::Ready(slices.poll_slice(context))).await;
        assert!(once.is_pending());
        assert_eq!(*polled.borrow(), [0], "one slice, however many could go on");
        let mut ended = Vec::new();
        while let Some(number) = slices.next().await {
            ended.push(number);
        }
        assert_eq!(ended, [0, 1, 2, 3]);
        assert_eq!(*polled.borrow(), [0, 1, 2, 3].repeat(3));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_that_waits_for_others_is_woken_by_them() {
        let (tell, told) = tokio::sync::oneshot::channel::<u32>();
        let mut slices = Slices::new();
        slices.push(Box::pin(told));
        tokio::task::spawn(async move {
            tokio::task::yield_now().await;
            tell.send(7).expect("it is waited for");
        });
        assert_eq!(slices.next().await, Some(Ok(7)));
        assert!(slices.is_empty() && slices.next().await.is_none());
    }
}
