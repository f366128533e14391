//! What people see of events, runs and deliveries. What no row holds is computed here, from the event and its revision, by the same
//! matching that accepted it.
//!
//! [`viewer`] makes the view of one event from its rows; [`lists`] are pages of what such views hold.

mod attempts;
mod lists;
mod viewer;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{DeliveryId, EventId, IntegrationId, RunId};
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::key::Key;
use hookmill_domain::names::{ClientEventId, Kind, OrganizationName, PluginName, ProductId};
use hookmill_domain::state::{DeliveryState, EventState, RunState};
use hookmill_domain::time::Time;
use rusqlite::OptionalExtension as _;

use crate::StoreError;
use crate::records::{DeliveryRef, RunRef};
use crate::store::Store;
use crate::wire::{parsed, unreadable};

pub(crate) use lists::Filling;
pub use lists::{Filter, ListMax, Listed, Position};

use viewer::Viewer;

/// What an item takes while it is answered, beside its texts: as it is read, as it is shown, and as JSON.
const RUN_BYTES: usize = 2 * 1024;
const DELIVERY_BYTES: usize = 1024;
const ATTEMPT_BYTES: usize = 1024;
/// How often a text is in memory then: as it is read, as it is shown, and six times as long in JSON where it is of control characters.
const TEXT_TIMES: usize = 8;

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

impl RunView {
    /// How many bytes it takes, at most, while it is answered.
    fn answer_bytes(&self) -> usize {
        let texts = [&self.log, &self.reason, &self.code].into_iter().flatten().map(String::len);
        RUN_BYTES + TEXT_TIMES * texts.sum::<usize>() + DELIVERY_BYTES * self.deliveries.len()
    }
}

/// Whose an event is.
#[derive(Debug, Clone)]
pub struct EventOwner {
    /// Its place in the store.
    pub key: Key,
    /// Its id, for which there is one salt.
    pub id: EventId,
    /// Whose.
    pub organization: OrganizationKey,
    /// The inbox of its document.
    pub inbox: Option<ProductId>,
}

impl Store {
    /// Whose an event is; `None` if there is no such event.
    pub async fn event_owner(&self, at: Key) -> Result<Option<EventOwner>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            let row: Option<(i64, Option<String>)> = connection
                .prepare_cached("SELECT organization, inbox FROM event WHERE key = ?1")?
                .query_row([at.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((organization, inbox)) = row else { return Ok(None) };
            let salt = salts.of(at).ok_or_else(|| unreadable("an event without a salt"))?;
            Ok(Some(EventOwner {
                key: at,
                id: EventId::new(at, salt),
                organization: OrganizationKey(organization),
                inbox: inbox.map(|inbox| parsed(&inbox)).transpose()?,
            }))
        })
        .await
    }

    /// How many bytes [`Store::event`] takes, at most, while what it gives is answered; 0 if there is no such event.
    pub async fn event_answer_bytes(&self, at: Key) -> Result<u64, StoreError> {
        self.read_list(move |connection| {
            let runs: Option<u64> = connection
                .prepare_cached("SELECT owed + (SELECT count(*) FROM run_order WHERE event = key) FROM event WHERE key = ?1")?
                .query_row([at.as_i64()], |row| row.get(0))
                .optional()?;
            let Some(runs) = runs else { return Ok(0) };
            // The requests that a run owes are shown also where they have no row yet. SQLite knows a text's length without reading it.
            let (deliveries, text_bytes): (u64, u64) = connection
                .prepare_cached(
                    "SELECT coalesce(sum(max(requests, above)), 0), coalesce(sum(text_bytes), 0) FROM
                         (SELECT coalesce(max(requests), 0) AS requests, max(ordinal) + 1 AS above,
                              sum(coalesce(octet_length(log), 0) + coalesce(octet_length(reason), 0)) AS text_bytes
                          FROM outcome WHERE event = ?1 GROUP BY generation, integration)",
                )?
                .query_row([at.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(RUN_BYTES as u64 * runs + DELIVERY_BYTES as u64 * deliveries + TEXT_TIMES as u64 * text_bytes)
        })
        .await
    }

    /// An event with its runs and their deliveries.
    pub async fn event(&self, at: Key) -> Result<Option<EventView>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| Viewer::new(connection, &salts).event(at)).await
    }

    /// How many bytes the `data` of an event has; `None` if there is no such event, or its payload is gone.
    pub async fn event_data_bytes(&self, at: Key) -> Result<Option<u64>, StoreError> {
        self.read_list(move |connection| {
            // SQLite knows a blob's length without reading the blob.
            let bytes: Option<Option<u64>> = connection
                .prepare_cached("SELECT length(data) FROM event WHERE key = ?1 AND payload = 0")?
                .query_row([at.as_i64()], |row| row.get(0))
                .optional()?;
            Ok(bytes.flatten())
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
}
