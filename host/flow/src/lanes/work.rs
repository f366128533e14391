//! The pieces of work that lanes hold.

use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{DeliveryId, Salt};
use hookmill_domain::key::Key;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::outcome::Fault;
use hookmill_domain::request::Request;
use hookmill_domain::revision::Pinned;
use hookmill_domain::time::Time;
use hookmill_plugin_room::Component;
use hookmill_store::{DeliveryRef, Event, Next, Record, RunFacts, RunRef};

/// A run that waits for its plugin.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) run: RunRef,
    pub(crate) event: Arc<Event>,
    pub(crate) pinned: Arc<Pinned>,
    /// The organization's name, as payloads have it.
    pub(crate) organization: OrganizationName,
    /// What its ids are salted with.
    pub(crate) salt: Salt,
    /// Requests that have their row from before a restart.
    pub(crate) recorded: Vec<u16>,
    /// Whether it was tried before and failed by a fault of the host's own.
    pub(crate) second_try: bool,
    /// What came of loading its component, where it has waited for that.
    pub(crate) loaded: Option<Box<Loaded>>,
}

/// What came of loading a run's component.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) came: Result<Component, Fault>,
    /// Of a component.
    pub(crate) _kept: Option<Kept>,
}

/// Says that a waiting run keeps a component, whether or not others have driven that out of those that are loaded.
#[derive(Debug)]
pub(crate) struct Kept {
    _of_all: Counted,
    _of_organization: Counted,
}

/// One of those that a [`Count`] counts, until it is dropped.
type Counted = Arc<()>;

/// How many there are of something, each of which says by its end that it is there no more.
#[derive(Debug, Default)]
pub(crate) struct Count(Counted);

impl Count {
    pub(crate) fn get(&self) -> u32 {
        u32::try_from(Arc::strong_count(&self.0) - 1).unwrap_or(u32::MAX)
    }
}

impl Kept {
    pub(crate) fn new(of_all: &Count, of_organization: &Count) -> Kept {
        Kept {
            _of_all: of_all.0.clone(),
            _of_organization: of_organization.0.clone(),
        }
    }
}

/// A delivery that waits for its attempt.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) delivery: DeliveryRef,
    pub(crate) id: DeliveryId,
    pub(crate) request: Request,
    pub(crate) stage: Stage,
}

/// Where a delivery stands before its attempt.
#[derive(Debug)]
pub(crate) enum Stage {
    /// None was made.
    First {
        /// Of ordinal 0: what is known of the run.
        facts: Option<RunFacts>,
        digest: Digest,
    },
    /// At least one was made, or it was held.
    Again {
        was_due: Time,
        attempts: u32,
        counted: u32,
        /// What it weighs in memory.
        bytes: u64,
    },
}

impl Sending {
    /// How much it sends.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.request.body.len() as u64
    }

    /// The target's name.
    pub(crate) fn target(&self) -> Option<&str> {
        self.request.target.as_ref().map(|name| name.as_str())
    }
}

/// What is written down of a delivery that is held before its first attempt.
pub(crate) fn held(sending: Sending, row: RowFollows) -> Record {
    let (facts, digest) = match sending.stage {
        Stage::First { facts, digest } => (facts, digest),
        Stage::Again { .. } => (None, sending.request.digest()),
    };
    Record::First {
        delivery: sending.delivery,
        facts,
        target: sending.request.target.as_ref().map(ToString::to_string),
        digest,
        attempt: None,
        next: Next::Held,
        request: Some(Box::new(sending.request)),
        last: row.last,
        queued: row.queued,
    }
}

/// Memory beside the payload that a place is charged with.
pub(crate) const PLACE_BYTES: u64 = 512;

/// What a run with that much data is charged.
pub(crate) fn place_bytes(data: usize) -> u64 {
    data as u64 + PLACE_BYTES
}

/// A run in memory, from the reservation's commit until its last row is on disk.
#[derive(Debug)]
pub(crate) struct Open {
    /// What it is charged.
    pub(crate) bytes: u64,
    /// What of it the plugin has put out.
    pub(crate) output_bytes: u64,
    /// Rows that are still to be written; unknown until the plugin has answered.
    pub(crate) unrecorded: u16,
    /// Whether it has a row of the queue.
    pub(crate) queued: bool,
}

/// A row that is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowFollows {
    /// It is its run's last one.
    pub(crate) last: bool,
    /// Its run has a row of the queue.
    pub(crate) queued: bool,
}

/// Events with runs that only memory knows: the low-water mark stands below the first of them.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    events: std::collections::BTreeMap<Key, Pinning>,
    /// The greatest key that has been seen.
    greatest: Option<Key>,
    /// Counts events.
    sequence: u64,
}

#[derive(Debug)]
struct Pinning {
    sequence: u64,
    runs: Vec<RunRef>,
}

impl Pins {
    /// An event is on disk; these of its runs are in memory alone.
    pub(crate) fn accepted(&mut self, key: Key, runs: Vec<RunRef>) {
        self.sequence += 1;
        self.greatest = self.greatest.max(Some(key));
        if !runs.is_empty() {
            self.events.insert(
                key,
                Pinning {
                    sequence: self.sequence,
                    runs,
                },
            );
        }
    }

    /// A run has its rows, or is to have one of the queue.
    pub(crate) fn release(&mut self, run: RunRef) {
        if let Some(pinning) = self.events.get_mut(&run.event) {
            pinning.runs.retain(|pinned| *pinned != run);
            if pinning.runs.is_empty() {
                self.events.remove(&run.event);
            }
        }
    }

    /// The runs of the first event, if more than `newer_max` events came after it. They are released.
    pub(crate) fn overdue(&mut self, newer_max: u64) -> Option<Vec<RunRef>> {
        let first = self.events.first_entry()?;
        (self.sequence - first.get().sequence > newer_max).then(|| first.remove().runs)
    }

    /// Every event at or below it is queued, waiting or settled. `None` before the first event.
    pub(crate) fn mark(&self) -> Option<Key> {
        match self.events.first_key_value() {
            Some((first, _)) => Key::from_i64(first.as_i64() - 1),
            None => self.greatest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmill_domain::integration::{IntegrationKey, OrganizationKey};

    fn run(event: i64, integration: i64) -> RunRef {
        RunRef {
            event: Key::from_i64(event).expect("positive"),
            generation: 0,
            integration: IntegrationKey(integration),
            organization: OrganizationKey(1),
        }
    }

    #[test]
    fn the_mark_stands_below_the_first_pinned_event() {
        let mut pins = Pins::default();
        assert_eq!(pins.mark(), None);
        let key = |raw| Key::from_i64(raw).expect("positive");
        pins.accepted(key(10), vec![run(10, 1), run(10, 2)]);
        pins.accepted(key(20), vec![]);
        pins.accepted(key(30), vec![run(30, 1)]);
        assert_eq!(pins.mark(), Some(key(9)));
        pins.release(run(10, 1));
        assert_eq!(pins.mark(), Some(key(9)));
        pins.release(run(10, 2));
        assert_eq!(pins.mark(), Some(key(29)));
        assert_eq!(pins.overdue(1), None);
        pins.accepted(key(40), vec![]);
        pins.accepted(key(50), vec![]);
        assert_eq!(pins.overdue(1), Some(vec![run(30, 1)]));
        assert_eq!(pins.mark(), Some(key(50)));
    }
}
