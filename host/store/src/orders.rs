//! Orders: what somebody asks to be done again, written before it is answered.

use std::collections::HashSet;

use hookmill_domain::integration::{IntegrationKey, OrganizationKey, Revision};
use hookmill_domain::key::Key;
use hookmill_domain::state::{DeliveryState, RunState};
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, params};

use crate::StoreError;
use crate::codes::{self, RowState};
use crate::desk::{Desk, key};
use crate::lanes::order;
use crate::records::{DeliveryRef, RunRef};
use crate::store::Store;

/// What became of the wish to resume a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// Its next generation is owed, and stands in the queue.
    Done(RunRef),
    /// It is neither parked nor queued; where a row tells, the state that it is in.
    NotOpen(Option<RunState>),
    /// Its event's payload is gone.
    PayloadGone,
    /// Its integration was deleted.
    Deleted,
}

/// What became of the wish to try a delivery again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is due now.
    Done,
    /// It is in a state from which there is no retry.
    NotOpen(DeliveryState),
    /// It has no row: its first attempt has not ended.
    NotYet,
    /// Its integration was deleted.
    Deleted,
}

/// Where the work on the resuming of a whole integration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeProgress {
    /// All is done.
    Finished,
    /// There may be more, above this run.
    UpTo(Key, u32),
}

impl Desk<'_> {
    /// Orders a run's next generation under a revision. `parked`: its row says so; else it is in the queue.
    fn order_again(&mut self, run: RunRef, parked: bool, revision: Revision) -> rusqlite::Result<RunRef> {
        let next: u32 = self
            .connection
            .prepare_cached("SELECT coalesce(max(generation), 0) + 1 FROM run_order WHERE event = ?1")?
            .query_row([run.event.as_i64()], |row| row.get(0))?;
        let salt = self.salt_for_orders()?;
        self.connection
            .prepare_cached(
                "INSERT INTO run_order (event, generation, integration, revision, host_revision, salt) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                run.event.as_i64(),
                next,
                run.integration.0,
                revision.organization,
                revision.host,
                salt.as_i64()
            ])?;
        if parked {
            self.connection
                .prepare_cached(
                    "UPDATE outcome SET state = ?4, recorded_at = ?5
                     WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = 0",
                )?
                .execute(params![
                    run.event.as_i64(),
                    run.generation,
                    run.integration.0,
                    codes::RESUMED,
                    self.now().millis()
                ])?;
        } else {
            self.end_queued_run(run, codes::RESUMED, self.now())?;
        }
        self.enqueue(run.integration, run.event, next)?;
        Ok(RunRef { generation: next, ..run })
    }

    fn payload_present(&self, event: Key) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM event WHERE key = ?1 AND payload = 0")?
            .exists([event.as_i64()])
    }

    /// The state of a run's first row, and whether it is in the queue.
    fn standing(&self, run: RunRef) -> rusqlite::Result<(Option<i64>, bool)> {
        let state = self
            .connection
            .prepare_cached("SELECT state FROM outcome WHERE event = ?1 AND generation = ?2 AND integration = ?3 ORDER BY ordinal LIMIT 1")?
            .query_row(params![run.event.as_i64(), run.generation, run.integration.0], |row| row.get(0))
            .optional()?;
        let queued = self
            .connection
            .prepare_cached("SELECT 1 FROM queue WHERE integration = ?1 AND event = ?2 AND generation = ?3")?
            .exists(params![run.integration.0, run.event.as_i64(), run.generation])?;
        Ok((state, queued))
    }

    fn resume_run(&mut self, run: RunRef, taken: bool) -> rusqlite::Result<Resumed> {
        if self.is_deleted(run.integration)? {
            return Ok(Resumed::Deleted);
        }
        let parked = match self.standing(run)? {
            (Some(codes::PARKED), _) => true,
            (None, true) if !taken => false,
            (Some(state), _) => {
                let state = match codes::read(state) {
                    Some(RowState::Run(state)) => state,
                    _ => RunState::Done,
                };
                return Ok(Resumed::NotOpen(Some(state)));
            }
            _ => return Ok(Resumed::NotOpen(None)),
        };
        if !self.payload_present(run.event)? {
            return Ok(Resumed::PayloadGone);
        }
        let Some(revision) = self.revision(run.organization)? else {
            return Ok(Resumed::Deleted);
        };
        let next = self.order_again(run, parked, revision)?;
        self.connection
            .prepare_cached("UPDATE integration SET stopped = 0, version = version + 1 WHERE key = ?1")?
            .execute([run.integration.0])?;
        Ok(Resumed::Done(next))
    }

    fn resume_some(&mut self, resume: i64, after: (Key, u32), taken: &HashSet<RunRef>, limit: usize) -> rusqlite::Result<ResumeProgress> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT r.integration, r.until_event, r.revision, r.host_revision, i.organization
                 FROM resume r JOIN integration i ON i.key = r.integration WHERE r.key = ?1 AND i.deleted_at IS NULL",
            )?
            .query_row([resume], |row| {
                let revision = Revision {
                    organization: row.get(2)?,
                    host: row.get(3)?,
                };
                Ok((IntegrationKey(row.get(0)?), row.get::<_, i64>(1)?, revision, row.get::<_, i64>(4)?))
            })
            .optional()?;
        let Some((integration, until, revision, organization)) = found else {
            self.connection.execute("DELETE FROM resume WHERE key = ?1", [resume])?;
            return Ok(ResumeProgress::Finished);
        };
        let open: Vec<(i64, u32, bool)> = self
            .connection
            .prepare_cached(
                "SELECT event, generation, 1 FROM outcome
                     WHERE integration = ?1 AND state = 17 AND state NOT IN (1, 16) AND event <= ?2 AND (event, generation) > (?3, ?4)
                 UNION ALL
                 SELECT event, generation, 0 FROM queue
                     WHERE integration = ?1 AND event <= ?2 AND (event, generation) > (?3, ?4)
                 ORDER BY 1, 2 LIMIT ?5",
            )?
            .query_map(params![integration.0, until, after.0.as_i64(), after.1, limit], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let Some((last, last_generation, _)) = open.last().copied() else {
            self.connection.execute("DELETE FROM resume WHERE key = ?1", [resume])?;
            return Ok(ResumeProgress::Finished);
        };
        for (event, generation, parked) in open {
            let run = RunRef {
                event: key(event),
                generation,
                integration,
                organization: OrganizationKey(organization),
            };
            let ordered = order(self.connection, run, &self.drawer.salts)?;
            // What runs under that revision already, or has begun, goes on as it is.
            let current = !parked && ordered.is_none_or(|(ordered, _)| ordered == revision);
            if current || taken.contains(&run) || !self.payload_present(run.event)? {
                continue;
            }
            if parked || self.standing(run)?.0.is_none() {
                self.order_again(run, parked, revision)?;
            }
        }
        Ok(ResumeProgress::UpTo(key(last), last_generation))
    }

    fn retry(&mut self, delivery: DeliveryRef) -> rusqlite::Result<Retried> {
        let DeliveryRef { run, ordinal } = delivery;
        if self.is_deleted(run.integration)? {
            return Ok(Retried::Deleted);
        }
        let place = params![run.event.as_i64(), run.generation, run.integration.0, ordinal];
        let found: Option<(i64, Option<i64>)> = self
            .connection
            .prepare_cached(
                "SELECT o.state, o.due_at FROM outcome o
                 JOIN frozen f ON f.event = o.event AND f.generation = o.generation AND f.integration = o.integration AND f.ordinal = o.ordinal
                 WHERE o.event = ?1 AND o.generation = ?2 AND o.integration = ?3 AND o.ordinal = ?4",
            )?
            .query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((state, due_at)) = found else {
            let state: Option<i64> = self
                .connection
                .prepare_cached("SELECT state FROM outcome WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4")?
                .query_row(place, |row| row.get(0))
                .optional()?;
            return Ok(match state.and_then(codes::read) {
                Some(RowState::Delivery(state)) => Retried::NotOpen(state),
                _ => Retried::NotYet,
            });
        };
        match codes::read(state) {
            Some(RowState::Delivery(DeliveryState::Waiting | DeliveryState::Exhausted | DeliveryState::Pending)) => {}
            Some(RowState::Delivery(state)) => return Ok(Retried::NotOpen(state)),
            _ => return Ok(Retried::NotYet),
        }
        if let Some(due_at) = due_at {
            self.remove_due(delivery, Time::from_millis(due_at))?;
        }
        self.make_due(delivery, self.now(), true)?;
        Ok(Retried::Done)
    }
}

impl Store {
    /// Orders a parked or queued run anew, under the present revision; `taken` says that the river has begun it. It ends the stop after
    /// too many faults.
    pub async fn resume_run(&self, run: RunRef, taken: bool) -> Result<Resumed, StoreError> {
        self.write(move |desk| desk.resume_run(run, taken)).await
    }

    /// Writes down that all of an integration's parked and queued runs, up to the newest event, are to be resumed under the present
    /// revision, and ends the stop after too many faults. The work is done by [`Store::resume_some`]. `None`: it was deleted.
    pub async fn order_resume(&self, integration: IntegrationKey) -> Result<Option<i64>, StoreError> {
        self.write(move |desk| {
            let organization: Option<i64> = desk
                .connection
                .prepare_cached("SELECT organization FROM integration WHERE key = ?1 AND deleted_at IS NULL")?
                .query_row([integration.0], |row| row.get(0))
                .optional()?;
            let Some(organization) = organization else { return Ok(None) };
            let Some(revision) = desk.revision(OrganizationKey(organization))? else {
                return Ok(None);
            };
            desk.connection.execute(
                "UPDATE integration SET stopped = 0, version = version + 1 WHERE key = ?1",
                [integration.0],
            )?;
            desk.connection.execute(
                "INSERT INTO resume (integration, until_event, revision, host_revision) VALUES (?1, ?2, ?3, ?4)",
                params![
                    integration.0,
                    desk.drawer.mint.last().as_i64(),
                    revision.organization,
                    revision.host
                ],
            )?;
            Ok(Some(desk.connection.last_insert_rowid()))
        })
        .await
    }

    /// Works off a piece of what [`Store::order_resume`] wrote down. `taken` are the runs that the river has begun.
    pub async fn resume_some(
        &self,
        resume: i64,
        after: (Key, u32),
        taken: HashSet<RunRef>,
        limit: usize,
    ) -> Result<ResumeProgress, StoreError> {
        self.write(move |desk| desk.resume_some(resume, after, &taken, limit)).await
    }

    /// What [`Store::order_resume`] wrote down and is not finished: number and integration.
    pub async fn open_resumes(&self) -> Result<Vec<(i64, IntegrationKey, OrganizationKey)>, StoreError> {
        self.read(|connection| {
            let mut list = connection.prepare(
                "SELECT r.key, r.integration, i.organization FROM resume r JOIN integration i ON i.key = r.integration ORDER BY r.key",
            )?;
            list.query_map([], |row| {
                Ok((row.get(0)?, IntegrationKey(row.get(1)?), OrganizationKey(row.get(2)?)))
            })?
            .collect()
        })
        .await
    }

    /// Makes a delivery due now, and begins its schedule anew. Its id, bytes and count of attempts go on.
    pub async fn retry_delivery(&self, delivery: DeliveryRef) -> Result<Retried, StoreError> {
        self.write(move |desk| desk.retry(delivery)).await
    }
}
