//! Reading a data folder beside the host that serves it: which components are in use, and their bytes. Nothing is locked, migrated or written.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::names::{OrganizationName, PluginName};
use rusqlite::{Connection, params};

use crate::components::read_component;
use crate::connections::{Readers, open_reader};
use crate::error::{OpenError, StoreError};
use crate::plugins::IN_FORCE;
use crate::schema;
use crate::store::{DATABASE, Store};
use crate::wire::parsed;

/// Connections that read at once.
const READERS: usize = 2;
/// Calls that tell which components are called, from the last one back.
const CALLS_LOOKED_AT: u32 = 10_000;

/// A component that an event may need: it is the active version of a plugin, or an integration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentInUse {
    /// Its digest.
    pub digest: Digest,
    /// Of the host's last calls, those of integrations that mean it now.
    pub calls: u64,
    /// Whose plugin it is: the newest one, where several have these bytes. `None`: the host's.
    pub organization: Option<OrganizationName>,
    /// That plugin's name.
    pub plugin: PluginName,
    /// The version that it is of that plugin.
    pub version: u32,
}

/// A data folder that another process serves, perhaps one of an older release.
#[derive(Clone)]
pub struct Beside {
    readers: Arc<Readers>,
}

impl Beside {
    /// Opens a folder's database for reading, as it stands.
    pub fn open(folder: &Path) -> Result<Beside, OpenError> {
        let path = folder.join(DATABASE);
        if !path.is_file() {
            return Err(OpenError::NoDatabase(folder.to_owned()));
        }
        schema::check_readable(&open_reader(&path)?, folder)?;
        let readers = Readers::open(&path, READERS)?;
        Ok(Beside { readers })
    }

    /// As [`Store::components_in_use`].
    pub async fn components_in_use(&self) -> Result<Vec<ComponentInUse>, StoreError> {
        self.readers.read(components_in_use).await
    }

    /// As [`Store::component`].
    pub async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.readers.read(move |connection| read_component(connection, digest)).await
    }
}

impl Store {
    /// Components that an event may need, those first that were called most of late; of equals, those that most integrations name.
    pub async fn components_in_use(&self) -> Result<Vec<ComponentInUse>, StoreError> {
        self.read_list(components_in_use).await
    }
}

fn components_in_use(connection: &Connection) -> rusqlite::Result<Vec<ComponentInUse>> {
    // Of several versions with the same bytes SQLite takes the row of the maximum: https://sqlite.org/lang_select.html#bareagg
    let mut list = connection.prepare(
        "WITH lately (integration, calls) AS MATERIALIZED (
             SELECT integration, count(*) FROM (SELECT integration FROM outcome WHERE ordinal = 0 ORDER BY event DESC LIMIT ?2)
             GROUP BY 1),
         used (plugin, version, calls, uses) AS (
             SELECT u.plugin, iif(u.version = 0, a.version, u.version), total(l.calls), count(*)
             FROM plugin_use u LEFT JOIN plugin_active a ON a.plugin = u.plugin AND a.valid_until = ?1
                 LEFT JOIN lately l ON l.integration = u.integration
             WHERE u.valid_until = ?1 GROUP BY 1, 2
             UNION ALL SELECT plugin, version, 0, 0 FROM plugin_active WHERE valid_until = ?1)
         SELECT v.digest, CAST(sum(used.calls) AS INTEGER), o.name, p.name, v.version, max(v.created_at)
         FROM used JOIN plugin_version v ON v.plugin = used.plugin AND v.version = used.version
             JOIN plugin p ON p.key = v.plugin LEFT JOIN organization o ON o.key = p.organization
             JOIN component c ON c.digest = v.digest
         WHERE v.deleted_at IS NULL AND c.bytes >= 0
         GROUP BY v.digest ORDER BY 2 DESC, sum(used.uses) DESC, 6 DESC",
    )?;
    let rows = list.query_map(params![IN_FORCE, CALLS_LOOKED_AT], |row| {
        let organization: Option<String> = row.get(2)?;
        Ok(ComponentInUse {
            digest: Digest::from_bytes(row.get(0)?),
            calls: row.get(1)?,
            organization: organization.map(|name| parsed(&name)).transpose()?,
            plugin: parsed(&row.get::<_, String>(3)?)?,
            version: row.get(4)?,
        })
    })?;
    rows.collect()
}
