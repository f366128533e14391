//! What a run was called with, for those who want to see the call again.

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::Revision;
use rusqlite::OptionalExtension as _;

use crate::StoreError;
use crate::components::stored_bytes;
use crate::lanes::{order, read_event};
use crate::records::{Event, RunRef};
use crate::store::Store;

impl Store {
    /// The event of a run, and the revision that it is called under: its event's, or its order's. `None`: the event's payload is gone, or
    /// there is no such run.
    pub async fn run_input(&self, run: RunRef) -> Result<Option<(Event, Revision)>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            let event = connection
                .prepare_cached(
                    "SELECT key, organization, kind, inbox, project, data FROM event WHERE key = ?1 AND payload = 0 AND data IS NOT NULL",
                )?
                .query_row([run.event.as_i64()], |row| read_event(row, &salts))
                .optional()?;
            let order = order(connection, run, &salts)?;
            Ok(event.zip(order.map(|(revision, _)| revision)))
        })
        .await
    }

    /// Whether a component's bytes are stored: those of a version that was deleted are not, unless another one has the same.
    pub async fn has_component(&self, digest: Digest) -> Result<bool, StoreError> {
        self.read_list(move |connection| Ok(stored_bytes(connection, digest)?.is_some()))
            .await
    }
}
