//! The search through users' open runs for those that need a version.

use hookmill_domain::ids::{EventId, Salt};
use hookmill_domain::integration::Revision;
use hookmill_domain::state::{DeliveryState, RunState};
use rusqlite::{Connection, params};

use super::{Deletion, NAMED_MAX, Needed, NeededRun, OpenWork, User};
use crate::codes;
use crate::desk::{Salts, key};
use crate::lanes::order;
use crate::records::{RunRef, run_source};

/// Open runs of one integration and one kind that are looked at.
const RUNS_MAX: usize = 200;

/// Looks for what of users' open runs needs a version.
pub(super) struct Search<'a> {
    pub(super) connection: &'a Connection,
    pub(super) salts: &'a Salts,
    pub(super) deletion: &'a Deletion,
    pub(super) needed: &'a mut Needed,
}

impl Search<'_> {
    /// Adds what of one user's needs the version; `memory` are its runs in memory.
    pub(super) fn add(&mut self, user: &User, memory: &[RunRef]) -> rusqlite::Result<()> {
        let mut in_memory: Vec<(i64, u32)> = memory.iter().map(|run| (run.event.as_i64(), run.generation)).collect();
        in_memory.sort_unstable();
        self.add_runs(user, in_memory, OpenWork::Pending)?;
        let queued = self.runs(
            "SELECT event, generation FROM queue WHERE integration = ?1 ORDER BY event, generation LIMIT ?2",
            user,
        )?;
        self.add_runs(user, queued, OpenWork::Queued)?;
        let parked = codes::of_run(RunState::Parked).map(|state| (state, OpenWork::Parked));
        let open = [DeliveryState::Waiting, DeliveryState::Pending].map(|state| (codes::of_delivery(state), OpenWork::Delivery));
        for (state, work) in parked.into_iter().chain(open) {
            let sql = format!(
                "SELECT DISTINCT event, generation FROM outcome WHERE integration = ?1 AND state = {state} AND {}
                 ORDER BY event, generation LIMIT ?2",
                codes::NOT_WELL
            );
            let runs = self.runs(&sql, user)?;
            self.add_runs(user, runs, work)?;
        }
        self.add_resumes(user)
    }

    fn runs(&self, sql: &str, user: &User) -> rusqlite::Result<Vec<(i64, u32)>> {
        let mut read = self.connection.prepare_cached(sql)?;
        read.query_map(params![user.key.0, RUNS_MAX + 1], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }

    /// Of runs in the order of their events.
    fn add_runs(&mut self, user: &User, runs: Vec<(i64, u32)>, open: OpenWork) -> rusqlite::Result<()> {
        for (number, (event, generation)) in runs.into_iter().enumerate() {
            let run = RunRef {
                event: key(event),
                generation,
                integration: user.key,
                organization: user.organization,
            };
            let accepted = order(self.connection, RunRef { generation: 0, ..run }, self.salts)?;
            let Some((of_event, event_salt)) = accepted else { continue };
            if self.deletion.is_past(user, of_event) {
                return Ok(());
            }
            if number == RUNS_MAX {
                self.needed.add_open_runs_of(&user.integration);
                return Ok(());
            }
            let Some((revision, salt)) = order(self.connection, run, self.salts)? else {
                continue;
            };
            if !self.deletion.covers(self.connection, user, revision)? || self.needed.runs.iter().any(|found| found.is(run, salt, user)) {
                continue;
            }
            if self.needed.runs.len() == NAMED_MAX {
                self.needed.more = true;
                return Ok(());
            }
            self.needed.runs.push(NeededRun {
                id: run_source(run, salt, user.integration.id).run_id(),
                event: EventId::new(run.event, event_salt),
                integration: user.integration.clone(),
                open,
            });
        }
        Ok(())
    }

    /// What was written down to be resumed, and is not ordered yet, stands under the revision of that time.
    fn add_resumes(&mut self, user: &User) -> rusqlite::Result<()> {
        let mut read = self
            .connection
            .prepare_cached("SELECT revision, host_revision FROM resume WHERE integration = ?1")?;
        let mut rows = read.query([user.key.0])?;
        while let Some(row) = rows.next()? {
            let revision = Revision {
                organization: row.get(0)?,
                host: row.get(1)?,
            };
            if self.deletion.covers(self.connection, user, revision)? {
                self.needed.add_open_runs_of(&user.integration);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl NeededRun {
    fn is(&self, run: RunRef, salt: Salt, user: &User) -> bool {
        self.id == run_source(run, salt, user.integration.id).run_id()
    }
}
