//! The state of all lanes: who has work, whose turn it is, and what is under way. A plain value: it waits for nothing, asks no clock, and
//! each of its steps takes a bounded time.

mod cold;
mod commits;
mod hung;
mod places;
mod reading;
mod runs;
mod sendings;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::limits::Limits;
use hookmill_domain::time::Time;
use hookmill_store::Record;

pub(crate) use self::cold::Cold;
use self::cold::Waits;
pub(crate) use self::sendings::AttemptEnded;

use super::lane::{Lane, Map};
use super::loads::{InTurns, Load};
use super::work::{Count, Pins};

#[derive(Debug, Default)]
struct Organization {
    /// Payload bytes in memory.
    bytes: u64,
    /// Those of them that its plugins have put out.
    output_bytes: u64,
    /// Plugin calls under way.
    calls: u32,
    in_flight: u32,
    /// Lanes with runs that may be taken.
    lanes: VecDeque<IntegrationKey>,
    in_lanes_ring: bool,
    /// Components that its lanes wait for.
    waits: Waits,
    /// Targets with deliveries that may be taken.
    targets: VecDeque<(IntegrationKey, Option<String>)>,
    /// The same for those that have hung lately.
    hung_targets: VecDeque<(IntegrationKey, Option<String>)>,
    in_targets_ring: bool,
    /// Attempts under way to targets that have hung lately.
    hung_in_flight: u32,
    /// It stands among those that wait until the host has fewer of these.
    waits_for_hung: bool,
    turn: u8,
}

/// All lanes.
#[derive(Debug)]
pub(crate) struct Yard {
    limits: Limits,
    calls_max: u32,
    lanes: Map<IntegrationKey, Lane>,
    organizations: Map<OrganizationKey, Organization>,
    /// Organizations with runs that may be taken, in turn.
    runners: VecDeque<OrganizationKey>,
    /// Organizations with deliveries that may be taken, in turn.
    senders: VecDeque<OrganizationKey>,
    /// Reads that wait for a reader.
    loads: InTurns<(IntegrationKey, Load)>,
    /// Lanes whose reads wait until there is memory for them.
    memory_waiters: InTurns<IntegrationKey>,
    timers: BTreeSet<(Time, IntegrationKey)>,
    pins: Pins,
    accepted_since_mark: u64,
    bytes: u64,
    /// Runs that wait for their plugin.
    ready: usize,
    /// Components that some of them keep.
    kept: Count,
    calls: u32,
    in_flight: u32,
    /// Attempts under way to targets that have hung lately.
    hung_in_flight: u32,
    /// Organizations that wait until there are fewer of these.
    hung_waiters: VecDeque<OrganizationKey>,
    closing: bool,
}

/// What a step leaves to be done outside.
#[derive(Debug, Default)]
pub(crate) struct After {
    /// To be handed to the store.
    pub(crate) records: Vec<Record>,
    /// To be saved with the next commit.
    pub(crate) mark: Option<Key>,
}

impl Yard {
    pub(crate) fn new(limits: Limits, calls_max: u32) -> Yard {
        Yard {
            limits,
            calls_max,
            lanes: Map::default(),
            organizations: Map::default(),
            runners: VecDeque::new(),
            senders: VecDeque::new(),
            loads: InTurns::default(),
            memory_waiters: InTurns::default(),
            timers: BTreeSet::new(),
            pins: Pins::default(),
            accepted_since_mark: 0,
            bytes: 0,
            ready: 0,
            kept: Count::default(),
            calls: 0,
            in_flight: 0,
            hung_in_flight: 0,
            hung_waiters: VecDeque::new(),
            closing: false,
        }
    }

    /// Nothing is taken up any more.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Calls and attempts under way.
    pub(crate) fn under_way(&self) -> (u32, u32) {
        (self.calls, self.in_flight)
    }

    /// The first time that something is due.
    pub(crate) fn first_timer(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether there is a run that may be taken.
    pub(crate) fn has_runs(&self) -> bool {
        // Who is passed over has a call under way or much in memory, so there are few of them.
        !self.closing && self.calls < self.calls_max && self.runners.iter().any(|key| self.may_run(*key))
    }

    pub(crate) fn has_sendings(&self) -> bool {
        !self.closing && !self.senders.is_empty() && self.in_flight < self.limits.delivery.in_flight_max
    }

    pub(crate) fn has_loads(&self) -> bool {
        !self.closing && !self.loads.is_empty()
    }

    /// Payload bytes in memory.
    #[cfg(test)]
    pub(crate) fn payload_bytes(&self) -> u64 {
        self.bytes
    }
}
