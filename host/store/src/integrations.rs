//! Integrations and their revisions: what changes, from when on, and what an event is matched by.

use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{
    Draft, Facts, Hold, Integration, IntegrationKey, Live, LiveTarget, OrganizationKey, PluginOwner, PluginRef, Revision, SecretBytes,
};
use hookmill_domain::key::Key;
use hookmill_domain::names::TargetName;
use hookmill_domain::revision::{Pinned, Snapshot};
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tracing::error;

use crate::desk::{Desk, key};
use crate::lanes::WindowMax;
use crate::plugins::{IN_FORCE, PluginFound, find_plugin, meant_version};
use crate::records::{DeliveryRef, RunRef};
use crate::seal::{Keyring, SealError};
use crate::store::Store;
use crate::wire::{self, Sealed, parsed};
use crate::{LiveError, StoreError};

/// The place of a held delivery among those of its target: event, generation, ordinal.
pub type HeldPlace = (Key, u32, u16);

/// Stands below every held delivery.
pub const HELD_FIRST: HeldPlace = (Key::ZERO, 0, 0);

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

const COLUMNS: &str = "key, id, organization, version, created_at, updated_at, stopped, body, sealed";

struct IntegrationRow {
    key: IntegrationKey,
    id: IntegrationId,
    organization: OrganizationKey,
    version: i64,
    created_at: Time,
    updated_at: Time,
    stopped: bool,
    body: String,
    sealed: Option<Vec<u8>>,
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<IntegrationRow> {
    Ok(IntegrationRow {
        key: IntegrationKey(row.get(0)?),
        id: IntegrationId::from_bytes(row.get(1)?),
        organization: OrganizationKey(row.get(2)?),
        version: row.get(3)?,
        created_at: Time::from_millis(row.get(4)?),
        updated_at: Time::from_millis(row.get(5)?),
        stopped: row.get(6)?,
        body: row.get(7)?,
        sealed: row.get(8)?,
    })
}

impl IntegrationRow {
    fn associated(&self) -> String {
        associated(self.organization, self.id)
    }

    fn open(&self, keyring: &Keyring) -> Result<rusqlite::Result<Sealed>, SealError> {
        let Some(sealed) = &self.sealed else {
            return Ok(Ok(Sealed::default()));
        };
        Ok(Sealed::from_bytes(&keyring.open_sealed(sealed, &self.associated())?))
    }

    fn integration(self, keyring: &Keyring) -> rusqlite::Result<(Integration, Sealed)> {
        let sealed = self.open(keyring).map_err(wire::unreadable)??;
        let (draft, plugin) = wire::draft_from_row(&self.body, &sealed)?;
        let integration = Integration {
            key: self.key,
            id: self.id,
            organization: self.organization,
            draft,
            plugin,
            stopped: self.stopped,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        };
        Ok((integration, sealed))
    }
}

/// What a seal is bound to.
fn associated(organization: OrganizationKey, id: IntegrationId) -> String {
    format!("{}|{id}|integration", organization.0)
}

fn find(connection: &Connection, organization: OrganizationKey, id: IntegrationId) -> rusqlite::Result<Option<IntegrationRow>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM integration WHERE id = ?1 AND organization = ?2 AND deleted_at IS NULL"
    ))?;
    find.query_row(params![id.as_bytes(), organization.0], read_row).optional()
}

impl Desk<'_> {
    fn seal(&self, keyring: &Keyring, organization: OrganizationKey, id: IntegrationId, sealed: &Sealed) -> Vec<u8> {
        let clock = &self.drawer.clock;
        keyring.seal(&sealed.to_bytes(), &associated(organization, id), &|bytes| clock.random(bytes))
    }

    /// Puts facts in force from the organization's next revision on, if they differ from what is in force.
    fn put_facts(&mut self, organization: OrganizationKey, integration: IntegrationKey, facts: Option<&Facts>) -> rusqlite::Result<()> {
        let new = facts.map(wire::facts_to_row);
        let old: Option<String> = self
            .connection
            .prepare_cached("SELECT facts FROM integration_revision WHERE organization = ?1 AND valid_until = ?2 AND integration = ?3")?
            .query_row(params![organization.0, IN_FORCE, integration.0], |row| row.get(0))
            .optional()?;
        if new == old {
            return Ok(());
        }
        let revision = self.next_revision(organization)?;
        match facts {
            Some(facts) => {
                let old = old.as_deref().map(wire::facts_from_row).transpose()?;
                self.put_use(
                    organization,
                    integration,
                    revision,
                    old.as_ref().map(|old| &old.plugin),
                    &facts.plugin,
                )?;
            }
            None => self.end_uses(integration)?,
        }
        self.connection
            .prepare_cached(
                "UPDATE integration_revision SET valid_until = ?4 WHERE organization = ?1 AND valid_until = ?2 AND integration = ?3",
            )?
            .execute(params![organization.0, IN_FORCE, integration.0, revision])?;
        if let Some(new) = new {
            self.connection
                .prepare_cached(
                    "INSERT INTO integration_revision (organization, valid_until, integration, valid_from, facts) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![organization.0, IN_FORCE, integration.0, revision, new])?;
        }
        Ok(())
    }

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
            Some(row) => Ok(Changed::Done(Box::new(row.integration(keyring)?.0))),
            None => Ok(Changed::NotFound),
        }
    }

    /// Puts back into the lane what waited for a target that was gone, removed or at its limit: each is asked again.
    fn wake_held(
        &mut self,
        integration: IntegrationKey,
        target: Option<&str>,
        after: HeldPlace,
        max: WindowMax,
    ) -> rusqlite::Result<(Vec<DeliveryRef>, bool)> {
        let now = self.drawer.clock.now();
        let mut read = self.connection.prepare_cached(
            "SELECT event, generation, ordinal, organization,
                 (SELECT length(f.request) FROM frozen f WHERE f.event = o.event AND f.generation = o.generation
                     AND f.integration = o.integration AND f.ordinal = o.ordinal)
             FROM outcome o
             WHERE integration = ?1 AND state = 4 AND target IS ?2 AND (event, generation, ordinal) > (?3, ?4, ?5)
             ORDER BY event, generation, ordinal LIMIT ?6",
        )?;
        let place = params![integration.0, target, after.0.as_i64(), after.1, after.2, max.count];
        let mut rows = read.query(place)?;
        let (mut held, mut bytes) = (Vec::new(), 0_usize);
        let mut is_cut = false;
        while let Some(row) = rows.next()? {
            is_cut = bytes > 0 && bytes >= max.bytes;
            if is_cut {
                break;
            }
            let run = RunRef {
                event: key(row.get(0)?),
                generation: row.get(1)?,
                integration,
                organization: OrganizationKey(row.get(3)?),
            };
            held.push(DeliveryRef { run, ordinal: row.get(2)? });
            bytes += row.get::<_, Option<usize>>(4)?.unwrap_or(0).max(1);
        }
        is_cut |= held.len() == max.count;
        drop(rows);
        for delivery in &held {
            let DeliveryRef { run, ordinal } = *delivery;
            self.connection
                .prepare_cached(
                    "UPDATE outcome SET state = 2, due_at = ?5 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4",
                )?
                .execute(params![
                    run.event.as_i64(),
                    run.generation,
                    run.integration.0,
                    ordinal,
                    now.millis()
                ])?;
            self.insert_due(*delivery, now)?;
        }
        Ok((held, is_cut))
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

/// The answer to a read of what the river needs of an integration.
pub(crate) fn live(connection: &Connection, keyring: &Keyring, key: IntegrationKey) -> Result<Live, LiveError> {
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

/// The present revision of an organization; `None` if there is no such organization.
pub(crate) fn present_revision(connection: &Connection, organization: OrganizationKey) -> rusqlite::Result<Option<Revision>> {
    connection
        .prepare_cached("SELECT o.revision, s.value FROM organization o, setting s WHERE o.key = ?1 AND s.name = 'host_revision'")?
        .query_row([organization.0], |row| {
            Ok(Revision {
                organization: row.get(0)?,
                host: row.get(1)?,
            })
        })
        .optional()
}

/// The configuration of an organization as it stood at a revision.
pub(crate) fn snapshot(connection: &Connection, organization: OrganizationKey, revision: Revision) -> rusqlite::Result<Snapshot> {
    let name: String = connection
        .prepare_cached("SELECT name FROM organization WHERE key = ?1")?
        .query_row([organization.0], |row| row.get(0))?;
    let mut read = connection.prepare_cached(
        "SELECT r.integration, i.id, r.facts FROM integration_revision r JOIN integration i ON i.key = r.integration
         WHERE r.organization = ?1 AND r.valid_until > ?2 AND r.valid_from <= ?2 ORDER BY r.integration",
    )?;
    let rows = read.query_map(params![organization.0, revision.organization], |row| {
        Ok((
            IntegrationKey(row.get(0)?),
            IntegrationId::from_bytes(row.get(1)?),
            row.get::<_, String>(2)?,
        ))
    })?;
    let mut integrations = Vec::new();
    for row in rows {
        let (key, id, facts) = row?;
        let facts = wire::facts_from_row(&facts)?;
        let (version, digest) = pinned_version(connection, organization, &facts.plugin, revision)?;
        integrations.push(Arc::new(Pinned {
            key,
            id,
            facts,
            version,
            digest,
        }));
    }
    Ok(Snapshot {
        organization,
        name: parsed(&name)?,
        revision,
        integrations,
    })
}

/// The version that a plugin's name meant at a revision, and its digest.
fn pinned_version(
    connection: &Connection,
    organization: OrganizationKey,
    plugin: &PluginRef,
    revision: Revision,
) -> rusqlite::Result<(u32, Digest)> {
    let (owner, at) = match plugin.owner {
        PluginOwner::Host => (0, revision.host),
        PluginOwner::Organization => (organization.0, revision.organization),
    };
    connection
        .prepare_cached(
            "SELECT v.version, v.digest FROM plugin p JOIN plugin_version v ON v.plugin = p.key
             WHERE p.organization = ?1 AND p.name = ?2 AND v.version = coalesce(?3,
                 (SELECT a.version FROM plugin_active a WHERE a.plugin = p.key AND a.valid_until > ?4 AND a.valid_from <= ?4))",
        )?
        .query_row(params![owner, plugin.name.as_str(), plugin.version, at], |row| {
            Ok((row.get(0)?, Digest::from_bytes(row.get(1)?)))
        })
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

    /// Marks a target as gone, since its receiver answered 410: nothing is sent to it until the integration is changed.
    pub async fn set_target_gone(&self, key: IntegrationKey, target: Option<String>, url: String, now: Time) -> Result<bool, StoreError> {
        let keyring = self.keyring();
        self.write(move |desk| {
            let row = desk
                .connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM integration WHERE key = ?1 AND deleted_at IS NULL"))?
                .query_row([key.0], read_row)
                .optional()?;
            let Some(row) = row else { return Ok(false) };
            let (mut integration, _) = row.integration(&keyring)?;
            // An answer to a URL that has been changed since says nothing of the new one.
            let is_meant =
                |found: &&mut LiveTarget| found.name.as_ref().map(TargetName::as_str) == target.as_deref() && found.url.as_str() == url;
            let Some(found) = integration.draft.targets.iter_mut().find(is_meant) else {
                return Ok(false);
            };
            if std::mem::replace(&mut found.gone, true) {
                return Ok(true);
            }
            let body = wire::draft_to_row(&integration.draft, &integration.plugin);
            desk.connection.execute(
                "UPDATE integration SET version = version + 1, updated_at = ?2, body = ?3 WHERE key = ?1",
                params![key.0, now.millis(), body],
            )?;
            Ok(true)
        })
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

    /// Makes due what was written down as held for a target (`None`: the default one), above a place, at most `limit`. Gives how many there
    /// were, and the place of the last one, if there may be more.
    pub async fn wake_held(
        &self,
        integration: IntegrationKey,
        target: Option<String>,
        after: HeldPlace,
        max: WindowMax,
    ) -> Result<(usize, Option<HeldPlace>), StoreError> {
        self.write(move |desk| {
            let (woken, is_cut) = desk.wake_held(integration, target.as_deref(), after, max)?;
            let last = woken.last().filter(|_| is_cut);
            Ok((woken.len(), last.map(|last| (last.run.event, last.run.generation, last.ordinal))))
        })
        .await
    }

    /// Integrations with deliveries that were written down as held.
    pub async fn held_heads(&self) -> Result<Vec<(IntegrationKey, OrganizationKey)>, StoreError> {
        self.read(|connection| {
            let mut list = connection.prepare(
                "WITH RECURSIVE lane (integration) AS (
                     SELECT min(integration) FROM outcome WHERE state = 4
                     UNION ALL SELECT (SELECT min(o.integration) FROM outcome o
                         WHERE o.integration > lane.integration AND o.state = 4) FROM lane
                     WHERE lane.integration IS NOT NULL)
                 SELECT lane.integration, i.organization FROM lane JOIN integration i ON i.key = lane.integration",
            )?;
            list.query_map([], |row| Ok((IntegrationKey(row.get(0)?), OrganizationKey(row.get(1)?))))?
                .collect()
        })
        .await
    }

    /// An integration, with its header values.
    pub async fn integration(&self, organization: OrganizationKey, id: IntegrationId) -> Result<Option<Integration>, StoreError> {
        let keyring = self.keyring();
        self.read(move |connection| {
            let row = find(connection, organization, id)?;
            row.map(|row| row.integration(&keyring).map(|(integration, _)| integration))
                .transpose()
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

    /// Integrations of an organization by ascending key, above `after`, at most `limit`.
    pub async fn integrations(
        &self,
        organization: OrganizationKey,
        after: IntegrationKey,
        limit: u32,
    ) -> Result<Vec<Integration>, StoreError> {
        let keyring = self.keyring();
        self.read(move |connection| {
            let mut list = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM integration WHERE organization = ?1 AND key > ?2 AND deleted_at IS NULL ORDER BY key LIMIT ?3"
            ))?;
            let rows = list.query_map(params![organization.0, after.0, limit], read_row)?;
            let mut integrations = Vec::new();
            for row in rows {
                let row = row?;
                let id = row.id;
                match row.integration(&keyring) {
                    Ok((integration, _)) => integrations.push(integration),
                    // One whose key is lost must not hide the others.
                    Err(failure) => {
                        error!(integration = %id, error = %failure, "an integration can not be read, and is left out of a list")
                    }
                }
            }
            Ok(integrations)
        })
        .await
    }

    /// What the river needs of an integration, as it is now.
    pub async fn live(&self, key: IntegrationKey) -> Result<Live, LiveError> {
        let keyring = self.keyring();
        self.read(move |connection| Ok(live(connection, &keyring, key))).await?
    }

    /// The present configuration of an organization.
    pub async fn present_snapshot(&self, organization: OrganizationKey) -> Result<Option<Snapshot>, StoreError> {
        self.read(move |connection| match present_revision(connection, organization)? {
            Some(revision) => snapshot(connection, organization, revision).map(Some),
            None => Ok(None),
        })
        .await
    }

    /// The configuration of an organization as it stood at a revision.
    pub async fn snapshot(&self, organization: OrganizationKey, revision: Revision) -> Result<Snapshot, StoreError> {
        self.read(move |connection| snapshot(connection, organization, revision)).await
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
