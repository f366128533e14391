//! The view of an event, made from its rows: those of its runs' outcomes, and for runs without one what its revision says.

use std::collections::HashMap;
use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{EventId, Salt};
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, Revision};
use hookmill_domain::key::Key;
use hookmill_domain::matching::Subject;
use hookmill_domain::names::{ClientEventId, Kind, ProductId};
use hookmill_domain::revision::{Pinned, Snapshot};
use hookmill_domain::state::{DeliveryState, EventState, RunState};
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{DeliveryView, EventView, RunView};
use crate::codes::{self, RowState};
use crate::desk::Salts;
use crate::integrations::snapshot;
use crate::lanes::order;
use crate::records::{DeliveryRef, RunRef, run_source};
use crate::wire::{parsed, unreadable};

/// Configurations remembered: neighbours mostly have the same one, and each holds all that its organization has configured.
const SNAPSHOTS_MAX: usize = 4;

/// Reads views, and remembers the last configurations between them.
pub(super) struct Viewer<'a> {
    pub(super) connection: &'a Connection,
    salts: &'a Salts,
    snapshots: HashMap<(OrganizationKey, Revision), Arc<Snapshot>>,
}

/// One outcome row.
struct OutcomeRow {
    generation: u32,
    integration: IntegrationKey,
    ordinal: u16,
    state: RowState,
    recorded_at: Time,
    requests: Option<u16>,
    duration_us: Option<u64>,
    memory_bytes: Option<u64>,
    log: Option<String>,
    code: Option<String>,
    reason: Option<String>,
    target: Option<String>,
    digest: Option<Digest>,
    attempts: Option<u32>,
    due_at: Option<Time>,
    status: Option<u16>,
}

impl<'a> Viewer<'a> {
    pub(super) fn new(connection: &'a Connection, salts: &'a Salts) -> Viewer<'a> {
        Viewer {
            connection,
            salts,
            snapshots: HashMap::new(),
        }
    }
}

impl Viewer<'_> {
    fn snapshot(&mut self, organization: OrganizationKey, revision: Revision) -> rusqlite::Result<Arc<Snapshot>> {
        if let Some(known) = self.snapshots.get(&(organization, revision)) {
            return Ok(known.clone());
        }
        let read = Arc::new(snapshot(self.connection, organization, revision)?);
        if self.snapshots.len() >= SNAPSHOTS_MAX {
            self.snapshots.clear();
        }
        self.snapshots.insert((organization, revision), read.clone());
        Ok(read)
    }

    pub(super) fn event(&mut self, at: Key) -> rusqlite::Result<Option<EventView>> {
        let row = self
            .connection
            .prepare_cached(
                "SELECT organization, revision, host_revision, kind, inbox, project, document, client_id, payload FROM event WHERE key = ?1",
            )?
            .query_row([at.as_i64()], |row| {
                let text = |column: usize| row.get::<_, Option<String>>(column);
                let kind: String = row.get(3)?;
                let document: String = row.get(6)?;
                Ok((
                    OrganizationKey(row.get(0)?),
                    Revision { organization: row.get(1)?, host: row.get(2)? },
                    parsed::<Kind>(&kind)?,
                    text(4)?.map(|text| parsed::<ProductId>(&text)).transpose()?,
                    text(5)?.map(|text| parsed::<ProductId>(&text)).transpose()?,
                    parsed::<ProductId>(&document)?,
                    text(7)?.map(|text| parsed::<ClientEventId>(&text)).transpose()?,
                    row.get::<_, i64>(8)? == 0,
                ))
            })
            .optional()?;
        let Some((organization, revision, kind, inbox, project, document, client_id, payload_present)) = row else {
            return Ok(None);
        };
        let salt = self.salts.of(at).ok_or_else(|| unreadable("an event without a salt"))?;
        let id = EventId::new(at, salt);
        let snapshot = self.snapshot(organization, revision)?;
        let mut outcomes = self.outcomes(at)?;
        let mut runs = Vec::new();
        let subject = Subject {
            kind: &kind,
            inbox: inbox.as_ref(),
            project: project.as_ref(),
        };
        for pinned in snapshot.matching(subject) {
            let run = RunRef {
                event: at,
                generation: 0,
                integration: pinned.key,
                organization,
            };
            runs.push(self.run(run, id, salt, pinned, &mut outcomes)?);
        }
        for (generation, integration, revision, salt) in self.orders(at)? {
            let snapshot = self.snapshot(organization, revision)?;
            if let Some(pinned) = snapshot.get(integration) {
                let run = RunRef {
                    event: at,
                    generation,
                    integration,
                    organization,
                };
                runs.push(self.run(run, id, salt, pinned, &mut outcomes)?);
            }
        }
        let open = runs
            .iter()
            .any(|run| run.state.is_open() || run.deliveries.iter().any(|delivery| delivery.state.is_open()));
        let state = match (runs.is_empty(), open) {
            (true, _) => EventState::Unmatched,
            (false, true) => EventState::Pending,
            (false, false) => EventState::Settled,
        };
        Ok(Some(EventView {
            id,
            organization,
            organization_name: snapshot.name.clone(),
            kind,
            inbox,
            project,
            document,
            client_id,
            accepted_at: at.time(),
            payload_present,
            state,
            runs,
        }))
    }

    fn orders(&self, at: Key) -> rusqlite::Result<Vec<(u32, IntegrationKey, Revision, Salt)>> {
        let mut read = self
            .connection
            .prepare_cached("SELECT generation, integration FROM run_order WHERE event = ?1 ORDER BY generation")?;
        let rows: Vec<(u32, i64)> = read
            .query_map([at.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let mut orders = Vec::new();
        for (generation, integration) in rows {
            let integration = IntegrationKey(integration);
            let run = RunRef {
                event: at,
                generation,
                integration,
                organization: OrganizationKey(0),
            };
            if let Some((revision, salt)) = order(self.connection, run, self.salts)? {
                orders.push((generation, integration, revision, salt));
            }
        }
        Ok(orders)
    }

    fn outcomes(&self, at: Key) -> rusqlite::Result<HashMap<(u32, IntegrationKey), Vec<OutcomeRow>>> {
        let mut read = self.connection.prepare_cached(
            "SELECT generation, integration, ordinal, state, recorded_at, requests, run_us, memory_bytes, log, code, reason, target, digest,
                 attempts, due_at, status
             FROM outcome WHERE event = ?1 ORDER BY generation, integration, ordinal",
        )?;
        let mut found: HashMap<(u32, IntegrationKey), Vec<OutcomeRow>> = HashMap::new();
        let mut rows = read.query([at.as_i64()])?;
        while let Some(row) = rows.next()? {
            let outcome = OutcomeRow {
                generation: row.get(0)?,
                integration: IntegrationKey(row.get(1)?),
                ordinal: row.get(2)?,
                state: codes::read(row.get(3)?).ok_or_else(|| unreadable("an unknown state"))?,
                recorded_at: Time::from_millis(row.get(4)?),
                requests: row.get(5)?,
                duration_us: row.get::<_, Option<i64>>(6)?.map(|value| value as u64),
                memory_bytes: row.get::<_, Option<i64>>(7)?.map(|value| value as u64),
                log: row.get(8)?,
                code: row.get(9)?,
                reason: row.get(10)?,
                target: row.get(11)?,
                digest: row.get::<_, Option<[u8; 32]>>(12)?.map(Digest::from_bytes),
                attempts: row.get(13)?,
                due_at: row.get::<_, Option<i64>>(14)?.map(Time::from_millis),
                status: row.get(15)?,
            };
            found.entry((outcome.generation, outcome.integration)).or_default().push(outcome);
        }
        Ok(found)
    }

    fn run(
        &self,
        run: RunRef,
        event: EventId,
        salt: Salt,
        pinned: &Pinned,
        outcomes: &mut HashMap<(u32, IntegrationKey), Vec<OutcomeRow>>,
    ) -> rusqlite::Result<RunView> {
        let rows = outcomes.remove(&(run.generation, run.integration)).unwrap_or_default();
        let source = run_source(run, salt, pinned.id);
        let deleted = self.is_deleted(run.integration)?;
        let first = rows.first().filter(|row| row.ordinal == 0);
        let state = match rows.first().map(|row| row.state) {
            // A deletion holds from its own commit on; the rows follow.
            Some(RowState::Run(RunState::Parked)) if deleted => RunState::Cancelled,
            Some(RowState::Run(state)) => state,
            Some(RowState::Delivery(_)) => RunState::Done,
            None if deleted => RunState::Cancelled,
            None if self.is_queued(run)? => RunState::Queued,
            None => RunState::Pending,
        };
        let mut deliveries: Vec<DeliveryView> = Vec::new();
        if state == RunState::Done {
            let requests = first
                .and_then(|row| row.requests)
                .unwrap_or(0)
                .max(rows.last().map_or(0, |row| row.ordinal + 1));
            let mut rows_by_ordinal: HashMap<u16, &OutcomeRow> = rows.iter().map(|row| (row.ordinal, row)).collect();
            for ordinal in 0..requests {
                let row = rows_by_ordinal.remove(&ordinal);
                let state = match row.map(|row| row.state) {
                    Some(RowState::Delivery(state)) if deleted && state.is_open() => DeliveryState::Cancelled,
                    Some(RowState::Delivery(state)) => state,
                    _ if deleted => DeliveryState::Cancelled,
                    _ => DeliveryState::Pending,
                };
                deliveries.push(DeliveryView {
                    id: source.delivery_id(ordinal),
                    delivery: DeliveryRef { run, ordinal },
                    run: source.run_id(),
                    event,
                    integration: pinned.id,
                    target: row.and_then(|row| row.target.clone()),
                    state,
                    attempts: row.and_then(|row| row.attempts).unwrap_or(0),
                    due_at: row.and_then(|row| row.due_at).filter(|_| state == DeliveryState::Waiting),
                    status: row.and_then(|row| row.status),
                    recorded_at: row.map(|row| row.recorded_at),
                    request_digest: row.and_then(|row| row.digest),
                });
            }
        }
        Ok(RunView {
            id: source.run_id(),
            run,
            event,
            integration: pinned.id,
            plugin: pinned.facts.plugin.name.clone(),
            version: pinned.version,
            digest: pinned.digest,
            state,
            recorded_at: first.map(|row| row.recorded_at),
            code: first.and_then(|row| row.code.clone()),
            reason: first.and_then(|row| row.reason.clone()),
            duration_us: first.and_then(|row| row.duration_us),
            memory_bytes: first.and_then(|row| row.memory_bytes),
            log: first.and_then(|row| row.log.clone()),
            deliveries,
        })
    }

    fn is_deleted(&self, integration: IntegrationKey) -> rusqlite::Result<bool> {
        let mut find = self
            .connection
            .prepare_cached("SELECT deleted_at IS NOT NULL FROM integration WHERE key = ?1")?;
        Ok(find.query_row([integration.0], |row| row.get(0)).optional()?.unwrap_or(true))
    }

    fn is_queued(&self, run: RunRef) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM queue WHERE integration = ?1 AND event = ?2 AND generation = ?3")?
            .exists(params![run.integration.0, run.event.as_i64(), run.generation])
    }
}
