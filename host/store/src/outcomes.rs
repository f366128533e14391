//! Recording what happened to runs and deliveries: one record, one way to write it. Runs that end without a request are written by
//! [`runs`], deliveries by [`attempts`].

mod attempts;
mod runs;

use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::key::Key;
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, params};
use tracing::error;

use crate::desk::Desk;
use crate::records::{DeliveryRef, Record, Recorded, RunRef};

use attempts::First;

impl Desk<'_> {
    /// Writes one record; one that is on disk already changes nothing.
    pub(crate) fn record(&mut self, record: &Record) -> rusqlite::Result<Recorded> {
        match record {
            Record::Ended { run, facts, end, queued } => self.run_ended(*run, facts, end, *queued),
            Record::First {
                delivery,
                facts,
                target,
                digest,
                attempt,
                next,
                request,
                last,
                queued,
            } => self.first_attempt(&First {
                delivery: *delivery,
                facts: facts.as_ref(),
                target: target.as_deref(),
                digest,
                attempt: attempt.as_ref(),
                next: *next,
                request: request.as_deref(),
                last: *last,
                queued: *queued,
            }),
            Record::Again {
                delivery,
                was_due,
                attempt,
                counted,
                next,
            } => self.further_attempt(*delivery, *was_due, attempt.as_ref(), *counted, *next),
            Record::Complete(run) => {
                self.dequeue(*run)?;
                Ok(Recorded {
                    run: *run,
                    ordinal: None,
                    due: None,
                    run_complete: true,
                    again: false,
                    queued: false,
                })
            }
            Record::Enqueue(run) => {
                self.enqueue(run.integration, run.event, run.generation)?;
                Ok(Recorded {
                    run: *run,
                    ordinal: None,
                    due: None,
                    run_complete: false,
                    again: false,
                    queued: true,
                })
            }
        }
    }

    /// The same in a savepoint, after a commit has failed: a record that can not be written spoils no other. It is kept by
    /// the writer, and a restart makes it again from its event.
    pub(crate) fn record_carefully(&mut self, record: &Record) -> rusqlite::Result<Option<Recorded>> {
        self.connection.execute_batch("SAVEPOINT record")?;
        match self.record(record) {
            Ok(recorded) => {
                self.connection.execute_batch("RELEASE record")?;
                Ok(Some(recorded))
            }
            Err(failure) if self.connection.is_autocommit() => Err(failure),
            Err(failure) => {
                error!(error = %failure, "a record can not be written");
                self.connection.execute_batch("ROLLBACK TO record; RELEASE record")?;
                Ok(None)
            }
        }
    }

    pub(crate) fn enqueue(&self, integration: IntegrationKey, event: Key, generation: u32) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO queue (integration, event, generation) VALUES (?1, ?2, ?3)")?
            .execute(params![integration.0, event.as_i64(), generation])?;
        Ok(())
    }

    pub(crate) fn dequeue(&self, run: RunRef) -> rusqlite::Result<bool> {
        let removed = self
            .connection
            .prepare_cached("DELETE FROM queue WHERE integration = ?1 AND event = ?2 AND generation = ?3")?
            .execute(params![run.integration.0, run.event.as_i64(), run.generation])?;
        Ok(removed > 0)
    }

    /// Whether the integration was deleted: what fails then is not tried again.
    pub(crate) fn is_deleted(&self, integration: IntegrationKey) -> rusqlite::Result<bool> {
        let mut find = self
            .connection
            .prepare_cached("SELECT deleted_at IS NOT NULL FROM integration WHERE key = ?1")?;
        Ok(find.query_row([integration.0], |row| row.get(0)).optional()?.unwrap_or(true))
    }

    pub(crate) fn remove_due(&self, delivery: DeliveryRef, at: Time) -> rusqlite::Result<()> {
        let DeliveryRef { run, ordinal } = delivery;
        self.connection
            .prepare_cached("DELETE FROM due WHERE integration = ?1 AND at = ?2 AND event = ?3 AND generation = ?4 AND ordinal = ?5")?
            .execute(params![run.integration.0, at.millis(), run.event.as_i64(), run.generation, ordinal])?;
        Ok(())
    }

    /// Makes a delivery that has its row due at that time; `anew`: from the beginning of its schedule on.
    pub(crate) fn make_due(&self, delivery: DeliveryRef, at: Time, anew: bool) -> rusqlite::Result<()> {
        let DeliveryRef { run, ordinal } = delivery;
        self.connection
            .prepare_cached(
                "UPDATE outcome SET state = 2, counted = iif(?6, 0, counted), due_at = ?5
                 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4",
            )?
            .execute(params![
                run.event.as_i64(),
                run.generation,
                run.integration.0,
                ordinal,
                at.millis(),
                anew
            ])?;
        self.insert_due(delivery, at)
    }

    /// Ends a run that stands in the queue and has no row: in that state, by its number.
    pub(crate) fn end_queued_run(&self, run: RunRef, state: i64, now: Time) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO outcome (event, generation, integration, ordinal, organization, state, recorded_at)
                 VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)",
            )?
            .execute(params![
                run.event.as_i64(),
                run.generation,
                run.integration.0,
                run.organization.0,
                state,
                now.millis()
            ])?;
        self.dequeue(run)?;
        Ok(())
    }

    pub(crate) fn insert_due(&self, delivery: DeliveryRef, at: Time) -> rusqlite::Result<()> {
        let DeliveryRef { run, ordinal } = delivery;
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO due (integration, at, event, generation, ordinal) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![run.integration.0, at.millis(), run.event.as_i64(), run.generation, ordinal])?;
        Ok(())
    }
}
