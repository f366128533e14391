//! What people see of events, runs and deliveries. What no row holds is computed here, from the event and its revision, by the same
//! matching that accepted it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{DeliveryId, EventId, IntegrationId, RunId};
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, Revision};
use hookmill_domain::key::Key;
use hookmill_domain::matching::Subject;
use hookmill_domain::names::{ClientEventId, Kind, OrganizationName, PluginName, ProductId};
use hookmill_domain::revision::{Pinned, Snapshot};
use hookmill_domain::state::{DeliveryState, EventState, RunState};
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::StoreError;
use crate::codes::{self, NOT_WELL, RowState};
use crate::desk::{Salts, key};
use crate::history::keys_of;
use crate::integrations::snapshot;
use crate::lanes::order;
use crate::records::{Attempt, DeliveryRef, RunRef, run_source};
use crate::store::Store;
use crate::wire::{parsed, unreadable};

/// An event with all its runs.
#[derive(Debug, Clone)]
pub struct EventView {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub organization: OrganizationKey,
    /// Its organization's name.
    pub organization_name: OrganizationName,
    /// Its kind.
    pub kind: Kind,
    /// The inbox that its document belongs to.
    pub inbox: Option<ProductId>,
    /// The project that its document belongs to.
    pub project: Option<ProductId>,
    /// Its document.
    pub document: ProductId,
    /// The client's own id of it.
    pub client_id: Option<ClientEventId>,
    /// When it was accepted.
    pub accepted_at: Time,
    /// Whether its payload is there.
    pub payload_present: bool,
    /// What became of it.
    pub state: EventState,
    /// Its runs, by generation and integration.
    pub runs: Vec<RunView>,
}

/// A run with all its deliveries.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// Its place in the store.
    pub run: RunRef,
    /// Its event's id.
    pub event: EventId,
    /// Its integration's id.
    pub integration: IntegrationId,
    /// The plugin.
    pub plugin: PluginName,
    /// The plugin's version.
    pub version: u32,
    /// The component's digest.
    pub digest: Digest,
    /// What became of it.
    pub state: RunState,
    /// When that was recorded; absent while no row tells.
    pub recorded_at: Option<Time>,
    /// Of a parked run: what kind of failure.
    pub code: Option<String>,
    /// Of a parked or skipped run: why.
    pub reason: Option<String>,
    /// How long the call took, in microseconds.
    pub duration_us: Option<u64>,
    /// The largest sum of the call's memories, in bytes.
    pub memory_bytes: Option<u64>,
    /// What the plugin logged.
    pub log: Option<String>,
    /// Its deliveries, by ordinal.
    pub deliveries: Vec<DeliveryView>,
}

/// A delivery as it stands.
#[derive(Debug, Clone)]
pub struct DeliveryView {
    /// Its id, and `webhook-id`.
    pub id: DeliveryId,
    /// Its place in the store.
    pub delivery: DeliveryRef,
    /// Its run's id.
    pub run: RunId,
    /// Its event's id.
    pub event: EventId,
    /// Its integration's id.
    pub integration: IntegrationId,
    /// The target's name; absent for the default one, and while no row tells.
    pub target: Option<String>,
    /// What became of it.
    pub state: DeliveryState,
    /// Attempts made so far.
    pub attempts: u32,
    /// When it is tried next.
    pub due_at: Option<Time>,
    /// The last attempt's status.
    pub status: Option<u16>,
    /// When its state was recorded; absent while no row tells.
    pub recorded_at: Option<Time>,
    /// SHA-256 of the request as it is sent each time; absent while no row tells.
    pub request_digest: Option<Digest>,
}

/// What a list is to show. An organization always limits it; the rest narrows it.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Whose.
    pub organization: OrganizationKey,
    /// Of one integration.
    pub integration: Option<IntegrationKey>,
    /// Of one event.
    pub event: Option<Key>,
    /// Of events of these inboxes alone.
    pub inboxes: Option<Vec<ProductId>>,
}

/// Where a page of a list ends: the next one begins below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The event.
    pub event: Key,
    /// The run's generation.
    pub generation: u32,
    /// The run's integration.
    pub integration: IntegrationKey,
    /// The delivery's number.
    pub ordinal: u16,
}

impl Position {
    /// Stands above every other.
    pub const TOP: Position = Position {
        event: Key::MAX,
        generation: u32::MAX,
        integration: IntegrationKey(i64::MAX),
        ordinal: u16::MAX,
    };

    /// Stands below everything of an event.
    fn below(event: Key) -> Position {
        Position {
            event,
            generation: 0,
            integration: IntegrationKey(i64::MIN),
            ordinal: 0,
        }
    }
}

/// Events looked at for one page; a page may hold fewer than were asked for, and still have a next one.
const EVENTS_SCANNED: usize = 2000;
/// Runs looked at for one page, of however few events.
const RUNS_SCANNED: usize = 10_000;
/// Events read at once.
const EVENTS_AT_ONCE: usize = 100;

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

/// Reads views, and remembers configurations between them.
struct Viewer<'a> {
    connection: &'a Connection,
    salts: &'a Salts,
    snapshots: HashMap<(OrganizationKey, Revision), Arc<Snapshot>>,
}

impl Viewer<'_> {
    fn snapshot(&mut self, organization: OrganizationKey, revision: Revision) -> rusqlite::Result<Arc<Snapshot>> {
        if let Some(known) = self.snapshots.get(&(organization, revision)) {
            return Ok(known.clone());
        }
        let read = Arc::new(snapshot(self.connection, organization, revision)?);
        self.snapshots.insert((organization, revision), read.clone());
        Ok(read)
    }

    fn event(&mut self, at: Key) -> rusqlite::Result<Option<EventView>> {
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

    fn orders(&self, at: Key) -> rusqlite::Result<Vec<(u32, IntegrationKey, Revision, hookmill_domain::ids::Salt)>> {
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
        salt: hookmill_domain::ids::Salt,
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

    /// The keys of events at or below `top`, the newest first, that may hold what a list is to show.
    fn candidates(&self, filter: &Filter, hint: Hint, top: Key, limit: usize) -> rusqlite::Result<Vec<Key>> {
        let keys = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<Vec<Key>> {
            let mut read = self.connection.prepare_cached(sql)?;
            read.query_map(params, |row| row.get(0).map(key))?.collect()
        };
        if let Some(event) = filter.event {
            return Ok(if event <= top { vec![event] } else { Vec::new() });
        }
        match (hint, filter.integration) {
            (Hint::Row(state), Some(integration)) => keys(
                &format!(
                    "SELECT DISTINCT event FROM outcome
                     WHERE integration = ?1 AND state = ?2 AND {NOT_WELL} AND event <= ?3 ORDER BY event DESC LIMIT ?4"
                ),
                params![integration.0, state, top.as_i64(), limit],
            ),
            (Hint::Row(state), None) => keys(
                &format!(
                    "SELECT DISTINCT event FROM outcome
                     WHERE organization = ?1 AND state = ?2 AND {NOT_WELL} AND event <= ?3 ORDER BY event DESC LIMIT ?4"
                ),
                params![filter.organization.0, state, top.as_i64(), limit],
            ),
            (Hint::Queue, Some(integration)) => keys(
                "SELECT DISTINCT event FROM queue WHERE integration = ?1 AND event <= ?2 ORDER BY event DESC LIMIT ?3",
                params![integration.0, top.as_i64(), limit],
            ),
            _ => keys_of(self.connection, filter.organization, top, limit),
        }
    }

    /// A page of what `pick` takes from events, the newest first, and where the next one begins.
    fn page<T>(
        &mut self,
        filter: &Filter,
        hint: Hint,
        below: Position,
        limit: usize,
        pick: impl Fn(EventView) -> Vec<(Position, T)>,
    ) -> rusqlite::Result<(Vec<T>, Option<Position>)> {
        let (mut items, mut below, mut scanned, mut runs) = (Vec::new(), below, 0, 0);
        while scanned < EVENTS_SCANNED && runs < RUNS_SCANNED {
            let candidates = self.candidates(filter, hint, below.event, EVENTS_AT_ONCE)?;
            let last_batch = candidates.len() < EVENTS_AT_ONCE;
            scanned += candidates.len();
            for candidate in candidates {
                if runs >= RUNS_SCANNED {
                    return Ok((items, Some(below)));
                }
                let Some(event) = self.event(candidate)? else { continue };
                runs += event.runs.len();
                if event.organization == filter.organization && in_inboxes(&event, filter.inboxes.as_deref()) {
                    let mut picked = pick(event);
                    picked.retain(|(position, _)| {
                        *position < below && filter.integration.is_none_or(|integration| position.integration == integration)
                    });
                    picked.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
                    for (position, item) in picked {
                        if items.len() == limit {
                            return Ok((items, Some(below)));
                        }
                        items.push(item);
                        below = position;
                    }
                }
                below = below.min(Position::below(candidate));
            }
            if last_batch {
                return Ok((items, None));
            }
            // Everything of the last event has been seen.
            below = Position {
                event: Key::from_i64(below.event.as_i64() - 1).unwrap_or(Key::ZERO),
                ..Position::TOP
            };
        }
        Ok((items, Some(below)))
    }
}

/// Which rows tell of what a list looks for.
#[derive(Debug, Clone, Copy)]
enum Hint {
    /// Rows in a state that the partial indexes hold.
    Row(i64),
    /// Rows of the queue.
    Queue,
    /// None: all events are looked at.
    All,
}

impl Hint {
    fn of_code(code: Option<i64>) -> Hint {
        match code {
            // What went well is in no index.
            Some(1 | 16) | None => Hint::All,
            Some(code) => Hint::Row(code),
        }
    }
}

fn in_inboxes(event: &EventView, inboxes: Option<&[ProductId]>) -> bool {
    inboxes.is_none_or(|inboxes| event.inbox.as_ref().is_some_and(|inbox| inboxes.contains(inbox)))
}

impl Store {
    /// An event with its runs and their deliveries.
    pub async fn event(&self, at: Key) -> Result<Option<EventView>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            Viewer {
                connection,
                salts: &salts,
                snapshots: HashMap::new(),
            }
            .event(at)
        })
        .await
    }

    /// The `data` of an event, byte for byte; `None` if there is no such event, or its payload is gone.
    pub async fn event_data(&self, at: Key) -> Result<Option<Bytes>, StoreError> {
        self.read_list(move |connection| {
            let data: Option<Option<Vec<u8>>> = connection
                .prepare_cached("SELECT data FROM event WHERE key = ?1 AND payload = 0")?
                .query_row([at.as_i64()], |row| row.get(0))
                .optional()?;
            Ok(data.flatten().map(Bytes::from))
        })
        .await
    }

    /// Runs, those of the newest events first, at most `limit`, below a position; and where the next page begins, if there is one. A page
    /// may be short, since the work for it is bounded.
    pub async fn runs(
        &self,
        filter: Filter,
        state: Option<RunState>,
        below: Position,
        limit: usize,
    ) -> Result<(Vec<RunView>, Option<Position>), StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            let mut viewer = Viewer {
                connection,
                salts: &salts,
                snapshots: HashMap::new(),
            };
            let hint = match state {
                Some(RunState::Queued) => Hint::Queue,
                state => Hint::of_code(state.and_then(codes::of_run)),
            };
            viewer.page(&filter, hint, below, limit, |event| {
                let runs = event.runs.into_iter().filter(|run| state.is_none_or(|state| run.state == state));
                runs.map(|view| (position(view.run, 0), view)).collect()
            })
        })
        .await
    }

    /// Deliveries, in the manner of [`Store::runs`].
    pub async fn deliveries(
        &self,
        filter: Filter,
        state: Option<DeliveryState>,
        below: Position,
        limit: usize,
    ) -> Result<(Vec<DeliveryView>, Option<Position>), StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            let mut viewer = Viewer {
                connection,
                salts: &salts,
                snapshots: HashMap::new(),
            };
            let hint = match state {
                // A delivery without a row is pending too, and so is one of a deleted integration cancelled.
                Some(DeliveryState::Pending) | None => Hint::All,
                Some(state) => Hint::of_code(Some(codes::of_delivery(state))),
            };
            viewer.page(&filter, hint, below, limit, |event| {
                let deliveries = event.runs.into_iter().flat_map(|run| run.deliveries);
                let deliveries = deliveries.filter(|delivery| state.is_none_or(|state| delivery.state == state));
                deliveries
                    .map(|view| (position(view.delivery.run, view.delivery.ordinal), view))
                    .collect()
            })
        })
        .await
    }

    /// The attempts of a delivery, the first one first.
    pub async fn attempts(&self, delivery: DeliveryRef) -> Result<Vec<Attempt>, StoreError> {
        self.read_list(move |connection| {
            let DeliveryRef { run, ordinal } = delivery;
            let place = params![run.event.as_i64(), run.generation, run.integration.0, ordinal];
            let mut read = connection.prepare_cached(
                "SELECT number, ended_at, duration_us, status, code, detail, response FROM attempt
                 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4 ORDER BY number",
            )?;
            let rows: Vec<Attempt> = read.query_map(place, read_attempt)?.collect::<rusqlite::Result<_>>()?;
            if !rows.is_empty() {
                return Ok(rows);
            }
            // Taken at once: the outcome's own row tells of the one attempt.
            let mut read = connection.prepare_cached(
                "SELECT attempts, recorded_at, duration_us, status, NULL, NULL, response FROM outcome
                 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4 AND state = 1 AND attempts = 1",
            )?;
            read.query_map(place, read_attempt)?.collect()
        })
        .await
    }
}

fn position(run: RunRef, ordinal: u16) -> Position {
    Position {
        event: run.event,
        generation: run.generation,
        integration: run.integration,
        ordinal,
    }
}

fn read_attempt(row: &rusqlite::Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        number: row.get(0)?,
        ended_at: Time::from_millis(row.get(1)?),
        duration_us: row.get::<_, Option<i64>>(2)?.unwrap_or(0) as u64,
        status: row.get(3)?,
        code: row.get(4)?,
        detail: row.get(5)?,
        response: row.get::<_, Option<Vec<u8>>>(6)?.map(Bytes::from).unwrap_or_default(),
    })
}
