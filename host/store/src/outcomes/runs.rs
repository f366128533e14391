//! Runs that end without a request: skipped, parked, expired.

use hookmill_domain::state::{DeliveryState, RunState};
use rusqlite::{OptionalExtension as _, params};

use crate::codes;
use crate::desk::Desk;
use crate::records::{Recorded, RunEnd, RunFacts, RunRef};

impl Desk<'_> {
    pub(super) fn run_ended(&mut self, run: RunRef, facts: &RunFacts, end: &RunEnd, queued: bool) -> rusqlite::Result<Recorded> {
        let (state, code, reason) = match end {
            RunEnd::Skipped { reason } => (RunState::Skipped, None, Some(reason.as_str())),
            RunEnd::Parked { code, reason, .. } if !self.is_deleted(run.integration)? => {
                (RunState::Parked, Some(code.as_str()), Some(reason.as_str()))
            }
            RunEnd::Parked { code, reason, .. } => (RunState::Cancelled, Some(code.as_str()), Some(reason.as_str())),
            RunEnd::Expired => (RunState::Expired, None, None),
        };
        let state = codes::of_run(state).expect("each of these states has a number");
        let mut insert = self.connection.prepare_cached(
            "INSERT OR IGNORE INTO outcome (event, generation, integration, ordinal, organization, state, recorded_at, requests, version,
                 run_us, memory_bytes, log, code, reason)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, 0, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        let inserted = insert.execute(params![
            run.event.as_i64(),
            run.generation,
            run.integration.0,
            run.organization.0,
            state,
            self.now().millis(),
            facts.version,
            facts.call.duration_us as i64,
            facts.call.memory_bytes as i64,
            facts.call.log,
            code,
            reason,
        ])?;
        if inserted == 0 {
            self.give_up_the_rest(run, end)?;
        }
        if let RunEnd::Parked { stop: true, .. } = end {
            self.connection
                .prepare_cached("UPDATE integration SET stopped = 1 WHERE key = ?1")?
                .execute([run.integration.0])?;
        }
        if queued {
            self.dequeue(run)?;
        }
        Ok(Recorded {
            run,
            ordinal: None,
            due: None,
            run_complete: true,
            again: false,
            queued: false,
        })
    }

    /// A run that had part of its rows before a restart can not be made again, though it was made once: the requests without a row are given
    /// up, and say why.
    fn give_up_the_rest(&mut self, run: RunRef, end: &RunEnd) -> rusqlite::Result<()> {
        let place = params![run.event.as_i64(), run.generation, run.integration.0];
        let requests: Option<Option<u16>> = self
            .connection
            .prepare_cached("SELECT requests FROM outcome WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = 0")?
            .query_row(place, |row| row.get(0))
            .optional()?;
        let (state, code, reason) = match end {
            RunEnd::Parked { code, reason, .. } => (DeliveryState::Exhausted, Some(code.as_str()), Some(reason.as_str())),
            RunEnd::Skipped { reason } => (DeliveryState::Exhausted, None, Some(reason.as_str())),
            RunEnd::Expired => (DeliveryState::Expired, None, None),
        };
        let now = self.now().millis();
        for ordinal in 0..requests.flatten().unwrap_or(0) {
            self.connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO outcome (event, generation, integration, ordinal, organization, state, recorded_at, code, reason,
                         attempts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
                )?
                .execute(params![
                    run.event.as_i64(),
                    run.generation,
                    run.integration.0,
                    ordinal,
                    run.organization.0,
                    codes::of_delivery(state),
                    now,
                    code,
                    reason
                ])?;
        }
        Ok(())
    }
}
