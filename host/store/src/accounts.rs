//! Organizations and API keys.

use hookmill_domain::api_key::{ApiKey, Role};
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::ApiKeyId;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::StoreError;
use crate::store::Store;
use crate::views::{Filling, ListMax, Listed};
use crate::wire::{self, parsed, unreadable};

/// What became of an API key that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPut {
    /// It is kept.
    Done,
    /// Its organization has as many as it may have.
    TooMany,
}

/// An organization as the house keeps it.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Its number.
    pub key: OrganizationKey,
    /// Its name.
    pub name: OrganizationName,
    /// When it was made.
    pub created_at: Time,
    /// Its configuration's present revision.
    pub revision: i64,
    /// What its targets may reach beyond public addresses, as it was given.
    pub allow_networks: Vec<String>,
}

fn read_organization(row: &Row<'_>) -> rusqlite::Result<Organization> {
    Ok(Organization {
        key: OrganizationKey(row.get(0)?),
        name: parsed(&row.get::<_, String>(1)?)?,
        created_at: Time::from_millis(row.get(2)?),
        revision: row.get(3)?,
        allow_networks: serde_json::from_str(&row.get::<_, String>(4)?).map_err(unreadable)?,
    })
}

const ORGANIZATION: &str = "SELECT key, name, created_at, revision, allow_networks FROM organization";

const API_KEY: &str = "SELECT k.digest, k.id, k.role, k.organization, o.name, k.inboxes, k.description, k.created_at, k.expires_at
    FROM api_key k LEFT JOIN organization o ON o.key = k.organization";

/// What an API key takes in memory while it is answered, beside its texts, and each of its inboxes beside its text.
const KEY_BYTES: usize = 1024;
const INBOX_BYTES: usize = 64;
/// How often a text is in memory then: as it is read, and six times as long in JSON where it is of control characters.
const TEXT_TIMES: usize = 7;

fn answer_bytes(key: &ApiKey) -> usize {
    let inboxes = key
        .inboxes
        .iter()
        .flatten()
        .map(|inbox| INBOX_BYTES + TEXT_TIMES * inbox.as_str().len());
    let description = key.description.as_ref().map_or(0, String::len);
    KEY_BYTES + TEXT_TIMES * description + inboxes.sum::<usize>()
}

fn read_api_key(row: &Row<'_>) -> rusqlite::Result<(Digest, ApiKey)> {
    let organization: Option<i64> = row.get(3)?;
    let name: Option<String> = row.get(4)?;
    let organization = match (organization, name) {
        (Some(key), Some(name)) => Some((OrganizationKey(key), parsed(&name)?)),
        _ => None,
    };
    let role: String = row.get(2)?;
    let key = ApiKey {
        id: ApiKeyId::from_bytes(row.get(1)?),
        role: Role::from_text(&role).ok_or_else(|| unreadable("an unknown role"))?,
        organization,
        inboxes: row.get::<_, Option<String>>(5)?.map(|text| wire::ids_from_row(&text)).transpose()?,
        description: row.get(6)?,
        created_at: Time::from_millis(row.get(7)?),
        expires_at: row.get::<_, Option<i64>>(8)?.map(Time::from_millis),
    };
    if key.role != Role::Operator && key.organization.is_none() {
        return Err(unreadable("a key of no organization"));
    }
    Ok((Digest::from_bytes(row.get(0)?), key))
}

fn find_organization(connection: &Connection, name: &OrganizationName) -> rusqlite::Result<Option<Organization>> {
    connection
        .prepare_cached(&format!("{ORGANIZATION} WHERE name = ?1"))?
        .query_row([name.as_str()], read_organization)
        .optional()
}

impl Store {
    /// Makes an organization. The flag tells whether it is new; one that is there stays as it is.
    pub async fn create_organization(
        &self,
        name: OrganizationName,
        allow_networks: Vec<String>,
        now: Time,
    ) -> Result<(Organization, bool), StoreError> {
        self.write(move |desk| {
            if let Some(found) = find_organization(desk.connection, &name)? {
                return Ok((found, false));
            }
            let allow = serde_json::to_string(&allow_networks).map_err(unreadable)?;
            desk.connection.execute(
                "INSERT INTO organization (name, created_at, revision, allow_networks) VALUES (?1, ?2, 1, ?3)",
                params![name.as_str(), now.millis(), allow],
            )?;
            let made = find_organization(desk.connection, &name)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            Ok((made, true))
        })
        .await
    }

    /// Changes what an organization's targets may reach. `None`: there is no such organization.
    pub async fn set_allow_networks(
        &self,
        name: OrganizationName,
        allow_networks: Vec<String>,
    ) -> Result<Option<Organization>, StoreError> {
        self.write(move |desk| {
            let allow = serde_json::to_string(&allow_networks).map_err(unreadable)?;
            desk.connection.execute(
                "UPDATE organization SET allow_networks = ?2 WHERE name = ?1",
                params![name.as_str(), allow],
            )?;
            find_organization(desk.connection, &name)
        })
        .await
    }

    /// The organization of that name.
    pub async fn organization(&self, name: OrganizationName) -> Result<Option<Organization>, StoreError> {
        self.read(move |connection| find_organization(connection, &name)).await
    }

    /// The organization with that number.
    pub async fn organization_of_key(&self, key: OrganizationKey) -> Result<Option<Organization>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached(&format!("{ORGANIZATION} WHERE key = ?1"))?
                .query_row([key.0], read_organization)
                .optional()
        })
        .await
    }

    /// Organizations by name, above `after`, at most `limit`.
    pub async fn organizations(&self, after: String, limit: u32) -> Result<Vec<Organization>, StoreError> {
        self.read(move |connection| {
            let mut list = connection.prepare_cached(&format!("{ORGANIZATION} WHERE name > ?1 ORDER BY name LIMIT ?2"))?;
            list.query_map(params![after, limit], read_organization)?.collect()
        })
        .await
    }

    /// Keeps an API key by its text's digest, if its organization has fewer than `max`; operators' are not counted. A key of the same
    /// digest is replaced.
    pub async fn put_api_key(&self, digest: Digest, key: ApiKey, max: u32) -> Result<KeyPut, StoreError> {
        self.write(move |desk| {
            if let Some((organization, _)) = &key.organization {
                let count: u32 = desk
                    .connection
                    .prepare_cached("SELECT count(*) FROM api_key WHERE organization = ?1 AND digest <> ?2")?
                    .query_row(params![organization.0, digest.as_bytes()], |row| row.get(0))?;
                if count >= max {
                    return Ok(KeyPut::TooMany);
                }
            }
            desk.connection
                .execute("DELETE FROM api_key WHERE digest = ?1", [digest.as_bytes()])?;
            desk.connection.execute(
                "INSERT INTO api_key (id, digest, role, organization, inboxes, description, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    key.id.as_bytes(),
                    digest.as_bytes(),
                    key.role.as_str(),
                    key.organization.as_ref().map(|(key, _)| key.0),
                    key.inboxes.as_deref().map(wire::ids_to_row),
                    key.description,
                    key.created_at.millis(),
                    key.expires_at.map(Time::millis),
                ],
            )?;
            Ok(KeyPut::Done)
        })
        .await
    }

    /// Deletes an API key; `organization` limits it to one organization's. Answers its digest, `None` if there is none.
    pub async fn delete_api_key(&self, id: ApiKeyId, organization: Option<OrganizationKey>) -> Result<Option<Digest>, StoreError> {
        self.write(move |desk| {
            desk.connection
                .prepare_cached("DELETE FROM api_key WHERE id = ?1 AND (?2 IS NULL OR organization = ?2) RETURNING digest")?
                .query_row(params![id.as_bytes(), organization.map(|key| key.0)], |row| {
                    row.get(0).map(Digest::from_bytes)
                })
                .optional()
        })
        .await
    }

    /// Every API key with its digest, to be held in memory: read when a host starts. An organization has so many at most.
    pub async fn api_keys(&self) -> Result<Vec<(Digest, ApiKey)>, StoreError> {
        self.read(|connection| {
            let mut list = connection.prepare(&format!("{API_KEY} ORDER BY k.id"))?;
            list.query_map([], read_api_key)?.collect()
        })
        .await
    }

    /// The API key of that id.
    pub async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.read_list(move |connection| {
            let found = connection
                .prepare_cached(&format!("{API_KEY} WHERE k.id = ?1"))?
                .query_row([id.as_bytes()], read_api_key)
                .optional()?;
            Ok(found.map(|(_, key)| key))
        })
        .await
    }

    /// API keys by id, above `after`, at most `max`: one organization's, or all of them for `None`; and after which one the next page begins.
    pub async fn some_api_keys(
        &self,
        organization: Option<OrganizationKey>,
        after: ApiKeyId,
        max: ListMax,
    ) -> Result<Listed<ApiKey, ApiKeyId>, StoreError> {
        self.read_list(move |connection| {
            let whose = match organization {
                Some(_) => "k.organization = ?3 AND",
                None => "?3 IS NULL AND",
            };
            let mut list = connection.prepare_cached(&format!("{API_KEY} WHERE {whose} k.id > ?1 ORDER BY k.id LIMIT ?2"))?;
            let place = params![after.as_bytes(), max.items.saturating_add(1), organization.map(|key| key.0)];
            let (mut page, mut last) = (Filling::new(max), after);
            for found in list.query_map(place, read_api_key)? {
                let (_, key) = found?;
                if !page.has_room(answer_bytes(&key)) {
                    return Ok(page.end(Some(last)));
                }
                last = key.id;
                page.push(key);
            }
            Ok(page.end(None))
        })
        .await
    }
}
