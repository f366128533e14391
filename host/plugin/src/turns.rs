//! Turns at compiling. A party has one at a time. What somebody waits for comes first, and what nobody waits for gives its turn up to it.
//!
//! Uploads and loads stand in a queue each, and the two are served in turns; within each, parties are served in turns, however many of one
//! party's wait. (A party that stands in both is served in both.)

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookmill_domain::integration::OrganizationKey;
use tokio::sync::{oneshot, watch};

/// Whose turn it is: an organization's, or the host's own.
pub(crate) type Party = Option<OrganizationKey>;

/// Who waits for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A client, who can be told to come again.
    Upload,
    /// An event.
    Load,
}

/// So many turns at once.
#[derive(Debug)]
pub(crate) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    at_once: usize,
    /// What those watch who would have a turn that nobody wants.
    spare: watch::Sender<Spare>,
}

#[derive(Debug)]
struct State {
    taken: usize,
    /// Who has a turn.
    parties: HashSet<Party>,
    queues: [Queue; 2],
    /// The queue that is served first the next time.
    next: Lane,
    /// The number of the next who waits.
    number: u64,
}

/// Those who wait, by party. The party that was served last is the last.
#[derive(Debug)]
struct Queue {
    waiting: usize,
    waiting_max: usize,
    parties: VecDeque<(Party, VecDeque<Waiting>)>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    turn: oneshot::Sender<Turn>,
}

/// Whether a turn is to be had for what nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spare {
    Free,
    Taken,
    /// All are taken, and somebody waits for one.
    Wanted,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    shared: Arc<Shared>,
    holder: Holder,
}

#[derive(Debug, Clone, Copy)]
enum Holder {
    Party(Party),
    Nobody,
}

/// Somebody's place in a queue, who leaves it when it is dropped.
struct Place<'a> {
    shared: &'a Arc<Shared>,
    party: Party,
    lane: Lane,
    number: u64,
}

impl Turns {
    /// Of each lane, so many may wait.
    pub(crate) fn new(at_once: usize, uploads_waiting_max: usize, loads_waiting_max: usize) -> Turns {
        let queue = |waiting_max| Queue {
            waiting: 0,
            waiting_max,
            parties: VecDeque::new(),
        };
        Turns(Arc::new(Shared {
            state: Mutex::new(State {
                taken: 0,
                parties: HashSet::new(),
                queues: [queue(uploads_waiting_max), queue(loads_waiting_max)],
                next: Lane::Load,
                number: 0,
            }),
            at_once,
            spare: watch::channel(Spare::Free).0,
        }))
    }

    /// A turn for what somebody waits for. `None`: too many wait already.
    pub(crate) async fn turn(&self, party: Party, lane: Lane) -> Option<Turn> {
        let (turn, given) = oneshot::channel();
        let _place = self.0.stand(party, lane, turn)?;
        self.0.serve();
        Some(given.await.expect("who stands in a queue is served, or leaves it himself"))
    }

    /// Does work that nobody waits for, in a turn that nobody wants. `None`: somebody came for the turn, and the work was dropped.
    ///
    /// It is dropped and not let finish, since one component can take a minute; whoever is called for it compiles it then.
    pub(crate) async fn spare<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut spare = self.0.spare.subscribe();
        let _turn = loop {
            spare.wait_for(|spare| *spare == Spare::Free).await.expect(NEVER_CLOSED);
            if let Some(turn) = self.0.take_spare() {
                break turn;
            }
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            _ = spare.wait_for(|spare| *spare == Spare::Wanted) => None,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stand(self: &Arc<Self>, party: Party, lane: Lane, turn: oneshot::Sender<Turn>) -> Option<Place<'_>> {
        let mut state = self.lock();
        state.number += 1;
        let number = state.number;
        state.queues[lane as usize].push(party, Waiting { number, turn })?;
        Some(Place {
            shared: self,
            party,
            lane,
            number,
        })
    }

    /// Gives out what turns there are.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            let Some((party, turn)) = state.next(self.at_once) else {
                self.tell(&state);
                return;
            };
            drop(state);
            let given = Turn {
                shared: Arc::clone(self),
                holder: Holder::Party(party),
            };
            // Who has left meanwhile leaves the turn to the next: it is dropped here.
            drop(turn.send(given));
        }
    }

    fn take_spare(self: &Arc<Self>) -> Option<Turn> {
        let mut state = self.lock();
        if state.taken >= self.at_once {
            return None;
        }
        state.taken += 1;
        self.tell(&state);
        Some(Turn {
            shared: Arc::clone(self),
            holder: Holder::Nobody,
        })
    }

    fn tell(&self, state: &State) {
        let now = match state.taken < self.at_once {
            true => Spare::Free,
            false if state.queues.iter().any(|queue| queue.has_next(&state.parties)) => Spare::Wanted,
            false => Spare::Taken,
        };
        self.spare.send_if_modified(|spare| std::mem::replace(spare, now) != now);
    }
}

impl State {
    /// Who is given a turn now.
    fn next(&mut self, at_once: usize) -> Option<(Party, oneshot::Sender<Turn>)> {
        if self.taken >= at_once {
            return None;
        }
        let (lane, (party, waiting)) = [self.next, self.next.other()]
            .into_iter()
            .find_map(|lane| Some((lane, self.queues[lane as usize].pop(&self.parties)?)))?;
        self.next = lane.other();
        self.taken += 1;
        self.parties.insert(party);
        Some((party, waiting.turn))
    }
}

impl Queue {
    fn push(&mut self, party: Party, waiting: Waiting) -> Option<()> {
        if self.waiting >= self.waiting_max {
            return None;
        }
        self.waiting += 1;
        match self.parties.iter_mut().find(|(of, _)| *of == party) {
            Some((_, all)) => all.push_back(waiting),
            None => self.parties.push_back((party, VecDeque::from([waiting]))),
        }
        Some(())
    }

    fn position(&self, busy: &HashSet<Party>) -> Option<usize> {
        self.parties.iter().position(|(party, _)| !busy.contains(party))
    }

    fn has_next(&self, busy: &HashSet<Party>) -> bool {
        self.position(busy).is_some()
    }

    fn pop(&mut self, busy: &HashSet<Party>) -> Option<(Party, Waiting)> {
        let (party, mut all) = self.parties.remove(self.position(busy)?)?;
        let first = all.pop_front()?;
        self.waiting -= 1;
        if !all.is_empty() {
            self.parties.push_back((party, all));
        }
        Some((party, first))
    }

    /// One who has been served is not there any more.
    fn remove(&mut self, party: Party, number: u64) {
        let Some(position) = self.parties.iter().position(|(of, _)| *of == party) else {
            return;
        };
        let all = &mut self.parties[position].1;
        let before = all.len();
        all.retain(|waiting| waiting.number != number);
        self.waiting -= before - all.len();
        if all.is_empty() {
            self.parties.remove(position);
        }
    }
}

impl Lane {
    fn other(self) -> Lane {
        match self {
            Lane::Upload => Lane::Load,
            Lane::Load => Lane::Upload,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.queues[self.lane as usize].remove(self.party, self.number);
        self.shared.tell(&state);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.taken -= 1;
            if let Holder::Party(party) = &self.holder {
                state.parties.remove(party);
            }
        }
        self.shared.serve();
    }
}

const NEVER_CLOSED: &str = "it is never closed";

#[cfg(test)]
mod tests;
