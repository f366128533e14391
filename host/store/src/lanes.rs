//! Open work as the river takes it up: windows on the queue and on what is due, lane by lane, and the heads of all lanes at a start.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::ids::{IntegrationId, Salt};
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, Revision};
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::StoreError;
use crate::desk::{Salts, key};
use crate::records::{DeliveryRef, Due, Event, Queued, RunRef, run_source};
use crate::store::Store;
use crate::wire::{parsed, unreadable};

/// A lane with work on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneHead {
    /// Its integration.
    pub integration: IntegrationKey,
    /// Whose it is.
    pub organization: OrganizationKey,
    /// Of retries: when the first is due.
    pub due: Option<Time>,
}

/// What limits a window.
#[derive(Debug, Clone, Copy)]
pub struct WindowMax {
    /// At most so many.
    pub count: usize,
    /// No further one once so many bytes have been read.
    pub bytes: usize,
}

pub(crate) fn read_event(row: &Row<'_>, salts: &Salts) -> rusqlite::Result<Event> {
    let at = key(row.get(0)?);
    Ok(Event {
        key: at,
        salt: salts.of(at).ok_or_else(|| unreadable("an event without a salt"))?,
        organization: OrganizationKey(row.get(1)?),
        kind: parsed(&row.get::<_, String>(2)?)?,
        inbox: row.get::<_, Option<String>>(3)?.map(|text| parsed(&text)).transpose()?,
        project: row.get::<_, Option<String>>(4)?.map(|text| parsed(&text)).transpose()?,
        data: row.get::<_, Option<Vec<u8>>>(5)?.map(Bytes::from).unwrap_or_default(),
    })
}

/// The revision and salt that a run is run under: its event's, or its order's.
pub(crate) fn order(connection: &Connection, run: RunRef, salts: &Salts) -> rusqlite::Result<Option<(Revision, Salt)>> {
    let revision = |row: &Row<'_>| {
        Ok(Revision {
            organization: row.get(0)?,
            host: row.get(1)?,
        })
    };
    if run.generation == 0 {
        let found = connection
            .prepare_cached("SELECT revision, host_revision FROM event WHERE key = ?1")?
            .query_row([run.event.as_i64()], revision)
            .optional()?;
        return Ok(found.zip(salts.of(run.event)));
    }
    connection
        .prepare_cached("SELECT revision, host_revision, salt FROM run_order WHERE event = ?1 AND generation = ?2")?
        .query_row(params![run.event.as_i64(), run.generation], |row| {
            Ok((revision(row)?, Salt::new(row.get::<_, i64>(2)? as u64)))
        })
        .optional()
}

pub(crate) fn recorded_ordinals(connection: &Connection, run: RunRef) -> rusqlite::Result<Vec<u16>> {
    let mut read = connection
        .prepare_cached("SELECT ordinal FROM outcome WHERE event = ?1 AND generation = ?2 AND integration = ?3 ORDER BY ordinal")?;
    read.query_map(params![run.event.as_i64(), run.generation, run.integration.0], |row| row.get(0))?
        .collect()
}

fn queue_window(
    connection: &Connection,
    salts: &Salts,
    integration: IntegrationKey,
    taken: &HashSet<RunRef>,
    max: WindowMax,
) -> rusqlite::Result<Vec<Queued>> {
    let mut read = connection.prepare_cached(
        "SELECT e.key, e.organization, e.kind, e.inbox, e.project, e.data, q.generation
         FROM queue q JOIN event e ON e.key = q.event WHERE q.integration = ?1 ORDER BY q.event, q.generation LIMIT ?2",
    )?;
    // What is taken up has its row still, so it is read past.
    let mut rows = read.query(params![integration.0, max.count.saturating_add(taken.len())])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let run = RunRef {
            event: key(row.get(0)?),
            generation: row.get(6)?,
            integration,
            organization: OrganizationKey(row.get(1)?),
        };
        if taken.contains(&run) {
            continue;
        }
        if found.len() >= max.count || bytes >= max.bytes {
            break;
        }
        let event = read_event(row, salts)?;
        bytes += event.data.len();
        let Some((revision, salt)) = order(connection, run, salts)? else {
            continue;
        };
        let recorded = recorded_ordinals(connection, run)?;
        found.push(Queued {
            run,
            event: Arc::new(event),
            revision,
            salt,
            recorded,
        });
    }
    Ok(found)
}

fn due_window(
    connection: &Connection,
    salts: &Salts,
    integration: IntegrationKey,
    now: Time,
    taken: &HashSet<DeliveryRef>,
    max: WindowMax,
) -> rusqlite::Result<(Vec<Due>, Option<Time>)> {
    let id: Option<[u8; 16]> = connection
        .prepare_cached("SELECT id FROM integration WHERE key = ?1")?
        .query_row([integration.0], |row| row.get(0))
        .optional()?;
    let Some(id) = id.map(IntegrationId::from_bytes) else {
        return Ok((Vec::new(), None));
    };
    let mut read = connection.prepare_cached(
        "SELECT d.at, d.event, d.generation, d.ordinal, o.organization, o.attempts, coalesce(o.counted, o.attempts), f.request
         FROM due d
         JOIN outcome o ON o.event = d.event AND o.generation = d.generation AND o.integration = d.integration AND o.ordinal = d.ordinal
         JOIN frozen f ON f.event = d.event AND f.generation = d.generation AND f.integration = d.integration AND f.ordinal = d.ordinal
         WHERE d.integration = ?1 AND o.state = 2 ORDER BY d.at, d.event, d.generation, d.ordinal LIMIT ?2",
    )?;
    let mut rows = read.query(params![integration.0, max.count.saturating_add(taken.len()).saturating_add(1)])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let at = Time::from_millis(row.get(0)?);
        let run = RunRef {
            event: key(row.get(1)?),
            generation: row.get(2)?,
            integration,
            organization: OrganizationKey(row.get(4)?),
        };
        let delivery = DeliveryRef { run, ordinal: row.get(3)? };
        if taken.contains(&delivery) {
            continue;
        }
        if at > now || found.len() >= max.count || bytes >= max.bytes {
            return Ok((found, Some(at)));
        }
        let Some((_, salt)) = order(connection, run, salts)? else {
            continue;
        };
        let frozen = Bytes::from(row.get::<_, Vec<u8>>(7)?);
        bytes += frozen.len();
        found.push(Due {
            delivery,
            id: run_source(run, salt, id).delivery_id(delivery.ordinal),
            at,
            attempts: row.get(5)?,
            counted: row.get(6)?,
            frozen,
        });
    }
    Ok((found, None))
}

/// The lanes with rows in the queue, found by stepping from one integration to the next.
fn queue_heads(connection: &Connection) -> rusqlite::Result<Vec<LaneHead>> {
    heads(
        connection,
        "WITH RECURSIVE lane (integration) AS (
             SELECT min(integration) FROM queue
             UNION ALL SELECT (SELECT min(q.integration) FROM queue q WHERE q.integration > lane.integration) FROM lane
             WHERE lane.integration IS NOT NULL)
         SELECT lane.integration, i.organization, NULL FROM lane JOIN integration i ON i.key = lane.integration",
    )
}

/// The lanes with deliveries that wait, each with its first due time.
fn due_heads(connection: &Connection) -> rusqlite::Result<Vec<LaneHead>> {
    heads(
        connection,
        "WITH RECURSIVE lane (integration) AS (
             SELECT min(integration) FROM due
             UNION ALL SELECT (SELECT min(d.integration) FROM due d WHERE d.integration > lane.integration) FROM lane
             WHERE lane.integration IS NOT NULL)
         SELECT lane.integration, i.organization, (SELECT min(d.at) FROM due d WHERE d.integration = lane.integration)
         FROM lane JOIN integration i ON i.key = lane.integration",
    )
}

fn heads(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<LaneHead>> {
    let mut read = connection.prepare(sql)?;
    let rows = read.query_map([], |row| {
        Ok(LaneHead {
            integration: IntegrationKey(row.get(0)?),
            organization: OrganizationKey(row.get(1)?),
            due: row.get::<_, Option<i64>>(2)?.map(Time::from_millis),
        })
    })?;
    rows.collect()
}

impl Store {
    /// The next runs of a lane's queue, by event, but for those that are taken up. Their rows stay until their last outcome is recorded.
    pub async fn queue_window(
        &self,
        integration: IntegrationKey,
        taken: HashSet<RunRef>,
        max: WindowMax,
    ) -> Result<Vec<Queued>, StoreError> {
        let salts = self.salts();
        self.read(move |connection| queue_window(connection, &salts, integration, &taken, max))
            .await
    }

    /// The deliveries of a lane that are due by now, but for those that are taken up; and when the first of the rest is due, if any is.
    pub async fn due_window(
        &self,
        integration: IntegrationKey,
        now: Time,
        taken: HashSet<DeliveryRef>,
        max: WindowMax,
    ) -> Result<(Vec<Due>, Option<Time>), StoreError> {
        let salts = self.salts();
        self.read(move |connection| due_window(connection, &salts, integration, now, &taken, max))
            .await
    }

    /// Every lane with rows in the queue. For a start: the work is a step for each lane, however long its queue.
    pub async fn queue_heads(&self) -> Result<Vec<LaneHead>, StoreError> {
        self.read(queue_heads).await
    }

    /// Every lane with deliveries that wait, with its first due time.
    pub async fn due_heads(&self) -> Result<Vec<LaneHead>, StoreError> {
        self.read(due_heads).await
    }
}
