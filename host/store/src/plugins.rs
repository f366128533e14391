//! Plugins, their versions, and the bytes of their components.

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::{OrganizationKey, PluginOwner, PluginRef};
use hookmill_domain::names::PluginName;
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::store::Store;

/// A component is stored in pieces of this size, a commit each, so that none of them stalls its neighbours.
const PIECE_BYTES: usize = 512 * 1024;

/// What the host itself is as an owner of plugins.
const HOST: OrganizationKey = OrganizationKey(0);

/// What `valid_until` holds for the version that is active.
const IN_FORCE: i64 = i64::MAX;

/// The answer to a look-up of a plugin by an integration's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginFound {
    /// It is there, and so is the version.
    Found(PluginRef),
    /// No plugin of that name.
    NoName(PluginName),
    /// The plugin has no such version.
    NoVersion(PluginName, u32),
    /// The plugin has versions, but none of them is active.
    NotActive(PluginName),
}

/// A version of a plugin.
#[derive(Debug, Clone)]
pub struct PluginVersion {
    /// The plugin's id.
    pub id: PluginId,
    /// The plugin's name.
    pub name: PluginName,
    /// Its number, from 1.
    pub version: u32,
    /// The component's digest.
    pub digest: Digest,
    /// The version of the contract that it exports.
    pub contract: String,
    /// JSON Schema of its configuration, if it has one.
    pub schema: Option<String>,
    /// When it was uploaded.
    pub created_at: Time,
    /// Whether integrations that name the plugin alone get this one.
    pub active: bool,
}

/// A version that is to be added.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// An id, should the plugin be a new one.
    pub id: PluginId,
    /// The plugin's name.
    pub name: PluginName,
    /// The digest of a component that is stored.
    pub digest: Digest,
    /// The version of the contract that it exports.
    pub contract: String,
    /// JSON Schema of its configuration, if it has one.
    pub schema: Option<String>,
    /// Whether it becomes the active one.
    pub activate: bool,
}

/// What became of an upload.
#[derive(Debug)]
pub enum Uploaded {
    /// It is there; `new` if it was not before.
    Done {
        /// The version.
        version: PluginVersion,
        /// Whether these bytes are a new version of that plugin.
        new: bool,
        /// Runs of the plugin's integrations that wait: parked, or queued behind too many faults.
        waiting: u64,
    },
    /// The organization has as many plugins as it may have.
    TooMany,
}

/// Finds the plugin that an integration names: the organization's own first, else the host's.
pub(crate) fn find_plugin(
    connection: &Connection,
    organization: OrganizationKey,
    named: Option<&(PluginName, Option<u32>)>,
) -> rusqlite::Result<PluginFound> {
    let Some((name, version)) = named else {
        return Ok(PluginFound::Found(PluginRef::passthrough()));
    };
    for (owner, key) in [(PluginOwner::Organization, organization), (PluginOwner::Host, HOST)] {
        let plugin: Option<i64> = connection
            .prepare_cached("SELECT key FROM plugin WHERE organization = ?1 AND name = ?2")?
            .query_row(params![key.0, name.as_str()], |row| row.get(0))
            .optional()?;
        let Some(plugin) = plugin else { continue };
        let there = match version {
            Some(version) => exists(
                connection,
                "SELECT 1 FROM plugin_version WHERE plugin = ?1 AND version = ?2",
                plugin,
                i64::from(*version),
            )?,
            None => exists(
                connection,
                "SELECT 1 FROM plugin_active WHERE plugin = ?1 AND valid_until = ?2",
                plugin,
                IN_FORCE,
            )?,
        };
        return Ok(match (there, version) {
            (true, _) => PluginFound::Found(PluginRef {
                owner,
                name: name.clone(),
                version: *version,
            }),
            (false, Some(version)) => PluginFound::NoVersion(name.clone(), *version),
            (false, None) => PluginFound::NotActive(name.clone()),
        });
    }
    Ok(PluginFound::NoName(name.clone()))
}

fn exists(connection: &Connection, sql: &str, plugin: i64, value: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached(sql)?.exists(params![plugin, value])
}

fn read_version(connection: &Connection, plugin: i64, version: u32) -> rusqlite::Result<Option<PluginVersion>> {
    let mut find = connection.prepare_cached(
        "SELECT p.id, p.name, v.version, v.digest, v.contract, v.schema, v.created_at,
             EXISTS (SELECT 1 FROM plugin_active a WHERE a.plugin = p.key AND a.valid_until = ?3 AND a.version = v.version)
         FROM plugin p JOIN plugin_version v ON v.plugin = p.key WHERE p.key = ?1 AND v.version = ?2",
    )?;
    let row = find.query_row(params![plugin, version, IN_FORCE], |row| {
        Ok(PluginVersion {
            id: PluginId::from_bytes(row.get(0)?),
            name: crate::wire::parsed(&row.get::<_, String>(1)?)?,
            version: row.get(2)?,
            digest: Digest::from_bytes(row.get(3)?),
            contract: row.get(4)?,
            schema: row.get(5)?,
            created_at: Time::from_millis(row.get(6)?),
            active: row.get(7)?,
        })
    });
    row.optional()
}

impl Desk<'_> {
    fn add_version(&mut self, owner: OrganizationKey, new: &NewVersion, plugins_max: u32, now: Time) -> rusqlite::Result<Uploaded> {
        let found: Option<i64> = self
            .connection
            .prepare_cached("SELECT key FROM plugin WHERE organization = ?1 AND name = ?2")?
            .query_row(params![owner.0, new.name.as_str()], |row| row.get(0))
            .optional()?;
        let plugin = match found {
            Some(plugin) => plugin,
            None => {
                let count: u32 = self
                    .connection
                    .query_row("SELECT count(*) FROM plugin WHERE organization = ?1", [owner.0], |row| row.get(0))?;
                if count >= plugins_max {
                    return Ok(Uploaded::TooMany);
                }
                self.connection.execute(
                    "INSERT INTO plugin (id, organization, name, created_at) VALUES (?1, ?2, ?3, ?4)",
                    params![new.id.as_bytes(), owner.0, new.name.as_str(), now.millis()],
                )?;
                self.connection.last_insert_rowid()
            }
        };
        let same: Option<u32> = self
            .connection
            .prepare_cached("SELECT version FROM plugin_version WHERE plugin = ?1 AND digest = ?2")?
            .query_row(params![plugin, new.digest.as_bytes()], |row| row.get(0))
            .optional()?;
        let version = match same {
            Some(version) => version,
            None => {
                let next: u32 = self.connection.query_row(
                    "SELECT coalesce(max(version), 0) + 1 FROM plugin_version WHERE plugin = ?1",
                    [plugin],
                    |row| row.get(0),
                )?;
                self.connection.execute(
                    "INSERT INTO plugin_version (plugin, version, digest, contract, schema, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![plugin, next, new.digest.as_bytes(), new.contract, new.schema, now.millis()],
                )?;
                next
            }
        };
        if new.activate {
            self.activate(owner, plugin, version)?;
        }
        let version = read_version(self.connection, plugin, version)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(Uploaded::Done {
            version,
            new: same.is_none(),
            waiting: 0,
        })
    }

    /// Makes a version the active one from its owner's next revision on.
    fn activate(&mut self, owner: OrganizationKey, plugin: i64, version: u32) -> rusqlite::Result<()> {
        let active: Option<u32> = self
            .connection
            .prepare_cached("SELECT version FROM plugin_active WHERE plugin = ?1 AND valid_until = ?2")?
            .query_row(params![plugin, IN_FORCE], |row| row.get(0))
            .optional()?;
        if active == Some(version) {
            return Ok(());
        }
        let revision = if owner == HOST {
            self.next_host_revision()?
        } else {
            self.next_revision(owner)?
        };
        self.connection.execute(
            "UPDATE plugin_active SET valid_until = ?3 WHERE plugin = ?1 AND valid_until = ?2",
            params![plugin, IN_FORCE, revision],
        )?;
        self.connection.execute(
            "INSERT INTO plugin_active (plugin, valid_until, valid_from, version) VALUES (?1, ?2, ?3, ?4)",
            params![plugin, IN_FORCE, revision, version],
        )?;
        Ok(())
    }
}

/// How many runs of integrations that name this plugin wait for somebody to act, counted up to a thousand: parked ones, and those in the queue
/// behind too many faults.
fn waiting_for(connection: &Connection, owner: OrganizationKey, name: &PluginName) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "WITH named (key, stopped) AS (
                 SELECT key, stopped FROM integration
                 WHERE deleted_at IS NULL AND (?1 = 0 OR organization = ?1)
                     AND body ->> '$.plugin.name' = ?2 AND body ->> '$.plugin.host' = (?1 = 0))
             SELECT count(*) FROM (
                 SELECT 1 FROM named CROSS JOIN outcome o
                 ON o.integration = named.key AND o.state = 17 AND o.state NOT IN (1, 16)
                 UNION ALL
                 SELECT 1 FROM named CROSS JOIN queue q ON q.integration = named.key WHERE named.stopped
                 LIMIT 1000)",
        )?
        .query_row(params![owner.0, name.as_str()], |row| row.get(0))
}

impl Store {
    /// Stores a component's bytes, if they are not there. Large ones take several commits.
    pub async fn put_component(&self, digest: Digest, bytes: Bytes) -> Result<(), StoreError> {
        let there = self
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT 1 FROM component WHERE digest = ?1")?
                    .exists([digest.as_bytes()])
            })
            .await?;
        if there {
            return Ok(());
        }
        for (number, start) in (0..bytes.len()).step_by(PIECE_BYTES).enumerate() {
            let piece = bytes.slice(start..bytes.len().min(start + PIECE_BYTES));
            self.write(move |desk| {
                // Two uploads of the same bytes write the same pieces.
                desk.connection
                    .prepare_cached("INSERT OR IGNORE INTO component_piece (digest, number, piece) VALUES (?1, ?2, ?3)")?
                    .execute(params![digest.as_bytes(), number, &piece[..]])?;
                Ok(())
            })
            .await?;
        }
        let length = bytes.len();
        self.write(move |desk| {
            desk.connection
                .prepare_cached("INSERT OR IGNORE INTO component (digest, bytes) VALUES (?1, ?2)")?
                .execute(params![digest.as_bytes(), length])?;
            Ok(())
        })
        .await
    }

    /// The bytes of a component; `None` if it is not stored.
    pub async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.read(move |connection| {
            let length: Option<usize> = connection
                .prepare_cached("SELECT bytes FROM component WHERE digest = ?1")?
                .query_row([digest.as_bytes()], |row| row.get(0))
                .optional()?;
            let Some(length) = length else { return Ok(None) };
            let mut bytes: Vec<u8> = Vec::with_capacity(length);
            let mut read = connection.prepare_cached("SELECT piece FROM component_piece WHERE digest = ?1 ORDER BY number")?;
            let mut rows = read.query([digest.as_bytes()])?;
            while let Some(row) = rows.next()? {
                bytes.extend_from_slice(row.get_ref(0)?.as_blob().map_err(crate::wire::unreadable)?);
            }
            Ok(Some(Bytes::from(bytes)))
        })
        .await
    }

    /// Adds a version of an organization's plugin, or finds the one with these bytes. `None` as the owner: the host.
    pub async fn add_plugin_version(
        &self,
        owner: Option<OrganizationKey>,
        new: NewVersion,
        plugins_max: u32,
        now: Time,
    ) -> Result<Uploaded, StoreError> {
        let (owner, name) = (owner.unwrap_or(HOST), new.name.clone());
        let uploaded = self.write(move |desk| desk.add_version(owner, &new, plugins_max, now)).await?;
        match uploaded {
            Uploaded::Done { version, new, .. } => {
                let waiting = self.read_list(move |connection| waiting_for(connection, owner, &name)).await?;
                Ok(Uploaded::Done { version, new, waiting })
            }
            Uploaded::TooMany => Ok(Uploaded::TooMany),
        }
    }

    /// The version of a plugin with that digest. `None` as the owner: the host.
    pub async fn plugin_with_digest(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        digest: Digest,
    ) -> Result<Option<PluginVersion>, StoreError> {
        self.read(move |connection| {
            let found: Option<(i64, u32)> = connection
                .prepare_cached(
                    "SELECT p.key, v.version FROM plugin p JOIN plugin_version v ON v.plugin = p.key
                     WHERE p.organization = ?1 AND p.name = ?2 AND v.digest = ?3",
                )?
                .query_row(params![owner.unwrap_or(HOST).0, name.as_str(), digest.as_bytes()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match found {
                Some((plugin, version)) => read_version(connection, plugin, version),
                None => Ok(None),
            }
        })
        .await
    }

    /// Finds the plugin that an integration names.
    pub async fn find_plugin(
        &self,
        organization: OrganizationKey,
        named: Option<(PluginName, Option<u32>)>,
    ) -> Result<PluginFound, StoreError> {
        self.read(move |connection| find_plugin(connection, organization, named.as_ref()))
            .await
    }

    /// The version that a plugin means now.
    pub async fn plugin_version(&self, organization: OrganizationKey, plugin: PluginRef) -> Result<Option<PluginVersion>, StoreError> {
        self.read(move |connection| {
            let owner = if plugin.owner == PluginOwner::Host { HOST } else { organization };
            let found: Option<(i64, u32)> = connection
                .prepare_cached(
                    "SELECT p.key, coalesce(?3, a.version) FROM plugin p
                     LEFT JOIN plugin_active a ON a.plugin = p.key AND a.valid_until = ?4
                     WHERE p.organization = ?1 AND p.name = ?2 AND (?3 IS NOT NULL OR a.version IS NOT NULL)",
                )?
                .query_row(params![owner.0, plugin.name.as_str(), plugin.version, IN_FORCE], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match found {
                Some((plugin, version)) => read_version(connection, plugin, version),
                None => Ok(None),
            }
        })
        .await
    }
}
