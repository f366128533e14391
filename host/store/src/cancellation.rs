//! What ends without having been done: cancelled with its integration, or expired by its age.

use std::collections::HashSet;

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::state::{DeliveryState, RunState};
use hookmill_domain::time::Time;
use rusqlite::params;

use crate::StoreError;
use crate::codes;
use crate::desk::{Desk, key};
use crate::records::{DeliveryRef, RunRef};
use crate::store::Store;

impl Desk<'_> {
    /// Rows for what a deletion has cancelled. What is under way (`taken`) ends by itself.
    fn cancel_some(&mut self, integration: IntegrationKey, taken: &HashSet<RunRef>, limit: usize) -> rusqlite::Result<bool> {
        let queued = self.end_queued(integration, Key::MAX, RunState::Cancelled, taken, limit)?;
        let mut open = 0;
        for state in [DeliveryState::Waiting, DeliveryState::Pending] {
            open += self.end_deliveries(integration, Key::MAX, state, DeliveryState::Cancelled, limit)?;
        }
        open += self
            .connection
            .prepare_cached(
                "UPDATE outcome SET state = 19, recorded_at = ?3 WHERE (event, generation, integration, ordinal) IN
                     (SELECT event, generation, integration, ordinal FROM outcome
                      WHERE integration = ?1 AND state = 17 AND state NOT IN (1, 16) LIMIT ?2)",
            )?
            .execute(params![integration.0, limit, self.now().millis()])?;
        Ok(queued + open > 0)
    }

    /// Gives up what is older than the age cap in a lane. What is under way (`taken`) is judged when it ends.
    fn expire_some(&mut self, integration: IntegrationKey, before: Key, taken: &HashSet<RunRef>, limit: usize) -> rusqlite::Result<bool> {
        let mut ended = self.end_queued(integration, before, RunState::Expired, taken, limit)?;
        for state in [DeliveryState::Waiting, DeliveryState::Pending] {
            ended += self.end_deliveries(integration, before, state, DeliveryState::Expired, limit)?;
        }
        Ok(ended > 0)
    }

    /// Ends queued runs of events before `before` that nobody has begun. Says how many.
    fn end_queued(
        &mut self,
        integration: IntegrationKey,
        before: Key,
        state: RunState,
        taken: &HashSet<RunRef>,
        limit: usize,
    ) -> rusqlite::Result<usize> {
        let rows: Vec<(i64, u32, i64)> = self
            .connection
            .prepare_cached(
                "SELECT q.event, q.generation, e.organization FROM queue q JOIN event e ON e.key = q.event
                 WHERE q.integration = ?1 AND q.event < ?2 ORDER BY q.event, q.generation LIMIT ?3",
            )?
            .query_map(params![integration.0, before.as_i64(), limit.saturating_add(taken.len())], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let code = codes::of_run(state).expect("an end has a number");
        let now = self.now();
        let mut ended = 0;
        for (event, generation, organization) in rows {
            let run = RunRef {
                event: key(event),
                generation,
                integration,
                organization: OrganizationKey(organization),
            };
            if taken.contains(&run) {
                continue;
            }
            ended += 1;
            self.end_queued_run(run, code, now)?;
        }
        Ok(ended)
    }

    /// Ends open deliveries of events before `before`, with what waits for their next attempt. Says how many.
    fn end_deliveries(
        &mut self,
        integration: IntegrationKey,
        before: Key,
        from: DeliveryState,
        to: DeliveryState,
        limit: usize,
    ) -> rusqlite::Result<usize> {
        let rows: Vec<(i64, u32, u16, i64, Option<i64>)> = self
            .connection
            .prepare_cached(
                "SELECT event, generation, ordinal, organization, due_at FROM outcome
                 WHERE integration = ?1 AND state = ?2 AND state NOT IN (1, 16) AND event < ?3 ORDER BY event LIMIT ?4",
            )?
            .query_map(params![integration.0, codes::of_delivery(from), before.as_i64(), limit], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let now = self.now().millis();
        for (event, generation, ordinal, organization, due_at) in &rows {
            let run = RunRef {
                event: key(*event),
                generation: *generation,
                integration,
                organization: OrganizationKey(*organization),
            };
            if let Some(due_at) = due_at {
                self.remove_due(DeliveryRef { run, ordinal: *ordinal }, Time::from_millis(*due_at))?;
            }
            let place = params![event, generation, integration.0, ordinal];
            self.connection
                .prepare_cached("DELETE FROM frozen WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4")?
                .execute(place)?;
            self.connection
                .prepare_cached(
                    "UPDATE outcome SET state = ?5, due_at = NULL, recorded_at = ?6
                     WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4",
                )?
                .execute(params![event, generation, integration.0, ordinal, codes::of_delivery(to), now])?;
        }
        Ok(rows.len())
    }
}

impl Store {
    /// Writes the rows of what the deletion of an integration has cancelled, at most about `limit` of each kind. Says whether there may be
    /// more.
    pub async fn cancel_some(&self, integration: IntegrationKey, taken: HashSet<RunRef>, limit: usize) -> Result<bool, StoreError> {
        self.write(move |desk| desk.cancel_some(integration, &taken, limit)).await
    }

    /// Gives up what a lane holds of events before `before`. Says whether there may be more.
    pub async fn expire_some(
        &self,
        integration: IntegrationKey,
        before: Key,
        taken: HashSet<RunRef>,
        limit: usize,
    ) -> Result<bool, StoreError> {
        self.write(move |desk| desk.expire_some(integration, before, &taken, limit)).await
    }

    /// Deleted integrations that still have open rows, for a start.
    pub async fn deleted_with_open_rows(&self) -> Result<Vec<(IntegrationKey, OrganizationKey)>, StoreError> {
        self.read(|connection| {
            let mut list = connection.prepare(
                "SELECT key, organization FROM integration i WHERE deleted_at IS NOT NULL AND (
                     EXISTS (SELECT 1 FROM queue WHERE integration = i.key) OR EXISTS (SELECT 1 FROM due WHERE integration = i.key)
                     OR EXISTS (SELECT 1 FROM outcome o WHERE o.integration = i.key AND o.state IN (2, 4, 17) AND o.state NOT IN (1, 16)))",
            )?;
            list.query_map([], |row| Ok((IntegrationKey(row.get(0)?), OrganizationKey(row.get(1)?))))?
                .collect()
        })
        .await
    }
}
