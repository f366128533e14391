//! Which integrations name which plugin: written with each change of what decides outcomes, and read by whoever changes a plugin.

use std::sync::Arc;

use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, PluginRef};
use hookmill_domain::names::{OrganizationName, PluginName};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::plugins::{IN_FORCE, owner_key, plugin_key, plugin_of};
use crate::store::Store;
use crate::wire::parsed;

/// How a plugin stands with those who use it. Each of its numbers only grows: where they are the same twice, nothing has changed between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The revision of its owner from which on its active version is active; 0 if none is.
    active_from: i64,
    /// Counts changes of integrations that follow it.
    follows: i64,
    /// Counts changes of integrations that pin a version of it.
    pins: i64,
}

impl Stand {
    /// Whether the same integrations follow the same version, with the same configurations.
    pub(crate) fn has_same_followers(&self, other: &Stand) -> bool {
        (self.active_from, self.follows) == (other.active_from, other.follows)
    }

    /// Whether no other version has been put in force, by activation or by pinning it.
    pub(crate) fn has_same_versions(&self, other: &Stand) -> bool {
        (self.active_from, self.pins) == (other.active_from, other.pins)
    }
}

/// An integration as somebody is told of it who may see its plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedIntegration {
    /// Its id.
    pub id: IntegrationId,
    /// Its organization's name.
    pub organization: OrganizationName,
}

/// An integration that follows the active version of a plugin.
#[derive(Debug, Clone)]
pub struct Follower {
    /// Its number.
    pub key: IntegrationKey,
    /// Its names.
    pub integration: NamedIntegration,
    /// Its `plugin_config` as JSON text.
    pub config: Arc<str>,
}

/// How a plugin stands. One that is not there has nobody who uses it.
pub(crate) fn stand(connection: &Connection, plugin: Option<i64>) -> rusqlite::Result<Stand> {
    let found = connection
        .prepare_cached(
            "SELECT coalesce((SELECT valid_from FROM plugin_active WHERE plugin = p.key AND valid_until = ?2), 0), follows, pins
             FROM plugin p WHERE p.key = ?1",
        )?
        .query_row(params![plugin, IN_FORCE], |row| {
            Ok(Stand {
                active_from: row.get(0)?,
                follows: row.get(1)?,
                pins: row.get(2)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or(Stand {
        active_from: 0,
        follows: 0,
        pins: 0,
    }))
}

/// What a column of ids and one of names say of an integration.
pub(crate) fn read_named(row: &Row<'_>, id: usize, organization: usize) -> rusqlite::Result<NamedIntegration> {
    Ok(NamedIntegration {
        id: IntegrationId::from_bytes(row.get(id)?),
        organization: parsed(&row.get::<_, String>(organization)?)?,
    })
}

/// Integrations that pin a version, at most `limit`.
pub(crate) fn pinned_by(connection: &Connection, plugin: i64, version: u32, limit: usize) -> rusqlite::Result<Vec<NamedIntegration>> {
    let mut list = connection.prepare_cached(
        "SELECT i.id, o.name FROM plugin_use u JOIN integration i ON i.key = u.integration JOIN organization o ON o.key = i.organization
         WHERE u.plugin = ?1 AND u.version = ?2 AND u.valid_until = ?3 ORDER BY u.integration LIMIT ?4",
    )?;
    list.query_map(params![plugin, version, IN_FORCE, limit], |row| read_named(row, 0, 1))?
        .collect()
}

/// How many runs of integrations that follow a plugin wait for somebody to act, counted up to a thousand: parked ones, and those in the
/// queue behind too many faults.
pub(crate) fn waiting_for(connection: &Connection, plugin: i64) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "WITH follower (key, stopped) AS (
                 SELECT i.key, i.stopped FROM plugin_use u CROSS JOIN integration i ON i.key = u.integration
                 WHERE u.plugin = ?1 AND u.version = 0 AND u.valid_until = ?2)
             SELECT count(*) FROM (
                 SELECT 1 FROM follower CROSS JOIN outcome o
                 ON o.integration = follower.key AND o.state = 17 AND o.state NOT IN (1, 16)
                 UNION ALL
                 SELECT 1 FROM follower CROSS JOIN queue q ON q.integration = follower.key WHERE follower.stopped
                 LIMIT 1000)",
        )?
        .query_row(params![plugin, IN_FORCE], |row| row.get(0))
}

impl Desk<'_> {
    /// An integration names a plugin from a revision of its organization on, where it named another one, or none, before.
    pub(crate) fn put_use(
        &self,
        organization: OrganizationKey,
        integration: IntegrationKey,
        revision: i64,
        old: Option<&PluginRef>,
        new: &PluginRef,
    ) -> rusqlite::Result<()> {
        let plugin = plugin_key(self.connection, owner_key(organization, new.owner), &new.name)?;
        let change = match new.version {
            None => "UPDATE plugin SET follows = follows + 1 WHERE key = ?1",
            Some(_) => "UPDATE plugin SET pins = pins + 1 WHERE key = ?1",
        };
        self.connection.prepare_cached(change)?.execute([plugin])?;
        if old == Some(new) {
            return Ok(());
        }
        self.connection
            .prepare_cached("UPDATE plugin_use SET valid_until = ?3 WHERE integration = ?1 AND valid_until = ?2")?
            .execute(params![integration.0, IN_FORCE, revision])?;
        self.connection
            .prepare_cached(
                "INSERT INTO plugin_use (plugin, version, integration, valid_from, valid_until) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (plugin, version, integration) DO UPDATE SET valid_until = excluded.valid_until",
            )?
            .execute(params![plugin, new.version.unwrap_or(0), integration.0, revision, IN_FORCE])?;
        Ok(())
    }

    /// A deleted integration runs nothing any more: it needs no version.
    pub(crate) fn end_uses(&self, integration: IntegrationKey) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM plugin_use WHERE integration = ?1")?
            .execute([integration.0])?;
        Ok(())
    }
}

impl Store {
    /// How a plugin stands, and the configuration schema of its active version, if it has an active version and that one a schema. `None` as
    /// the owner: the host.
    pub async fn plugin_stand(&self, owner: Option<OrganizationKey>, name: PluginName) -> Result<(Stand, Option<String>), StoreError> {
        self.read(move |connection| {
            let plugin = plugin_of(connection, owner, &name)?;
            let stand = stand(connection, plugin)?;
            let schema: Option<Option<String>> = connection
                .prepare_cached(
                    "SELECT v.schema FROM plugin_active a JOIN plugin_version v ON v.plugin = a.plugin AND v.version = a.version
                     WHERE a.plugin = ?1 AND a.valid_until = ?2",
                )?
                .query_row(params![plugin, IN_FORCE], |row| row.get(0))
                .optional()?;
            Ok((stand, schema.flatten()))
        })
        .await
    }

    /// Integrations that follow the active version of a plugin by ascending key, above `after`, at most `limit`.
    pub async fn followers(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        after: IntegrationKey,
        limit: usize,
    ) -> Result<Vec<Follower>, StoreError> {
        self.read_list(move |connection| {
            let mut list = connection.prepare_cached(
                "SELECT i.key, i.id, o.name, i.body ->> '$.config'
                 FROM plugin_use u JOIN integration i ON i.key = u.integration JOIN organization o ON o.key = i.organization
                 WHERE u.plugin = ?1 AND u.version = 0 AND u.integration > ?2 AND u.valid_until = ?3 ORDER BY u.integration LIMIT ?4",
            )?;
            let plugin = plugin_of(connection, owner, &name)?;
            let rows = list.query_map(params![plugin, after.0, IN_FORCE, limit], |row| {
                Ok(Follower {
                    key: IntegrationKey(row.get(0)?),
                    integration: read_named(row, 1, 2)?,
                    config: row.get::<_, String>(3)?.into(),
                })
            })?;
            rows.collect()
        })
        .await
    }
}
