//! What came of each event on both sides, and what it means: counted, and of the first of each kind told how it differs.

use hookmill_domain::difference::{Differences, differences};
use hookmill_domain::ids::EventId;
use hookmill_domain::outcome::{Fault, ParkCode};
use hookmill_domain::request::Request;
use hookmill_domain::time::Time;
use hookmill_store::Event;

use crate::calls::Came;

/// What a new version means for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same bytes to the same targets, or a skip as before.
    Same,
    /// Other requests.
    Changed,
    /// Requests were sent, and none would be, and that is right.
    NewlySkipped,
    /// It would be parked, and was not.
    NewlyFailing,
    /// It was skipped, and requests would be sent.
    NewlyDelivered,
    /// It was parked, and would not be.
    NoLongerFailing,
    /// It was parked, and would be.
    StillFailing,
}

impl Verdict {
    /// All, in the order in which they are told.
    pub const ALL: [Verdict; 7] = [
        Verdict::Same,
        Verdict::Changed,
        Verdict::NewlySkipped,
        Verdict::NewlyFailing,
        Verdict::NewlyDelivered,
        Verdict::NoLongerFailing,
        Verdict::StillFailing,
    ];

    /// As the API shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Same => "same",
            Verdict::Changed => "changed",
            Verdict::NewlySkipped => "newly_skipped",
            Verdict::NewlyFailing => "newly_failing",
            Verdict::NewlyDelivered => "newly_delivered",
            Verdict::NoLongerFailing => "no_longer_failing",
            Verdict::StillFailing => "still_failing",
        }
    }

    fn of(old: &Came, new: &Came) -> Verdict {
        match (old, new) {
            (Came::Requests(old), Came::Requests(new)) if old == new => Verdict::Same,
            (Came::Requests(_), Came::Requests(_)) => Verdict::Changed,
            (Came::Requests(_), Came::Skipped(_)) => Verdict::NewlySkipped,
            (Came::Skipped(_), Came::Skipped(_)) => Verdict::Same,
            (Came::Skipped(_), Came::Requests(_)) => Verdict::NewlyDelivered,
            (Came::Parked(_), Came::Parked(_)) => Verdict::StillFailing,
            (_, Came::Parked(_)) => Verdict::NewlyFailing,
            (Came::Parked(_), _) => Verdict::NoLongerFailing,
        }
    }
}

/// How far a backtest has come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Events that were looked at, those that the integration does not match included.
    pub scanned: u64,
    /// Those that it matches and whose payload is gone: they can not be compared.
    pub payload_gone: u64,
    /// Those that the host could not have both sides called for.
    pub unavailable: u64,
    /// When the last event was accepted that was compared.
    pub reached: Option<Time>,
    counts: [u64; Verdict::ALL.len()],
}

impl Tally {
    /// How many events have that verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.counts[verdict as usize]
    }

    /// How many events were compared.
    pub fn compared(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many of the range's events are done with.
    pub(super) fn done(&self) -> u64 {
        self.compared() + self.payload_gone + self.unavailable
    }

    /// Counts an event. Gives its verdict, if it is the first of its kind and is to be told of.
    pub(super) fn take(&mut self, event: &Event, old: &Came, new: &Came) -> Option<Verdict> {
        self.reached = Some(event.key.time());
        if is_unavailable(old) || is_unavailable(new) {
            self.unavailable += 1;
            return None;
        }
        let verdict = Verdict::of(old, new);
        let count = &mut self.counts[verdict as usize];
        *count += 1;
        (*count == 1 && verdict != Verdict::Same).then_some(verdict)
    }
}

fn is_unavailable(came: &Came) -> bool {
    matches!(came, Came::Parked(fault) if fault.code == ParkCode::Unavailable)
}

/// The first event of a kind.
#[derive(Debug)]
pub struct First {
    /// Which kind.
    pub verdict: Verdict,
    /// The event.
    pub event: EventId,
    /// When it was accepted.
    pub accepted_at: Time,
    /// What came of it under the version that the integration has.
    pub old: Side,
    /// What came of it under the version that is tried.
    pub new: Side,
    /// How the requests differ.
    pub differences: Differences,
}

/// What came of an event on one side, but for what its requests say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// So many requests.
    Delivers(usize),
    /// Nothing, and that is right: why.
    Skips(String),
    /// It would wait until somebody acts.
    Parks(Fault),
}

impl First {
    pub(super) fn new(verdict: Verdict, event: &Event, old: Came, new: Came, diff_bytes_max: usize) -> First {
        First {
            verdict,
            event: event.id(),
            accepted_at: event.key.time(),
            differences: differences(requests(&old), requests(&new), diff_bytes_max),
            old: Side::of(old),
            new: Side::of(new),
        }
    }
}

fn requests(came: &Came) -> &[Request] {
    match came {
        Came::Requests(requests) => requests,
        Came::Skipped(_) | Came::Parked(_) => &[],
    }
}

impl Side {
    fn of(came: Came) -> Side {
        match came {
            Came::Requests(requests) => Side::Delivers(requests.len()),
            Came::Skipped(reason) => Side::Skips(reason),
            Came::Parked(fault) => Side::Parks(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookmill_domain::outcome::Method;

    use super::*;

    #[test]
    fn every_pair_has_one_verdict() {
        let request = |body: &'static str| Request {
            target: None,
            method: Method::Post,
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            content_type: "text/plain".to_owned(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let delivers = |body| Came::Requests(vec![request(body)]);
        let skips = |why: &str| Came::Skipped(why.to_owned());
        let parks = |why: &str| Came::Parked(Fault::new(ParkCode::Trap, why));
        for (old, new, verdict) in [
            (delivers("a"), delivers("a"), Verdict::Same),
            (delivers("a"), delivers("b"), Verdict::Changed),
            (delivers("a"), skips(""), Verdict::NewlySkipped),
            (delivers("a"), parks(""), Verdict::NewlyFailing),
            (skips("a"), skips("b"), Verdict::Same),
            (skips(""), delivers("a"), Verdict::NewlyDelivered),
            (skips(""), parks(""), Verdict::NewlyFailing),
            (parks("a"), parks("b"), Verdict::StillFailing),
            (parks(""), delivers("a"), Verdict::NoLongerFailing),
            (parks(""), skips(""), Verdict::NoLongerFailing),
        ] {
            assert_eq!(Verdict::of(&old, &new), verdict, "{old:?} {new:?}");
        }
        for (number, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, number, "the counts are found by it");
        }
    }
}
