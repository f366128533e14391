//! Integrations: made, changed and deleted, each with the revision from which on it decides what becomes of events.

mod read;
mod revisions;
mod row;
mod targets;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Draft, Integration, IntegrationKey, OrganizationKey, PluginRef, SecretBytes};
use hookmill_domain::time::Time;
use rusqlite::params;

use crate::StoreError;
use crate::desk::Desk;
use crate::plugins::{PluginFound, find_plugin, meant_version};
use crate::seal::Keyring;
use crate::store::Store;
use crate::wire::{self, Sealed};

pub(crate) use revisions::snapshot;
pub(crate) use row::check_keyring;
pub use targets::{HELD_FIRST, HeldPlace};

use row::find;

/// What became of a change of an integration.
#[derive(Debug)]
pub enum Changed {
    /// It holds, as it is now.
    Done(Box<Integration>),
    /// There is no such integration (any more).
    NotFound,
    /// It was changed by somebody else meanwhile: read it again.
    Moved,
    /// It names a plugin that there is not.
    NoPlugin(PluginFound),
    /// Its configuration was judged by another version than its plugin means now: judge it again.
    JudgedByOther,
    /// The organization has as many integrations as it may have.
    TooMany,
}

/// What an integration's owner gave, and who has judged it.
#[derive(Debug)]
pub struct Judged {
    /// What the owner gave.
    pub draft: Draft,
    /// The plugin that it was found to name before, where the owner left that alone; absent: its name is looked up.
    pub kept: Option<PluginRef>,
    /// The version of its plugin that its configuration was judged by.
    pub by: Digest,
}

/// An integration that is to be made.
#[derive(Debug)]
pub struct NewIntegration {
    /// Its id.
    pub id: IntegrationId,
    /// What it is to be.
    pub judged: Judged,
    /// Its first signing secret.
    pub secret: SecretBytes,
    /// How many integrations its organization may have.
    pub integrations_max: u32,
}

impl Desk<'_> {
    fn create_integration(
        &mut self,
        keyring: &Keyring,
        organization: OrganizationKey,
        new: &NewIntegration,
        now: Time,
    ) -> rusqlite::Result<Changed> {
        let NewIntegration {
            id,
            judged,
            secret,
            integrations_max,
        } = new;
        let (id, draft) = (*id, &judged.draft);
        let count: u32 = self.connection.query_row(
            "SELECT count(*) FROM integration WHERE organization = ?1 AND deleted_at IS NULL",
            [organization.0],
            |row| row.get(0),
        )?;
        if count >= *integrations_max {
            return Ok(Changed::TooMany);
        }
        let plugin = match self.judged_plugin(organization, judged)? {
            Ok(plugin) => plugin,
            Err(refused) => return Ok(refused),
        };
        let sealed = self.seal(keyring, organization, id, &Sealed::of(draft, std::slice::from_ref(secret)));
        self.connection.execute(
            "INSERT INTO integration (id, organization, version, created_at, updated_at, stopped, body, sealed)
             VALUES (?1, ?2, 1, ?3, ?3, 0, ?4, ?5)",
            params![
                id.as_bytes(),
                organization.0,
                now.millis(),
                wire::draft_to_row(draft, &plugin),
                sealed
            ],
        )?;
        let key = IntegrationKey(self.connection.last_insert_rowid());
        self.put_facts(organization, key, Some(&draft.facts(plugin)))?;
        self.changed(keyring, organization, id)
    }

    /// The plugin that an integration names, or keeps, if its configuration was judged by the version that this means now.
    fn judged_plugin(&self, organization: OrganizationKey, judged: &Judged) -> rusqlite::Result<Result<PluginRef, Changed>> {
        let plugin = match &judged.kept {
            Some(kept) => kept.clone(),
            None => match find_plugin(self.connection, organization, judged.draft.plugin.as_ref())? {
                PluginFound::Found(plugin) => plugin,
                missing => return Ok(Err(Changed::NoPlugin(missing))),
            },
        };
        let meant = meant_version(self.connection, organization, &plugin)?;
        if meant.is_none_or(|meant| meant.digest != judged.by) {
            return Ok(Err(Changed::JudgedByOther));
        }
        Ok(Ok(plugin))
    }

    fn change_integration(
        &mut self,
        keyring: &Keyring,
        organization: OrganizationKey,
        id: IntegrationId,
        version: i64,
        judged: &Judged,
        now: Time,
    ) -> rusqlite::Result<Changed> {
        let Some(row) = find(self.connection, organization, id)? else {
            return Ok(Changed::NotFound);
        };
        if row.version != version {
            return Ok(Changed::Moved);
        }
        let plugin = match self.judged_plugin(organization, judged)? {
            Ok(plugin) => plugin,
            Err(refused) => return Ok(refused),
        };
        let (integration, draft) = (row.key, &judged.draft);
        let secrets = row.open(keyring).map_err(wire::unreadable)??.secrets()?;
        let sealed = self.seal(keyring, organization, id, &Sealed::of(draft, &secrets));
        self.connection.execute(
            "UPDATE integration SET version = version + 1, updated_at = ?2, body = ?3, sealed = ?4 WHERE key = ?1",
            params![integration.0, now.millis(), wire::draft_to_row(draft, &plugin), sealed],
        )?;
        self.put_facts(organization, integration, Some(&draft.facts(plugin)))?;
        self.changed(keyring, organization, id)
    }

    fn changed(&self, keyring: &Keyring, organization: OrganizationKey, id: IntegrationId) -> rusqlite::Result<Changed> {
        match find(self.connection, organization, id)? {
            Some(row) => Ok(Changed::Done(Box::new(row.integration(keyring)?))),
            None => Ok(Changed::NotFound),
        }
    }

    fn delete_integration(
        &mut self,
        organization: OrganizationKey,
        id: IntegrationId,
        now: Time,
    ) -> rusqlite::Result<Option<IntegrationKey>> {
        let Some(row) = find(self.connection, organization, id)? else {
            return Ok(None);
        };
        self.connection.execute(
            "UPDATE integration SET version = version + 1, updated_at = ?2, deleted_at = ?2, sealed = NULL WHERE key = ?1",
            params![row.key.0, now.millis()],
        )?;
        self.put_facts(organization, row.key, None)?;
        Ok(Some(row.key))
    }
}

impl Store {
    /// Makes an integration, in force from the organization's next revision on.
    pub async fn create_integration(&self, organization: OrganizationKey, new: NewIntegration, now: Time) -> Result<Changed, StoreError> {
        let keyring = self.keyring();
        self.write(move |desk| desk.create_integration(&keyring, organization, &new, now))
            .await
    }

    /// Changes an integration that stands at `version`, if its configuration was judged by the version that its plugin means. Its secrets stay.
    pub async fn change_integration(
        &self,
        organization: OrganizationKey,
        id: IntegrationId,
        version: i64,
        judged: Judged,
        now: Time,
    ) -> Result<Changed, StoreError> {
        let keyring = self.keyring();
        self.write(move |desk| desk.change_integration(&keyring, organization, id, version, &judged, now))
            .await
    }

    /// Deletes an integration: by this commit all that it is owed and that is not under way is cancelled, and its secrets are erased.
    /// Rows follow by [`Store::cancel_some`]. `None`: there is none.
    pub async fn delete_integration(
        &self,
        organization: OrganizationKey,
        id: IntegrationId,
        now: Time,
    ) -> Result<Option<IntegrationKey>, StoreError> {
        self.write(move |desk| desk.delete_integration(organization, id, now)).await
    }
}
