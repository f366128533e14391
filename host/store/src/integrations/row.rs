//! An integration's row, and what of it is sealed.

use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Integration, IntegrationKey, OrganizationKey};
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::desk::Desk;
use crate::error::OpenError;
use crate::seal::{Keyring, SealError};
use crate::wire::{self, Sealed};

/// What [`read_row`] reads.
pub(super) const COLUMNS: &str = "key, id, organization, version, created_at, updated_at, stopped, body, sealed";

pub(super) struct IntegrationRow {
    pub(super) key: IntegrationKey,
    pub(super) id: IntegrationId,
    pub(super) organization: OrganizationKey,
    pub(super) version: i64,
    created_at: Time,
    updated_at: Time,
    pub(super) stopped: bool,
    pub(super) body: String,
    sealed: Option<Vec<u8>>,
}

pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<IntegrationRow> {
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

/// What an integration takes in memory while it is answered, beside its texts.
const INTEGRATION_BYTES: usize = 2 * 1024;
/// How often its texts are: as they are read, in the parts that they are read into, and twice as JSON that was checked to be no longer.
const TEXT_TIMES: usize = 4;

impl IntegrationRow {
    /// How many bytes it takes, about, while it is answered.
    pub(super) fn answer_bytes(&self) -> usize {
        INTEGRATION_BYTES + TEXT_TIMES * (self.body.len() + self.sealed.as_ref().map_or(0, Vec::len))
    }

    fn associated(&self) -> String {
        associated(self.organization, self.id)
    }

    pub(super) fn open(&self, keyring: &Keyring) -> Result<rusqlite::Result<Sealed>, SealError> {
        let Some(sealed) = &self.sealed else {
            return Ok(Ok(Sealed::default()));
        };
        Ok(Sealed::from_bytes(&keyring.open_sealed(sealed, &self.associated())?))
    }

    pub(super) fn integration(self, keyring: &Keyring) -> rusqlite::Result<Integration> {
        let sealed = self.open(keyring).map_err(wire::unreadable)??;
        let (draft, plugin) = wire::draft_from_row(&self.body, &sealed)?;
        Ok(Integration {
            key: self.key,
            id: self.id,
            organization: self.organization,
            draft,
            plugin,
            stopped: self.stopped,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}

impl Desk<'_> {
    pub(super) fn seal(&self, keyring: &Keyring, organization: OrganizationKey, id: IntegrationId, sealed: &Sealed) -> Vec<u8> {
        let clock = &self.drawer.clock;
        keyring.seal(&sealed.to_bytes(), &associated(organization, id), &|bytes| clock.random(bytes))
    }
}

/// Whether that ring is the database's. One row is read of a database whose ring it is.
pub(crate) fn check_keyring(connection: &Connection, keyring: &Keyring) -> Result<(), OpenError> {
    let mut sealed = connection.prepare("SELECT sealed FROM integration WHERE sealed IS NOT NULL")?;
    keyring.check(sealed.query_map([], |row| row.get(0))?)
}

/// What a seal is bound to.
fn associated(organization: OrganizationKey, id: IntegrationId) -> String {
    format!("{}|{id}|integration", organization.0)
}

pub(super) fn find(connection: &Connection, organization: OrganizationKey, id: IntegrationId) -> rusqlite::Result<Option<IntegrationRow>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM integration WHERE id = ?1 AND organization = ?2 AND deleted_at IS NULL"
    ))?;
    find.query_row(params![id.as_bytes(), organization.0], read_row).optional()
}
