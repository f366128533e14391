//! Accepting events: all of a call or none, and each of them once.

use std::collections::HashMap;
use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::EventId;
use hookmill_domain::key::Key;
use hookmill_domain::names::ClientEventId;
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, params};

use crate::desk::{Desk, key};
use crate::records::{AcceptError, Accepted, Event, NewEvent, Receipt};

/// What is known of an event with a client's own id.
enum Known {
    /// It is on disk, or will be with this commit.
    Stored(Key),
    /// It stands earlier in this call.
    Twin(usize),
}

impl Desk<'_> {
    /// Writes these events with the next keys, and a row of the queue for each run without a place. What it refuses it has not touched.
    pub(crate) fn accept(
        &mut self,
        events: Vec<NewEvent>,
        now: Time,
        accepted: &mut Vec<Accepted>,
    ) -> rusqlite::Result<Result<Vec<Receipt>, AcceptError>> {
        for event in &events {
            if self.revision(event.snapshot.organization)? != Some(event.snapshot.revision) {
                return Ok(Err(AcceptError::Moved));
            }
        }
        let known = match self.known(&events)? {
            Ok(known) => known,
            Err(conflict) => return Ok(Err(conflict)),
        };
        let mut receipts: Vec<Receipt> = Vec::with_capacity(events.len());
        for (position, event) in events.into_iter().enumerate() {
            let receipt = match known.get(&position) {
                Some(Known::Stored(key)) => Receipt {
                    id: self.event_id(*key),
                    duplicate: true,
                },
                Some(Known::Twin(first)) => Receipt {
                    id: receipts[*first].id,
                    duplicate: true,
                },
                None => {
                    let row = self.insert(event, now)?;
                    let id = row.event.id();
                    accepted.push(row);
                    Receipt { id, duplicate: false }
                }
            };
            receipts.push(receipt);
        }
        Ok(Ok(receipts))
    }

    /// Which of the events have been accepted before, or stand twice in the call.
    fn known(&self, events: &[NewEvent]) -> rusqlite::Result<Result<HashMap<usize, Known>, AcceptError>> {
        let mut known = HashMap::new();
        let mut seen: HashMap<(i64, &ClientEventId), (usize, Digest)> = HashMap::new();
        for (position, event) in events.iter().enumerate() {
            let Some((id, digest)) = &event.client else { continue };
            let organization = event.snapshot.organization.0;
            if let Some((first, first_digest)) = seen.get(&(organization, id)) {
                if first_digest != digest {
                    return Ok(Err(AcceptError::Conflict {
                        position,
                        other: Some(*first),
                    }));
                }
                known.insert(position, Known::Twin(*first));
                continue;
            }
            seen.insert((organization, id), (position, *digest));
            let mut find = self
                .connection
                .prepare_cached("SELECT event, digest FROM client_event WHERE organization = ?1 AND client_id = ?2")?;
            let stored: Option<(i64, [u8; 32])> = find
                .query_row(params![organization, id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            match stored {
                Some((_, stored)) if stored != *digest.as_bytes() => {
                    return Ok(Err(AcceptError::Conflict { position, other: None }));
                }
                Some((event, _)) => {
                    known.insert(position, Known::Stored(key(event)));
                }
                None => {}
            }
        }
        Ok(Ok(known))
    }

    fn event_id(&self, key: Key) -> EventId {
        let salt = self
            .drawer
            .salt_of(key)
            .expect("an event's salt is saved by its commit or an earlier one");
        EventId::new(key, salt)
    }

    fn insert(&mut self, event: NewEvent, now: Time) -> rusqlite::Result<Accepted> {
        let (key, salt) = self.mint(now)?;
        let organization = event.snapshot.organization;
        let revision = event.snapshot.revision;
        let insert = self.insert_event.get(
            self.connection,
            "INSERT INTO event (key, organization, revision, host_revision, owed, payload, kind, inbox, project, document, client_id, data)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        insert.execute(params![
            key.as_i64(),
            organization.0,
            revision.organization,
            revision.host,
            event.owed.len() as i64,
            event.kind.as_str(),
            event.inbox.as_ref().map(|id| id.as_str()),
            event.project.as_ref().map(|id| id.as_str()),
            event.document.as_str(),
            event.client.as_ref().map(|(id, _)| id.as_str()),
            &event.data[..],
        ])?;
        if let Some((id, digest)) = &event.client {
            let mut remember = self
                .connection
                .prepare_cached("INSERT INTO client_event (organization, client_id, event, digest) VALUES (?1, ?2, ?3, ?4)")?;
            remember.execute(params![organization.0, id.as_str(), key.as_i64(), digest.as_bytes()])?;
        }
        for owed in event.owed.iter().filter(|owed| !owed.place) {
            self.enqueue(owed.pinned.key, key, 0)?;
        }
        self.drawer.unlisted.add(organization, key);
        Ok(Accepted {
            event: Arc::new(Event {
                key,
                salt,
                organization,
                kind: event.kind,
                inbox: event.inbox,
                project: event.project,
                data: event.data,
            }),
            snapshot: event.snapshot,
            owed: event.owed,
        })
    }
}
