//! What goes into the store and comes out of it on the river's way: events, places in the queue, outcomes.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{DeliveryId, EventId, IntegrationId, RunSource, Salt};
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, Revision};
use hookmill_domain::key::Key;
use hookmill_domain::names::{ClientEventId, Kind, ProductId};
use hookmill_domain::outcome::{CallFacts, ParkCode};
use hookmill_domain::request::Request;
use hookmill_domain::revision::{Pinned, Snapshot};
use hookmill_domain::time::Time;

/// An event that is to be accepted.
#[derive(Debug)]
pub struct NewEvent {
    /// The configuration that it was matched by. If it is no longer the present one, the event is refused as moved.
    pub snapshot: Arc<Snapshot>,
    /// Its kind.
    pub kind: Kind,
    /// The inbox that its document belongs to.
    pub inbox: Option<ProductId>,
    /// The project that its document belongs to.
    pub project: Option<ProductId>,
    /// Its document.
    pub document: ProductId,
    /// The client's own id of it, and the digest of what another event under that id would not have: kind, scopes, data.
    pub client: Option<(ClientEventId, Digest)>,
    /// `data`, byte for byte; it is UTF-8.
    pub data: Bytes,
    /// The integrations that it is owed to, each with a place in memory or not.
    pub owed: Vec<Owed>,
}

/// A run that an event is owed.
#[derive(Debug, Clone)]
pub struct Owed {
    /// Whose it is.
    pub pinned: Arc<Pinned>,
    /// Whether a place in memory was reserved; if not, a row of the queue is written with the event.
    pub place: bool,
}

/// An event as the river carries it.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its key.
    pub key: Key,
    /// Its id's salt.
    pub salt: Salt,
    /// Whose it is.
    pub organization: OrganizationKey,
    /// Its kind.
    pub kind: Kind,
    /// The inbox that its document belongs to.
    pub inbox: Option<ProductId>,
    /// The project that its document belongs to.
    pub project: Option<ProductId>,
    /// `data`, byte for byte; it is UTF-8.
    pub data: Bytes,
}

impl Event {
    /// Its id.
    pub fn id(&self) -> EventId {
        EventId::new(self.key, self.salt)
    }
}

/// An event that a commit has put on disk, with what it is owed: handed to the sink.
#[derive(Debug)]
pub struct Accepted {
    /// The event.
    pub event: Arc<Event>,
    /// The configuration that it was matched by.
    pub snapshot: Arc<Snapshot>,
    /// The runs.
    pub owed: Vec<Owed>,
}

/// The answer to one accepted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its id; of a duplicate, the first one's.
    pub id: EventId,
    /// Whether it had been accepted before.
    pub duplicate: bool,
}

/// Why events were not accepted: none of them was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AcceptError {
    /// The configuration has changed since they were matched: match again.
    #[error("the configuration has changed meanwhile")]
    Moved,
    /// An event's own id was used for another one.
    #[error("the id of event {position} was used for another event")]
    Conflict {
        /// Its position among those given, from 0.
        position: usize,
        /// The position of the one that it contradicts, if that is among those given.
        other: Option<usize>,
    },
    /// The store could not.
    #[error(transparent)]
    Store(#[from] crate::error::StoreError),
}

/// Names one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunRef {
    /// Its event.
    pub event: Key,
    /// Its order among the event's.
    pub generation: u32,
    /// Whose plugin runs.
    pub integration: IntegrationKey,
    /// Whose event it is.
    pub organization: OrganizationKey,
}

/// Names one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryRef {
    /// Its run.
    pub run: RunRef,
    /// Its number among the run's requests, from 0.
    pub ordinal: u16,
}

/// What ids are made of, for a run that is known by its rows.
pub fn run_source(run: RunRef, salt: Salt, integration: IntegrationId) -> RunSource {
    RunSource {
        key: run.event,
        salt,
        integration,
        generation: run.generation,
    }
}

/// A run taken from the queue.
#[derive(Debug)]
pub struct Queued {
    /// Which.
    pub run: RunRef,
    /// Its event.
    pub event: Arc<Event>,
    /// The configuration that it is run under: the event's, or its order's.
    pub revision: Revision,
    /// What its ids are salted with: the event's salt, or its order's.
    pub salt: Salt,
    /// The requests that have their row already: they are not sent again.
    pub recorded: Vec<u16>,
}

/// A delivery whose time has come.
#[derive(Debug)]
pub struct Due {
    /// Which.
    pub delivery: DeliveryRef,
    /// Its id.
    pub id: DeliveryId,
    /// When it was due.
    pub at: Time,
    /// Attempts made so far.
    pub attempts: u32,
    /// Attempts made since its schedule began.
    pub counted: u32,
    /// The frozen request.
    pub frozen: Bytes,
}

/// What a run's first row says of the call.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// How many requests it owes.
    pub requests: u16,
    /// The plugin's version.
    pub version: u32,
    /// The call.
    pub call: CallFacts,
}

/// One try at a delivery, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it ended.
    pub ended_at: Time,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// The response's status; absent if there was none.
    pub status: Option<u16>,
    /// Of a failure: its code.
    pub code: Option<String>,
    /// Of a failure, or of a response that did not end well: what happened.
    pub detail: Option<String>,
    /// What is kept of the response's body.
    pub response: Bytes,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The receiver has taken it.
    Delivered,
    /// It is tried again then.
    Waiting(Time),
    /// It is tried when its target's hold ends.
    Held,
    /// Its attempts are used up.
    Exhausted,
    /// It is older than the age cap.
    Expired,
}

/// How a run ends that owes no request.
#[derive(Debug, Clone)]
pub enum RunEnd {
    /// Nothing is owed, and that is right.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It waits until somebody acts.
    Parked {
        /// What kind of failure.
        code: ParkCode,
        /// For the plugin's author.
        reason: String,
        /// Whether it is the last of too many faults in a row: the integration's calls are stopped.
        stop: bool,
    },
    /// It is older than the age cap.
    Expired,
}

/// One thing that happened, to be written with the next commit.
#[derive(Debug)]
pub enum Record {
    /// A run ended without requests.
    Ended {
        /// Which.
        run: RunRef,
        /// What is known of the call.
        facts: RunFacts,
        /// How.
        end: RunEnd,
        /// Whether it has a row of the queue, which goes with it.
        queued: bool,
    },
    /// A request's first attempt ended, or none was made.
    First {
        /// Which.
        delivery: DeliveryRef,
        /// Of ordinal 0: what is known of the run.
        facts: Option<RunFacts>,
        /// The target's name.
        target: Option<String>,
        /// Of the frozen request.
        digest: Digest,
        /// The attempt; absent if none was made.
        attempt: Option<Attempt>,
        /// What becomes of it.
        next: Next,
        /// The request, unless it was delivered: it is frozen where it is written, since that copies its body.
        request: Option<Box<Request>>,
        /// Whether it is its run's last missing row.
        last: bool,
        /// Whether its run has a row of the queue, which goes with the last one.
        queued: bool,
    },
    /// A further attempt ended, or could not be made for a fault of the host's own.
    Again {
        /// Which.
        delivery: DeliveryRef,
        /// When it was due.
        was_due: Time,
        /// The attempt; absent if none was made.
        attempt: Option<Attempt>,
        /// Attempts since the schedule began, this one included.
        counted: u32,
        /// What becomes of it.
        next: Next,
    },
    /// A run from the queue turns out to have all its rows: its row of the queue goes.
    Complete(RunRef),
    /// A run gives up its place in memory, or what it pins: it gets a row of the queue.
    Enqueue(RunRef),
}

/// A record that a commit has put on disk: handed to the sink.
#[derive(Debug)]
pub struct Recorded {
    /// What was recorded.
    pub run: RunRef,
    /// Of a delivery: its number.
    pub ordinal: Option<u16>,
    /// Whether it was a further attempt of a delivery that had been taken up as due.
    pub again: bool,
    /// When it is due now.
    pub due: Option<Time>,
    /// Whether nothing of its run is left to be recorded.
    pub run_complete: bool,
    /// Whether it was put into the queue.
    pub queued: bool,
}

/// What a commit has put on disk.
#[derive(Debug, Default)]
pub struct Committed {
    /// Events, in the order of their keys.
    pub accepted: Vec<Accepted>,
    /// Outcomes.
    pub recorded: Vec<Recorded>,
}
