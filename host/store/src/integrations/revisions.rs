//! The configuration of an organization at each of its revisions: what an event is matched by. A change is put in force from the next one
//! on, and what was in force before it is read as it stood.

use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Facts, IntegrationKey, OrganizationKey, PluginOwner, PluginRef, Revision};
use hookmill_domain::revision::{Pinned, Snapshot};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::plugins::IN_FORCE;
use crate::store::Store;
use crate::wire::{self, parsed};

impl Desk<'_> {
    /// Puts facts in force from the organization's next revision on, if they differ from what is in force.
    pub(super) fn put_facts(
        &mut self,
        organization: OrganizationKey,
        integration: IntegrationKey,
        facts: Option<&Facts>,
    ) -> rusqlite::Result<()> {
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
}

impl Store {
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
}

/// The present revision of an organization; `None` if there is no such organization.
fn present_revision(connection: &Connection, organization: OrganizationKey) -> rusqlite::Result<Option<Revision>> {
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
