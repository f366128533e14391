//! Past runs: what one was called with, and whether the same call makes the same request again. Nothing is sent and nothing is stored.
//!
//! A call is a function of its event, its revision's facts, the component and the seed, all of which a past run still names. Where one of
//! them is gone, or where the host's limits ended the call, nothing is known: that is never told as a difference.

use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::outcome::ParkCode;
use hookmill_domain::revision::Pinned;
use hookmill_store::{DeliveryRef, RunRef, StoreError};

use crate::calls::Came;
use crate::changes::ChangeError;
use crate::river::River;
use crate::trials::{Trial, TrialTurn};

/// What a delivery's request is found to be when its run is called again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// The same, to the byte.
    Same,
    /// Another one, or none.
    Different {
        /// Of the request that was made now.
        made: Option<Digest>,
        /// How it differs.
        reason: String,
    },
    /// It can not be known.
    Unknown {
        /// Why, for programs: one of those below, or a code of a parked run.
        code: &'static str,
        /// Why, for people.
        reason: String,
    },
}

impl Verified {
    /// No request was recorded, so there is nothing to compare with.
    pub const NOT_RECORDED: &'static str = "not_recorded";
    /// The event's data was erased.
    pub const PAYLOAD_GONE: &'static str = "payload_gone";
    /// The component was deleted with its version.
    pub const VERSION_DELETED: &'static str = "version_deleted";

    fn unknown(code: &'static str, reason: impl Into<String>) -> Verified {
        Verified::Unknown {
            code,
            reason: reason.into(),
        }
    }

    fn different(made: Option<Digest>, reason: impl Into<String>) -> Verified {
        Verified::Different {
            made,
            reason: reason.into(),
        }
    }
}

impl River {
    /// What a run was, or will be, called with. `None`: its event's payload is gone, or there is no such run.
    pub async fn trial_of(&self, run: RunRef) -> Result<Option<Trial>, StoreError> {
        match self.configuration_of(run).await? {
            Some((organization, pinned)) => self.trial_under(run, organization, pinned).await,
            None => Ok(None),
        }
    }

    /// The name of a run's organization, and its integration as it is called under. `None`: there is no such run.
    async fn configuration_of(&self, run: RunRef) -> Result<Option<(OrganizationName, Arc<Pinned>)>, StoreError> {
        let Some(revision) = self.inner.store.run_revision(run).await? else {
            return Ok(None);
        };
        let snapshot = self.inner.caches.at(run.organization, revision).await?;
        Ok(snapshot.get(run.integration).map(|pinned| (snapshot.name.clone(), pinned.clone())))
    }

    async fn trial_under(&self, run: RunRef, organization: OrganizationName, pinned: Arc<Pinned>) -> Result<Option<Trial>, StoreError> {
        Ok(self.inner.store.run_event(run).await?.map(|event| Trial {
            event: Arc::new(event),
            organization,
            pinned,
            generation: run.generation,
        }))
    }
}

impl TrialTurn<'_> {
    /// Calls a delivery's run again and compares the request with what was recorded of it: method, path, query, headers of the plugin,
    /// body. Nothing is sent and nothing is stored. What it takes in memory are the event's data and the call's output.
    pub async fn verify(&self, delivery: DeliveryRef, recorded: Option<Digest>) -> Result<Verified, ChangeError> {
        let (river, run) = (self.river, delivery.run);
        let Some(recorded) = recorded else {
            return Ok(Verified::unknown(
                Verified::NOT_RECORDED,
                "no request of it is recorded: its first attempt has not ended, or it was given up before",
            ));
        };
        let payload_gone = || Verified::unknown(Verified::PAYLOAD_GONE, "the event's data is gone");
        let Some((organization, pinned)) = river.configuration_of(run).await? else {
            return Ok(payload_gone());
        };
        let (plugin, version) = (pinned.facts.plugin.name.clone(), pinned.version);
        let deleted = || {
            Verified::unknown(
                Verified::VERSION_DELETED,
                format!("version {version} of the plugin {plugin} was deleted"),
            )
        };
        // Asked first: it may still be loaded, or its compiled form be there, and what is answered shall not hang on that.
        if !river.inner.store.has_version_of(run.organization, pinned.digest).await? {
            return Ok(deleted());
        }
        let Some(trial) = river.trial_under(run, organization, pinned).await? else {
            return Ok(payload_gone());
        };
        match self.try_out(trial).await {
            Ok(tried) => Ok(compared(&tried.came, delivery.ordinal, recorded)),
            Err(ChangeError::NotFound) => Ok(deleted()),
            Err(failure) => Err(failure),
        }
    }
}

fn compared(came: &Came, ordinal: u16, recorded: Digest) -> Verified {
    match came {
        Came::Requests(requests) => match requests.get(usize::from(ordinal)).map(|request| request.digest()) {
            Some(made) if made == recorded => Verified::Same,
            Some(made) => Verified::different(Some(made), "the plugin makes another request of it now"),
            None => {
                let (count, number) = (requests.len(), u32::from(ordinal) + 1);
                Verified::different(
                    None,
                    format!("this was request {number} of its run, which has only {count} in all now"),
                )
            }
        },
        Came::Skipped(reason) => Verified::different(None, format!("the plugin skips the event now: {reason}")),
        Came::Parked(fault) if is_of_the_host(fault.code) => Verified::unknown(fault.code.as_str(), &fault.message),
        Came::Parked(fault) => Verified::different(None, format!("the run is parked now, {}: {}", fault.code.as_str(), fault.message)),
    }
}

/// Whether a call ended so by the host's limits or faults. Neither belongs to a revision, and speed is not promised: it says nothing of
/// the bytes.
fn is_of_the_host(code: ParkCode) -> bool {
    match code {
        ParkCode::CpuLimit | ParkCode::TimeLimit | ParkCode::MemoryLimit | ParkCode::OutputLimit | ParkCode::Unavailable => true,
        ParkCode::Rejected | ParkCode::Trap | ParkCode::InvalidRequest => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookmill_domain::outcome::{Fault, Method};
    use hookmill_domain::request::Request;

    use super::*;

    fn request(body: &'static str) -> Request {
        Request {
            target: None,
            method: Method::Post,
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            content_type: "text/plain".to_owned(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn told(came: &Came, ordinal: u16) -> (&'static str, String) {
        match compared(came, ordinal, request("a").digest()) {
            Verified::Same => ("same", String::new()),
            Verified::Different { made, reason } => ("different", format!("{} {reason}", made.is_some())),
            Verified::Unknown { code, reason } => (code, reason),
        }
    }

    #[test]
    fn requests_are_compared_by_their_number() {
        let came = Came::Requests(vec![request("a"), request("b")]);
        assert_eq!(told(&came, 0), ("same", String::new()));
        let (verdict, reason) = told(&came, 1);
        assert_eq!((verdict, reason.starts_with("true ")), ("different", true), "{reason}");
        let (verdict, reason) = told(&came, 2);
        assert_eq!((verdict, reason.contains("request 3 ")), ("different", true), "{reason}");
    }

    #[test]
    fn what_the_host_ends_says_nothing_of_the_bytes() {
        let parked = |code| told(&Came::Parked(Fault::new(code, "why")), 0);
        for code in [
            ParkCode::CpuLimit,
            ParkCode::TimeLimit,
            ParkCode::MemoryLimit,
            ParkCode::OutputLimit,
            ParkCode::Unavailable,
        ] {
            assert_eq!(parked(code), (code.as_str(), "why".to_owned()));
        }
        for code in [ParkCode::Rejected, ParkCode::Trap, ParkCode::InvalidRequest] {
            let reason = format!("false the run is parked now, {}: why", code.as_str());
            assert_eq!(parked(code), ("different", reason));
        }
        assert_eq!(told(&Came::Skipped("small".to_owned()), 0).0, "different");
    }
}
