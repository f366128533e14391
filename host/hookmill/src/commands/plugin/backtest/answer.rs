//! The answer's lines, as far as they are read here. Fields that are not known are passed over: a host may say more.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::commands::host::Problem;

/// A line.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Progress(Counts),
    Summary(Box<RawValue>),
    Problem(Problem),
}

/// How many events are how.
#[derive(Debug, Deserialize)]
pub(super) struct Counts {
    pub(super) compared: u64,
    pub(super) same: u64,
    pub(super) changed: u64,
    pub(super) newly_skipped: u64,
    pub(super) newly_failing: u64,
    pub(super) newly_delivered: u64,
    pub(super) no_longer_failing: u64,
    pub(super) still_failing: u64,
    pub(super) payload_gone: u64,
    pub(super) unavailable: u64,
    /// When the last event was accepted that was compared.
    pub(super) reached: Option<String>,
}

impl Counts {
    /// How many would end in another way, for good or ill.
    pub(super) fn different(&self) -> u64 {
        self.changed + self.newly_skipped + self.newly_failing + self.newly_delivered + self.no_longer_failing
    }

    /// Whether there was something to compare, and all of it could be.
    pub(super) fn is_whole(&self) -> bool {
        self.compared > 0 && self.payload_gone == 0
    }

    /// Whether nothing would be different or worse, for all that is known: what fails no longer is neither.
    pub(super) fn is_well(&self) -> bool {
        self.different() == self.no_longer_failing && self.unavailable == 0
    }
}

/// What came of it.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) old: Version,
    pub(super) new: Version,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) stopped_by: Option<String>,
    /// The first event of each kind, by the name of its count.
    pub(super) first: BTreeMap<String, First>,
}

/// One side's version.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub(super) plugin: String,
    pub(super) version: u32,
}

/// The first event of a kind.
#[derive(Debug, Deserialize)]
pub(super) struct First {
    pub(super) event: String,
    pub(super) accepted_at: String,
    pub(super) old: Side,
    pub(super) new: Side,
    pub(super) differences: Vec<Difference>,
    pub(super) more: bool,
}

/// What came of an event on one side.
#[derive(Debug, Deserialize)]
pub(super) struct Side {
    pub(super) outcome: String,
    pub(super) code: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) requests: usize,
}

/// Something that differs.
#[derive(Debug, Deserialize)]
pub(super) struct Difference {
    pub(super) at: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}
