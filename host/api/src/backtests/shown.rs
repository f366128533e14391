//! What is told of a backtest, as the API shows it.

use std::collections::BTreeMap;

use hookmill_domain::difference::Difference;
use hookmill_domain::ids::EventId;
use hookmill_domain::names::PluginName;
use hookmill_domain::outcome::Fault;
use hookmill_domain::time::Time;
use hookmill_flow::{First, Side, Summary, Tally, Verdict};
use hookmill_store::PluginVersion;
use serde::Serialize;
use serde_json::value::RawValue;

/// A line: an object with one field, whose name says what the line is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LineShown {
    /// How far it has come.
    Progress(Counts),
    /// The last line: what it came to.
    Summary(Box<SummaryShown>),
    /// The last line: it could not go on.
    Problem(Box<RawValue>),
}

/// How many events are how.
#[derive(Debug, Serialize)]
pub(super) struct Counts {
    scanned: u64,
    compared: u64,
    same: u64,
    changed: u64,
    newly_skipped: u64,
    newly_failing: u64,
    newly_delivered: u64,
    no_longer_failing: u64,
    still_failing: u64,
    payload_gone: u64,
    unavailable: u64,
    /// When the last event was accepted that was compared: it goes from the newest one back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<Time>,
}

impl From<Tally> for Counts {
    fn from(tally: Tally) -> Counts {
        Counts {
            scanned: tally.scanned,
            compared: tally.compared(),
            same: tally.count(Verdict::Same),
            changed: tally.count(Verdict::Changed),
            newly_skipped: tally.count(Verdict::NewlySkipped),
            newly_failing: tally.count(Verdict::NewlyFailing),
            newly_delivered: tally.count(Verdict::NewlyDelivered),
            no_longer_failing: tally.count(Verdict::NoLongerFailing),
            still_failing: tally.count(Verdict::StillFailing),
            payload_gone: tally.payload_gone,
            unavailable: tally.unavailable,
            reached: tally.reached,
        }
    }
}

/// What a backtest came to.
#[derive(Debug, Serialize)]
pub(super) struct SummaryShown {
    #[serde(flatten)]
    versions: Versions,
    #[serde(flatten)]
    counts: Counts,
    /// The limit that ended it before the range did.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_by: Option<&'static str>,
    /// The first event of each kind, by the names of the counts.
    first: BTreeMap<&'static str, FirstShown>,
}

/// Both sides.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Versions {
    old: VersionShown,
    new: VersionShown,
}

#[derive(Debug, Clone, Serialize)]
struct VersionShown {
    plugin: PluginName,
    version: u32,
}

impl Versions {
    pub(super) fn new(old: &PluginVersion, new: &PluginVersion) -> Versions {
        let shown = |version: &PluginVersion| VersionShown {
            plugin: version.name.clone(),
            version: version.version,
        };
        Versions {
            old: shown(old),
            new: shown(new),
        }
    }

    pub(super) fn summary(&self, summary: Summary) -> SummaryShown {
        let firsts = summary.firsts.into_iter();
        SummaryShown {
            versions: self.clone(),
            counts: summary.tally.into(),
            stopped_by: summary.stopped_by,
            first: firsts.map(|first| (first.verdict.as_str(), first.into())).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct FirstShown {
    event: EventId,
    accepted_at: Time,
    old: SideShown,
    new: SideShown,
    differences: Vec<DifferenceShown>,
    /// Whether there are more than are told.
    more: bool,
}

impl From<First> for FirstShown {
    fn from(first: First) -> FirstShown {
        FirstShown {
            event: first.event,
            accepted_at: first.accepted_at,
            old: first.old.into(),
            new: first.new.into(),
            differences: first.differences.found.into_iter().map(DifferenceShown::from).collect(),
            more: first.differences.more,
        }
    }
}

/// What came of the event, in the words of a dry run.
#[derive(Debug, Serialize)]
struct SideShown {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How many.
    requests: usize,
}

impl From<Side> for SideShown {
    fn from(side: Side) -> SideShown {
        let (outcome, code, reason, requests) = match side {
            Side::Delivers(requests) => ("deliver", None, None, requests),
            Side::Skips(reason) => ("skip", None, Some(reason), 0),
            Side::Parks(Fault { code, message }) => ("park", Some(code.as_str()), Some(message), 0),
        };
        SideShown {
            outcome,
            code,
            reason,
            requests,
        }
    }
}

#[derive(Debug, Serialize)]
struct DifferenceShown {
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<String>,
}

impl From<Difference> for DifferenceShown {
    fn from(found: Difference) -> DifferenceShown {
        DifferenceShown {
            at: found.at,
            old: found.old,
            new: found.new,
        }
    }
}
