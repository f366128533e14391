//! Targets that are gone, and deliveries that are held for a target: written down, and woken by a change.

use hookmill_domain::integration::{IntegrationKey, LiveTarget, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::names::TargetName;
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, params};

use super::row::{COLUMNS, read_row};
use crate::StoreError;
use crate::desk::{Desk, key};
use crate::lanes::WindowMax;
use crate::records::{DeliveryRef, RunRef};
use crate::store::Store;
use crate::wire;

/// The place of a held delivery among those of its target: event, generation, ordinal.
pub type HeldPlace = (Key, u32, u16);

/// Stands below every held delivery.
pub const HELD_FIRST: HeldPlace = (Key::ZERO, 0, 0);

impl Desk<'_> {
    /// Puts back into the lane what waited for a target that was gone, removed or at its limit: each is asked again.
    fn wake_held(
        &mut self,
        integration: IntegrationKey,
        target: Option<&str>,
        after: HeldPlace,
        max: WindowMax,
    ) -> rusqlite::Result<(Vec<DeliveryRef>, bool)> {
        let now = self.now();
        let mut read = self.connection.prepare_cached(
            "SELECT event, generation, ordinal, organization,
                 (SELECT length(f.request) FROM frozen f WHERE f.event = o.event AND f.generation = o.generation
                     AND f.integration = o.integration AND f.ordinal = o.ordinal)
             FROM outcome o
             WHERE integration = ?1 AND state = 4 AND target IS ?2 AND (event, generation, ordinal) > (?3, ?4, ?5)
             ORDER BY event, generation, ordinal LIMIT ?6",
        )?;
        let place = params![integration.0, target, after.0.as_i64(), after.1, after.2, max.count];
        let mut rows = read.query(place)?;
        let (mut held, mut bytes) = (Vec::new(), 0_usize);
        let mut is_cut = false;
        while let Some(row) = rows.next()? {
            is_cut = bytes > 0 && bytes >= max.bytes;
            if is_cut {
                break;
            }
            let run = RunRef {
                event: key(row.get(0)?),
                generation: row.get(1)?,
                integration,
                organization: OrganizationKey(row.get(3)?),
            };
            held.push(DeliveryRef { run, ordinal: row.get(2)? });
            bytes += row.get::<_, Option<usize>>(4)?.unwrap_or(0).max(1);
        }
        is_cut |= held.len() == max.count;
        drop(rows);
        for delivery in &held {
            self.make_due(*delivery, now, false)?;
        }
        Ok((held, is_cut))
    }
}

impl Store {
    /// Marks a target as gone, since its receiver answered 410: nothing is sent to it until the integration is changed.
    pub async fn set_target_gone(&self, key: IntegrationKey, target: Option<String>, url: String, now: Time) -> Result<bool, StoreError> {
        let keyring = self.keyring();
        self.write(move |desk| {
            let row = desk
                .connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM integration WHERE key = ?1 AND deleted_at IS NULL"))?
                .query_row([key.0], read_row)
                .optional()?;
            let Some(row) = row else { return Ok(false) };
            let mut integration = row.integration(&keyring)?;
            // An answer to a URL that has been changed since says nothing of the new one.
            let is_meant =
                |found: &&mut LiveTarget| found.name.as_ref().map(TargetName::as_str) == target.as_deref() && found.url.as_str() == url;
            let Some(found) = integration.draft.targets.iter_mut().find(is_meant) else {
                return Ok(false);
            };
            if std::mem::replace(&mut found.gone, true) {
                return Ok(true);
            }
            let body = wire::draft_to_row(&integration.draft, &integration.plugin);
            desk.connection.execute(
                "UPDATE integration SET version = version + 1, updated_at = ?2, body = ?3 WHERE key = ?1",
                params![key.0, now.millis(), body],
            )?;
            Ok(true)
        })
        .await
    }

    /// Makes due what was written down as held for a target (`None`: the default one), above a place, at most `max`. Gives how many there
    /// were, and the place of the last one, if there may be more.
    pub async fn wake_held(
        &self,
        integration: IntegrationKey,
        target: Option<String>,
        after: HeldPlace,
        max: WindowMax,
    ) -> Result<(usize, Option<HeldPlace>), StoreError> {
        self.write(move |desk| {
            let (woken, is_cut) = desk.wake_held(integration, target.as_deref(), after, max)?;
            let last = woken.last().filter(|_| is_cut);
            Ok((woken.len(), last.map(|last| (last.run.event, last.run.generation, last.ordinal))))
        })
        .await
    }

    /// Integrations with deliveries that were written down as held.
    pub async fn held_heads(&self) -> Result<Vec<(IntegrationKey, OrganizationKey)>, StoreError> {
        self.read(|connection| {
            let mut list = connection.prepare(
                "WITH RECURSIVE lane (integration) AS (
                     SELECT min(integration) FROM outcome WHERE state = 4
                     UNION ALL SELECT (SELECT min(o.integration) FROM outcome o
                         WHERE o.integration > lane.integration AND o.state = 4) FROM lane
                     WHERE lane.integration IS NOT NULL)
                 SELECT lane.integration, i.organization FROM lane JOIN integration i ON i.key = lane.integration",
            )?;
            list.query_map([], |row| Ok((IntegrationKey(row.get(0)?), OrganizationKey(row.get(1)?))))?
                .collect()
        })
        .await
    }
}
