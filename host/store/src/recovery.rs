//! What a start does before the ordinary loops: events above the mark whose runs have neither a row of the queue nor their outcomes get
//! their row of the queue. Then nothing lives in a memory that is gone.

use std::collections::HashMap;
use std::sync::Arc;

use hookmill_domain::integration::{OrganizationKey, Revision};
use hookmill_domain::key::Key;
use hookmill_domain::matching::Subject;
use hookmill_domain::revision::Snapshot;
use rusqlite::{OptionalExtension as _, params};

use crate::StoreError;
use crate::desk::{Desk, key, setting};
use crate::integrations::snapshot;
use crate::records::RunRef;
use crate::store::Store;
use crate::wire::parsed;

/// Events looked at in one commit.
const EVENTS_AT_ONCE: usize = 1000;

struct Head {
    key: Key,
    organization: OrganizationKey,
    revision: Revision,
    kind: String,
    inbox: Option<String>,
    project: Option<String>,
}

impl Desk<'_> {
    fn recover_some(&mut self, after: Key, enqueued: &mut u64) -> rusqlite::Result<Option<Key>> {
        let heads: Vec<Head> = self
            .connection
            .prepare_cached(
                "SELECT key, organization, revision, host_revision, kind, inbox, project FROM event WHERE key > ?1 ORDER BY key LIMIT ?2",
            )?
            .query_map(params![after.as_i64(), EVENTS_AT_ONCE], |row| {
                Ok(Head {
                    key: key(row.get(0)?),
                    organization: OrganizationKey(row.get(1)?),
                    revision: Revision {
                        organization: row.get(2)?,
                        host: row.get(3)?,
                    },
                    kind: row.get(4)?,
                    inbox: row.get(5)?,
                    project: row.get(6)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        let Some(last) = heads.last().map(|head| head.key) else {
            return Ok(None);
        };
        let mut snapshots: HashMap<(OrganizationKey, Revision), Arc<Snapshot>> = HashMap::new();
        for head in heads {
            let known = snapshots.get(&(head.organization, head.revision)).cloned();
            let snapshot = match known {
                Some(known) => known,
                None => {
                    let read = Arc::new(snapshot(self.connection, head.organization, head.revision)?);
                    snapshots.insert((head.organization, head.revision), read.clone());
                    read
                }
            };
            *enqueued += self.recover(&head, &snapshot)?;
        }
        self.set_setting("mark", last.as_i64())?;
        Ok(Some(last))
    }

    fn recover(&mut self, head: &Head, snapshot: &Snapshot) -> rusqlite::Result<u64> {
        let kind = parsed(&head.kind)?;
        let inbox = head.inbox.as_deref().map(parsed).transpose()?;
        let project = head.project.as_deref().map(parsed).transpose()?;
        let subject = Subject {
            kind: &kind,
            inbox: inbox.as_ref(),
            project: project.as_ref(),
        };
        let mut enqueued = 0;
        for pinned in snapshot.matching(subject) {
            let run = RunRef {
                event: head.key,
                generation: 0,
                integration: pinned.key,
                organization: head.organization,
            };
            if !self.is_complete(run)? {
                self.enqueue(run.integration, run.event, run.generation)?;
                enqueued += 1;
            }
        }
        Ok(enqueued)
    }

    /// Whether all of a run's rows are there.
    fn is_complete(&self, run: RunRef) -> rusqlite::Result<bool> {
        let place = params![run.event.as_i64(), run.generation, run.integration.0];
        let first: Option<Option<u32>> = self
            .connection
            .prepare_cached("SELECT requests FROM outcome WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = 0")?
            .query_row(place, |row| row.get(0))
            .optional()?;
        let requests = match first {
            None => return Ok(false),
            Some(requests) => requests.unwrap_or(0),
        };
        let rows: u32 = self
            .connection
            .prepare_cached("SELECT count(*) FROM outcome WHERE event = ?1 AND generation = ?2 AND integration = ?3")?
            .query_row(place, |row| row.get(0))?;
        Ok(rows >= requests)
    }
}

impl Store {
    /// Looks through all events above the mark. Gives the number of runs that were put into the queue.
    pub async fn recover(&self) -> Result<u64, StoreError> {
        let mut after = self.read(|connection| setting(connection, "mark")).await.map(key)?;
        let mut total = 0;
        loop {
            let from = after;
            let (next, enqueued) = self
                .write(move |desk| {
                    let mut enqueued = 0;
                    let next = desk.recover_some(from, &mut enqueued)?;
                    Ok((next, enqueued))
                })
                .await?;
            total += enqueued;
            match next {
                Some(next) => after = next,
                None => return Ok(total),
            }
        }
    }
}
