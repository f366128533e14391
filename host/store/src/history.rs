//! An organization's stored events, the newest first, page by page, for whoever looks back at them. Each page is a short read of its own,
//! and the next one goes on by key: nothing is held between them.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::key::Key;
use hookmill_domain::matching::Subject;
use hookmill_domain::names::{Kind, ProductId};
use rusqlite::{Connection, Row, params};

use crate::StoreError;
use crate::desk::{Salts, key, setting};
use crate::records::Event;
use crate::store::Store;
use crate::wire::{parsed, unreadable};

/// What limits a page. It may be short, and still have a next one.
#[derive(Debug, Clone, Copy)]
pub struct PageMax {
    /// At most so many events that are wanted.
    pub events: usize,
    /// No further one once so many bytes of data have been read.
    pub bytes: usize,
    /// At most so many events that are looked at.
    pub scanned: usize,
}

/// A page of events.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// Those that are wanted, the newest first.
    pub events: Vec<Arc<Event>>,
    /// Those that are wanted as well, and whose payload is gone.
    pub gone: u64,
    /// All that were looked at.
    pub scanned: u64,
    /// The highest key of the next page; `None`: this is the last.
    pub next: Option<Key>,
}

/// The keys of an organization's events at or below `top`, the newest first: the listing's, below those that it does not have yet.
pub(crate) fn keys_of(connection: &Connection, organization: OrganizationKey, top: Key, limit: usize) -> rusqlite::Result<Vec<Key>> {
    let keys = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<Vec<Key>> {
        let mut read = connection.prepare_cached(sql)?;
        read.query_map(params, |row| row.get(0).map(key))?.collect()
    };
    let listed = setting(connection, "listed")?;
    let mut found = keys(
        "SELECT key FROM event WHERE key > ?1 AND key <= ?2 AND organization = ?3 ORDER BY key DESC LIMIT ?4",
        params![listed, top.as_i64(), organization.0, limit],
    )?;
    found.extend(keys(
        "SELECT event FROM listing WHERE organization = ?1 AND event <= ?2 ORDER BY event DESC LIMIT ?3",
        params![organization.0, top.as_i64().min(listed), limit - found.len()],
    )?);
    Ok(found)
}

/// What decides who gets an event, as its row has it.
struct Head {
    kind: Kind,
    inbox: Option<ProductId>,
    project: Option<ProductId>,
}

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    let id = |column: usize| -> rusqlite::Result<Option<ProductId>> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| parsed(&text)).transpose()
    };
    Ok(Head {
        kind: parsed(&row.get::<_, String>(0)?)?,
        inbox: id(1)?,
        project: id(2)?,
    })
}

fn page(
    connection: &Connection,
    salts: &Salts,
    organization: OrganizationKey,
    (top, bottom): (Key, Key),
    max: PageMax,
    is_wanted: impl Fn(Subject<'_>) -> bool,
) -> rusqlite::Result<HistoryPage> {
    let keys = keys_of(connection, organization, top, max.scanned)?;
    // The data stand last, and are read of those alone that are wanted.
    let mut read =
        connection.prepare_cached("SELECT kind, inbox, project, payload, data FROM event WHERE key = ?1 AND organization = ?2")?;
    let (mut page, mut bytes) = (HistoryPage::default(), 0);
    for at in keys.iter().copied() {
        if at < bottom {
            return Ok(page);
        }
        if page.events.len() as u64 + page.gone >= max.events as u64 || bytes >= max.bytes {
            page.next = Some(at);
            return Ok(page);
        }
        page.scanned += 1;
        let mut rows = read.query(params![at.as_i64(), organization.0])?;
        let Some(row) = rows.next()? else { continue };
        let head = head(row)?;
        let subject = Subject {
            kind: &head.kind,
            inbox: head.inbox.as_ref(),
            project: head.project.as_ref(),
        };
        if !is_wanted(subject) {
            continue;
        }
        let data: Option<Vec<u8>> = if row.get::<_, i64>(3)? == 0 { row.get(4)? } else { None };
        let Some(data) = data else {
            page.gone += 1;
            continue;
        };
        bytes += data.len();
        page.events.push(Arc::new(Event {
            key: at,
            salt: salts.of(at).ok_or_else(|| unreadable("an event without a salt"))?,
            organization,
            kind: head.kind,
            inbox: head.inbox,
            project: head.project,
            data: Bytes::from(data),
        }));
    }
    if keys.len() == max.scanned {
        page.next = keys.last().and_then(|last| Key::from_i64(last.as_i64() - 1));
    }
    Ok(page)
}

impl Store {
    /// Events of an organization from `top` down to `bottom`, of which those are given that are wanted.
    pub async fn history(
        &self,
        organization: OrganizationKey,
        top: Key,
        bottom: Key,
        max: PageMax,
        is_wanted: impl Fn(Subject<'_>) -> bool + Send + 'static,
    ) -> Result<HistoryPage, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| page(connection, &salts, organization, (top, bottom), max, is_wanted))
            .await
    }
}
