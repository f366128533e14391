//! Turns at compiling: what somebody waits for comes first, and what nobody waits for gives its turn up to it.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// So many turns at once.
#[derive(Debug)]
pub(crate) struct Turns {
    turns: Semaphore,
    /// How many wait for a turn, of those that somebody waits for.
    waiting: Arc<watch::Sender<usize>>,
}

/// One who waits.
struct Waiting(Arc<watch::Sender<usize>>);

impl Turns {
    pub(crate) fn new(at_once: usize) -> Turns {
        Turns {
            turns: Semaphore::new(at_once),
            waiting: Arc::new(watch::channel(0).0),
        }
    }

    /// A turn for what somebody waits for.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        if let Ok(turn) = self.turns.try_acquire() {
            return turn;
        }
        self.waiting.send_modify(|count| *count += 1);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        self.turns.acquire().await.expect(NEVER_CLOSED)
    }

    /// Does work that nobody waits for, in a turn that nobody wants. `None`: somebody came for the turn, and the work was dropped.
    ///
    /// It is dropped and not let finish, since one component can take a minute; whoever is called for it compiles it then.
    pub(crate) async fn spare<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut waiting = self.waiting.subscribe();
        let turn = loop {
            waiting.wait_for(|count| *count == 0).await.expect(NEVER_CLOSED);
            let turn = self.turns.acquire().await.expect(NEVER_CLOSED);
            // Those who came while it waited stand behind it in the queue.
            if *waiting.borrow_and_update() == 0 {
                break turn;
            }
        };
        let done = tokio::select! {
            biased;
            done = work => Some(done),
            _ = waiting.wait_for(|count| *count > 0) => None,
        };
        drop(turn);
        done
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

const NEVER_CLOSED: &str = "neither is ever closed";

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_gives_way() {
        let turns = Turns::new(1);
        let (given_up, _turn) = tokio::join!(turns.spare(pending::<()>()), turns.turn());
        assert_eq!(given_up, None);
    }

    #[tokio::test]
    async fn it_has_a_turn_that_nobody_wants() {
        let turns = Turns::new(2);
        let urgent = turns.turn().await;
        assert_eq!(turns.spare(async { 1 }).await, Some(1));
        drop(urgent);
        assert_eq!(turns.spare(async { 2 }).await, Some(2));
    }

    #[tokio::test]
    async fn those_who_are_waited_for_stand_before_it() {
        let turns = Turns::new(1);
        let first = turns.turn().await;
        let order = std::sync::Mutex::new(Vec::new());
        let spare = turns.spare(async { order.lock().expect("whole").push("spare") });
        let urgent = async {
            let _turn = turns.turn().await;
            order.lock().expect("whole").push("urgent");
        };
        let end = async { drop(first) };
        let (done, (), ()) = tokio::join!(spare, urgent, end);
        assert_eq!(done, Some(()));
        assert_eq!(*order.lock().expect("whole"), ["urgent", "spare"]);
    }

    #[tokio::test]
    async fn one_who_stops_waiting_is_not_waited_for() {
        let turns = Turns::new(1);
        let turn = turns.turn().await;
        tokio::select! {
            biased;
            _ = turns.turn() => panic!("the turn is taken"),
            () = async {} => {}
        }
        drop(turn);
        assert_eq!(turns.spare(async { 1 }).await, Some(1));
    }
}
