//! Recording what happened to runs and deliveries.

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::key::Key;
use hookmill_domain::request::Request;
use hookmill_domain::state::{DeliveryState, RunState};
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, params};
use tracing::error;

use crate::codes;
use crate::desk::Desk;
use crate::records::{Attempt, DeliveryRef, Next, Record, Recorded, RunEnd, RunFacts, RunRef};

/// A request's first row, borrowed from its record.
struct First<'a> {
    delivery: DeliveryRef,
    facts: Option<&'a RunFacts>,
    target: Option<&'a str>,
    digest: &'a Digest,
    attempt: Option<&'a Attempt>,
    next: Next,
    request: Option<&'a Request>,
    last: bool,
    queued: bool,
}

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

    fn run_ended(&mut self, run: RunRef, facts: &RunFacts, end: &RunEnd, queued: bool) -> rusqlite::Result<Recorded> {
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

    fn first_attempt(&mut self, first: &First<'_>) -> rusqlite::Result<Recorded> {
        let DeliveryRef { run, ordinal } = first.delivery;
        let next = self.next_of(run.integration, first.next)?;
        let due = due_of(next);
        let call = first.facts.map(|facts| &facts.call);
        let attempt = first.attempt;
        let recorded_at = attempt.map_or_else(|| self.now(), |attempt| attempt.ended_at);
        let inserted = self
            .insert_outcome
            .get(
                self.connection,
                "INSERT OR IGNORE INTO outcome (event, generation, integration, ordinal, organization, state, recorded_at, requests,
                     version, run_us, memory_bytes, log, target, digest, attempts, due_at, status, duration_us, response)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
            )?
            .execute(params![
                run.event.as_i64(),
                run.generation,
                run.integration.0,
                ordinal,
                run.organization.0,
                codes::of_delivery(state_of(next)),
                recorded_at.millis(),
                first.facts.map(|facts| facts.requests),
                first.facts.map(|facts| facts.version),
                call.map(|call| call.duration_us as i64),
                call.map(|call| call.memory_bytes as i64),
                call.and_then(|call| call.log.as_deref()),
                first.target,
                first.digest.as_bytes(),
                attempt.map_or(0, |attempt| attempt.number),
                due.map(Time::millis),
                attempt.and_then(|attempt| attempt.status),
                attempt.map(|attempt| attempt.duration_us as i64),
                attempt.map(|attempt| &attempt.response[..]).filter(|response| !response.is_empty()),
            ])?;
        if inserted > 0 {
            self.after_failure(first, next, due)?;
        }
        if first.last && first.queued {
            self.dequeue(run)?;
        }
        Ok(Recorded {
            run,
            ordinal: Some(ordinal),
            due,
            run_complete: first.last,
            again: false,
            queued: false,
        })
    }

    /// The rows that come only with a failure, or a hold.
    fn after_failure(&mut self, first: &First<'_>, next: Settled, due: Option<Time>) -> rusqlite::Result<()> {
        if let (Some(request), true) = (first.request, next.keeps_request()) {
            let DeliveryRef { run, ordinal } = first.delivery;
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO frozen (event, generation, integration, ordinal, request) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    run.event.as_i64(),
                    run.generation,
                    run.integration.0,
                    ordinal,
                    &request.freeze()[..]
                ])?;
        }
        if let (Some(attempt), false) = (first.attempt, matches!(next, Settled::Is(Next::Delivered))) {
            self.insert_attempt(first.delivery, attempt)?;
        }
        if let Some(due) = due {
            self.insert_due(first.delivery, due)?;
        }
        Ok(())
    }

    fn further_attempt(
        &mut self,
        delivery: DeliveryRef,
        was_due: Time,
        attempt: Option<&Attempt>,
        mut counted: u32,
        next: Next,
    ) -> rusqlite::Result<Recorded> {
        let DeliveryRef { run, ordinal } = delivery;
        let place = params![run.event.as_i64(), run.generation, run.integration.0, ordinal];
        let found: Option<(i64, Option<i64>)> = self
            .connection
            .prepare_cached("SELECT state, due_at FROM outcome WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4")?
            .query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let nothing = Recorded {
            run,
            ordinal: Some(ordinal),
            due: None,
            run_complete: false,
            again: true,
            queued: false,
        };
        let Some((state, due_at)) = found else { return Ok(nothing) };
        if state == codes::of_delivery(DeliveryState::Delivered) {
            // What a receiver has taken stays so, whatever comes after it.
            return Ok(nothing);
        }
        // Somebody may have asked for it at another time while this attempt was under way: that wish is served by it.
        self.remove_due(delivery, was_due)?;
        if let Some(due_at) = due_at {
            self.remove_due(delivery, Time::from_millis(due_at))?;
        }
        let cancelled = [DeliveryState::Cancelled, DeliveryState::Erased]
            .map(codes::of_delivery)
            .contains(&state);
        let next = match next {
            // What was cancelled while its attempt was under way stays so, unless the receiver has taken it.
            Next::Delivered => Settled::Is(next),
            _ if cancelled => Settled::Cancelled,
            // Somebody asked for a retry while this attempt was under way: its schedule begins anew, now.
            Next::Waiting(_) | Next::Exhausted if due_at.is_some_and(|due_at| due_at != was_due.millis()) => {
                counted = 0;
                self.next_of(run.integration, Next::Waiting(self.now()))?
            }
            _ => self.next_of(run.integration, next)?,
        };
        let due = due_of(next);
        self.connection
            .prepare_cached(
                "UPDATE outcome SET state = ?5, recorded_at = ?6, attempts = coalesce(?7, attempts), counted = ?8, due_at = ?9,
                     status = iif(?10, ?11, status), duration_us = iif(?10, ?12, duration_us), response = iif(?10, ?13, response)
                 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4",
            )?
            .execute(params![
                run.event.as_i64(),
                run.generation,
                run.integration.0,
                ordinal,
                codes::of_delivery(state_of(next)),
                attempt.map_or_else(|| self.now(), |attempt| attempt.ended_at).millis(),
                attempt.map(|attempt| attempt.number),
                counted,
                due.map(Time::millis),
                attempt.is_some(),
                attempt.and_then(|attempt| attempt.status),
                attempt.map(|attempt| attempt.duration_us as i64),
                attempt.map(|attempt| &attempt.response[..]).filter(|response| !response.is_empty()),
            ])?;
        if let Some(attempt) = attempt {
            self.insert_attempt(delivery, attempt)?;
        }
        if let Some(due) = due {
            self.insert_due(delivery, due)?;
        }
        if !next.keeps_request() {
            self.connection
                .prepare_cached("DELETE FROM frozen WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4")?
                .execute(params![run.event.as_i64(), run.generation, run.integration.0, ordinal])?;
        }
        Ok(Recorded {
            run,
            ordinal: Some(ordinal),
            due,
            run_complete: false,
            again: true,
            queued: false,
        })
    }

    fn insert_attempt(&self, delivery: DeliveryRef, attempt: &Attempt) -> rusqlite::Result<()> {
        let DeliveryRef { run, ordinal } = delivery;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO attempt
                     (event, generation, integration, ordinal, number, ended_at, duration_us, status, code, detail, response)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                run.event.as_i64(),
                run.generation,
                run.integration.0,
                ordinal,
                attempt.number,
                attempt.ended_at.millis(),
                attempt.duration_us as i64,
                attempt.status,
                attempt.code,
                attempt.detail,
                &attempt.response[..],
            ])?;
        Ok(())
    }

    pub(crate) fn remove_due(&self, delivery: DeliveryRef, at: Time) -> rusqlite::Result<()> {
        let DeliveryRef { run, ordinal } = delivery;
        self.connection
            .prepare_cached("DELETE FROM due WHERE integration = ?1 AND at = ?2 AND event = ?3 AND generation = ?4 AND ordinal = ?5")?
            .execute(params![run.integration.0, at.millis(), run.event.as_i64(), run.generation, ordinal])?;
        Ok(())
    }

    pub(crate) fn insert_due(&self, delivery: DeliveryRef, at: Time) -> rusqlite::Result<()> {
        let DeliveryRef { run, ordinal } = delivery;
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO due (integration, at, event, generation, ordinal) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![run.integration.0, at.millis(), run.event.as_i64(), run.generation, ordinal])?;
        Ok(())
    }

    /// What becomes of a delivery, seen that its integration may have been deleted meanwhile.
    fn next_of(&self, integration: IntegrationKey, next: Next) -> rusqlite::Result<Settled> {
        match next {
            Next::Delivered => Ok(Settled::Is(next)),
            _ if self.is_deleted(integration)? => Ok(Settled::Cancelled),
            _ => Ok(Settled::Is(next)),
        }
    }
}

/// What becomes of a delivery in fact.
#[derive(Debug, Clone, Copy)]
enum Settled {
    Is(Next),
    Cancelled,
}

impl Settled {
    /// Whether a further attempt may be asked for, so that the frozen request is kept.
    fn keeps_request(self) -> bool {
        matches!(self, Settled::Is(Next::Waiting(_) | Next::Held | Next::Exhausted))
    }
}

fn due_of(next: Settled) -> Option<Time> {
    match next {
        Settled::Is(Next::Waiting(due)) => Some(due),
        _ => None,
    }
}

fn state_of(next: Settled) -> DeliveryState {
    match next {
        Settled::Cancelled => DeliveryState::Cancelled,
        Settled::Is(Next::Delivered) => DeliveryState::Delivered,
        Settled::Is(Next::Waiting(_)) => DeliveryState::Waiting,
        Settled::Is(Next::Held) => DeliveryState::Pending,
        Settled::Is(Next::Exhausted) => DeliveryState::Exhausted,
        Settled::Is(Next::Expired) => DeliveryState::Expired,
    }
}
