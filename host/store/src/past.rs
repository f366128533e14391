//! What a run was called with, for those who want to see the call again.

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::{OrganizationKey, Revision};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::StoreError;
use crate::lanes::{order, read_event};
use crate::plugins::HOST;
use crate::records::{Event, RunRef};
use crate::store::Store;

/// The answer to [`Store::has_version_of`], for one read of several.
pub(crate) fn has_version_of(connection: &Connection, organization: OrganizationKey, digest: Digest) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM plugin_version v JOIN plugin p ON p.key = v.plugin
             WHERE v.digest = ?1 AND v.deleted_at IS NULL AND p.organization IN (?2, ?3)",
        )?
        .exists(params![digest.as_bytes(), organization.0, HOST.0])
}

impl Store {
    /// The revision that a run is called under: its event's, or its order's. `None`: there is no such run.
    pub async fn run_revision(&self, run: RunRef) -> Result<Option<Revision>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| Ok(order(connection, run, &salts)?.map(|(revision, _)| revision)))
            .await
    }

    /// The event of a run, with its data. `None`: its payload is gone, or there is no such event.
    pub async fn run_event(&self, run: RunRef) -> Result<Option<Event>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            connection
                .prepare_cached(
                    "SELECT key, organization, kind, inbox, project, data FROM event WHERE key = ?1 AND payload = 0 AND data IS NOT NULL",
                )?
                .query_row([run.event.as_i64()], |row| read_event(row, &salts))
                .optional()
        })
        .await
    }

    /// Whether an organization, or the host for all, has a version with these bytes that is not deleted. What others have is nobody's affair:
    /// whoever has deleted a version is told the same, whether its bytes are another's or not.
    pub async fn has_version_of(&self, organization: OrganizationKey, digest: Digest) -> Result<bool, StoreError> {
        self.read_list(move |connection| has_version_of(connection, organization, digest))
            .await
    }
}
