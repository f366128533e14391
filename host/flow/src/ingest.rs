//! Taking events in: matched by the present configuration, given places, put on disk, and only then answered.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::event::Envelope;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::ProductId;
use hookmill_domain::revision::Snapshot;
use hookmill_store::{AcceptError, NewEvent, Owed, Receipt, StoreError};

use crate::river::River;

/// How often events are matched anew when the configuration changes under them.
const MATCHES_MAX: usize = 20;

/// What an envelope may weigh beside its data.
const SLACK_BYTES: usize = 1024;

/// Why events were not accepted: none of them was.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// There is no such organization.
    #[error("there is no such organization")]
    NoOrganization,
    /// An event's own id was used for another one.
    #[error("the id of event {position} was used for another event")]
    Conflict {
        /// Its position, from 0.
        position: usize,
        /// The position of the one that it contradicts, if that is in the same call.
        other: Option<usize>,
    },
    /// The events owe more runs than one call may.
    #[error("the events owe {runs} runs, more than {max}")]
    TooManyRuns {
        /// What they owe.
        runs: usize,
        /// What they may.
        max: u32,
    },
    /// The configuration changed again and again meanwhile.
    #[error("the configuration changes too fast")]
    Unsettled,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl River {
    /// Accepts events: all of them or none. It answers once they are on disk. The ranges of `events` are into `body`.
    pub async fn post_events(&self, organization: OrganizationKey, body: Bytes, events: Vec<Envelope>) -> Result<Vec<Receipt>, PostError> {
        let mut left = MATCHES_MAX;
        loop {
            let snapshot = self.inner.caches.present(organization).await?.ok_or(PostError::NoOrganization)?;
            let matched = self.matched(&snapshot, &body, &events);
            let runs: usize = matched.iter().map(|event| event.owed.len()).sum();
            let max = self.inner.limits.intake.batch_runs_max;
            if runs > max as usize {
                return Err(PostError::TooManyRuns { runs, max });
            }
            match self.accept(organization, matched).await {
                Err(AcceptError::Moved) if left > 0 => {
                    left -= 1;
                    self.inner.caches.forget_present(organization);
                }
                Err(AcceptError::Moved) => return Err(PostError::Unsettled),
                Err(AcceptError::Conflict { position, other }) => return Err(PostError::Conflict { position, other }),
                Err(AcceptError::Store(error)) => return Err(PostError::Store(error)),
                Ok(receipts) => return Ok(receipts),
            }
        }
    }

    fn matched(&self, snapshot: &Arc<Snapshot>, body: &Bytes, events: &[Envelope]) -> Vec<NewEvent> {
        let event = |event: &Envelope| {
            let data = body.slice(event.data.clone());
            // A slice keeps its whole body in memory, so what is a small part of it takes its own bytes along.
            let is_most = body.len() <= data.len() * 2 + SLACK_BYTES;
            NewEvent {
                snapshot: snapshot.clone(),
                kind: event.kind.clone(),
                inbox: event.inbox.clone(),
                project: event.project.clone(),
                document: event.document.clone(),
                client: event.id.as_ref().map(|id| (id.clone(), facts_digest(event, &data))),
                data: if is_most { data } else { Bytes::copy_from_slice(&data) },
                owed: snapshot
                    .matching(event.subject())
                    .map(|pinned| Owed {
                        pinned: pinned.clone(),
                        place: false,
                    })
                    .collect(),
            }
        };
        events.iter().map(event).collect()
    }

    /// Asks for places, and then the store. A place is charged by the commit alone, so that a caller who goes away leaves nothing behind.
    async fn accept(&self, organization: OrganizationKey, mut events: Vec<NewEvent>) -> Result<Vec<Receipt>, AcceptError> {
        if events.iter().any(|event| !event.owed.is_empty()) {
            self.inner.lanes.step(|yard| {
                let mut asked = 0;
                for event in &mut events {
                    for owed in &mut event.owed {
                        owed.place = yard.gives_place(organization, &owed.pinned, event.data.len(), &mut asked);
                    }
                }
            });
        }
        self.inner.store.accept_events(events, self.inner.clock.now()).await
    }
}

/// What two posts of one event have in common, however their envelopes are written.
fn facts_digest(event: &Envelope, data: &[u8]) -> Digest {
    let scope = |id: &Option<ProductId>| id.as_ref().map_or(String::new(), |id| format!("{}:{id}", id.as_str().len()));
    let (inbox, project) = (scope(&event.inbox), scope(&event.project));
    Digest::of_parts(&[
        event.kind.as_str().as_bytes(),
        b"|",
        inbox.as_bytes(),
        b"|",
        project.as_bytes(),
        b"|",
        data,
    ])
}
