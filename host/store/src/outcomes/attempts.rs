//! Deliveries: the row that the first attempt of a request makes, or a hold of it, and what each further attempt makes of that.

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::request::Request;
use hookmill_domain::state::DeliveryState;
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, params};

use crate::codes;
use crate::desk::Desk;
use crate::records::{Attempt, DeliveryRef, Next, Recorded, RunFacts};

/// A request's first row, borrowed from its record.
pub(super) struct First<'a> {
    pub(super) delivery: DeliveryRef,
    pub(super) facts: Option<&'a RunFacts>,
    pub(super) target: Option<&'a str>,
    pub(super) digest: &'a Digest,
    pub(super) attempt: Option<&'a Attempt>,
    pub(super) next: Next,
    pub(super) request: Option<&'a Request>,
    pub(super) last: bool,
    pub(super) queued: bool,
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

    fn due(self) -> Option<Time> {
        match self {
            Settled::Is(Next::Waiting(due)) => Some(due),
            _ => None,
        }
    }

    fn state(self) -> DeliveryState {
        match self {
            Settled::Cancelled => DeliveryState::Cancelled,
            Settled::Is(Next::Delivered) => DeliveryState::Delivered,
            Settled::Is(Next::Waiting(_)) => DeliveryState::Waiting,
            Settled::Is(Next::Held) => DeliveryState::Pending,
            Settled::Is(Next::Exhausted) => DeliveryState::Exhausted,
            Settled::Is(Next::Expired) => DeliveryState::Expired,
        }
    }
}

impl Desk<'_> {
    pub(super) fn first_attempt(&mut self, first: &First<'_>) -> rusqlite::Result<Recorded> {
        let DeliveryRef { run, ordinal } = first.delivery;
        let next = self.next_of(run.integration, first.next)?;
        let due = next.due();
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
                codes::of_delivery(next.state()),
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

    pub(super) fn further_attempt(
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
            // The same of what was given up meanwhile: there is no request any more that could be sent again.
            _ if state == codes::of_delivery(DeliveryState::Expired) => Settled::Is(Next::Expired),
            // Somebody asked for a retry while this attempt was under way: its schedule begins anew, now.
            Next::Waiting(_) | Next::Exhausted if due_at.is_some_and(|due_at| due_at != was_due.millis()) => {
                counted = 0;
                self.next_of(run.integration, Next::Waiting(self.now()))?
            }
            _ => self.next_of(run.integration, next)?,
        };
        let due = next.due();
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
                codes::of_delivery(next.state()),
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

    /// What becomes of a delivery, seen that its integration may have been deleted meanwhile.
    fn next_of(&self, integration: IntegrationKey, next: Next) -> rusqlite::Result<Settled> {
        match next {
            Next::Delivered => Ok(Settled::Is(next)),
            _ if self.is_deleted(integration)? => Ok(Settled::Cancelled),
            _ => Ok(Settled::Is(next)),
        }
    }
}
