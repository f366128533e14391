//! Integrations as they are now, for those who may see them and for the river.

use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Hold, Integration, IntegrationKey, Live, OrganizationKey, SecretBytes};
use rusqlite::{Connection, OptionalExtension as _, params};
use tracing::error;

use super::row::{COLUMNS, find, read_row};
use crate::seal::Keyring;
use crate::store::Store;
use crate::views::{Filling, ListMax, Listed};
use crate::wire;
use crate::{LiveError, StoreError};

impl Store {
    /// An integration, with its header values.
    pub async fn integration(&self, organization: OrganizationKey, id: IntegrationId) -> Result<Option<Integration>, StoreError> {
        let keyring = self.keyring();
        self.read(move |connection| {
            let row = find(connection, organization, id)?;
            row.map(|row| row.integration(&keyring)).transpose()
        })
        .await
    }

    /// The signing secrets of an integration, the newest first.
    pub async fn secrets(&self, organization: OrganizationKey, id: IntegrationId) -> Result<Option<Vec<SecretBytes>>, StoreError> {
        let keyring = self.keyring();
        self.read(move |connection| {
            let row = find(connection, organization, id)?;
            row.map(|row| row.open(&keyring).map_err(wire::unreadable)?.and_then(|sealed| sealed.secrets()))
                .transpose()
        })
        .await
    }

    /// Integrations of an organization by ascending key, above `after`, at most `max`; and after which one the next page begins.
    pub async fn integrations(
        &self,
        organization: OrganizationKey,
        after: IntegrationKey,
        max: ListMax,
    ) -> Result<Listed<Integration, IntegrationKey>, StoreError> {
        let keyring = self.keyring();
        self.read(move |connection| {
            let mut list = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM integration WHERE organization = ?1 AND key > ?2 AND deleted_at IS NULL ORDER BY key"
            ))?;
            let rows = list.query_map(params![organization.0, after.0], read_row)?;
            let (mut page, mut last) = (Filling::new(max), after);
            for row in rows {
                let row = row?;
                if !page.has_room(row.answer_bytes()) {
                    return Ok(page.end(Some(last)));
                }
                last = row.key;
                let id = row.id;
                match row.integration(&keyring) {
                    Ok(integration) => page.push(integration),
                    // One whose key is lost must not hide the others.
                    Err(failure) => {
                        error!(integration = %id, error = %failure, "an integration can not be read, and is left out of a list")
                    }
                }
            }
            Ok(page.end(None))
        })
        .await
    }

    /// What the river needs of an integration, as it is now.
    pub async fn live(&self, key: IntegrationKey) -> Result<Live, LiveError> {
        let keyring = self.keyring();
        self.read(move |connection| Ok(live(connection, &keyring, key))).await?
    }

    /// The number of an integration, also of a deleted one.
    pub async fn integration_key(&self, organization: OrganizationKey, id: IntegrationId) -> Result<Option<IntegrationKey>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT key FROM integration WHERE id = ?1 AND organization = ?2")?
                .query_row(params![id.as_bytes(), organization.0], |row| row.get(0).map(IntegrationKey))
                .optional()
        })
        .await
    }
}

/// The answer to a read of what the river needs of an integration.
fn live(connection: &Connection, keyring: &Keyring, key: IntegrationKey) -> Result<Live, LiveError> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS}, deleted_at IS NOT NULL FROM integration WHERE key = ?1"))
        .and_then(|mut find| {
            find.query_row([key.0], |row| Ok((read_row(row)?, row.get::<_, bool>(9)?)))
                .optional()
        })
        .map_err(StoreError::from)?;
    let Some((row, deleted)) = row else {
        return Err(LiveError::NotFound);
    };
    let sealed = row.open(keyring)?.map_err(StoreError::from)?;
    let secrets = sealed.secrets().map_err(StoreError::from)?;
    let (draft, _) = wire::draft_from_row(&row.body, &sealed).map_err(StoreError::from)?;
    Ok(Live {
        id: row.id,
        organization: row.organization,
        version: row.version,
        hold: if deleted { Some(Hold::Deleted) } else { draft.hold() },
        stopped: row.stopped,
        targets: draft.targets,
        secrets,
        retry: draft.retry.unwrap_or_default(),
        timeout_ms: draft.timeout_ms,
    })
}
