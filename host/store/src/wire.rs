//! How integrations stand in rows: JSON of their own shape, converted by hand. A field that is added has a default, so that older rows
//! can be read.

use std::collections::BTreeMap;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookmill_domain::integration::{Draft, Facts, LiveTarget, PluginOwner, PluginRef, SecretBytes, TargetFacts};
use hookmill_domain::names::{Kind, PluginName, ProductId, TargetName};
use hookmill_domain::schedule::Schedule;
use hookmill_domain::target::TargetUrl;
use serde::{Deserialize, Serialize};

/// A row that this release can not read: it was damaged, or written by a newer one.
pub(crate) fn unreadable(what: impl std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, what.to_string().into())
}

pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> rusqlite::Result<T> {
    text.parse().map_err(unreadable)
}

fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(unreadable)
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("rows are texts, numbers, lists and maps with text keys")
}

#[derive(Serialize, Deserialize)]
struct PluginRow {
    host: bool,
    name: PluginName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

impl PluginRow {
    fn of(plugin: &PluginRef) -> PluginRow {
        PluginRow {
            host: plugin.owner == PluginOwner::Host,
            name: plugin.name.clone(),
            version: plugin.version,
        }
    }

    fn read(self) -> PluginRef {
        let owner = if self.host { PluginOwner::Host } else { PluginOwner::Organization };
        PluginRef {
            owner,
            name: self.name,
            version: self.version,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct TargetFactsRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<TargetName>,
    headers: Vec<String>,
    query_keys: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct FactsRow {
    events: Vec<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inboxes: Option<Vec<ProductId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    projects: Option<Vec<ProductId>>,
    enabled: bool,
    plugin: PluginRow,
    config: String,
    targets: Vec<TargetFactsRow>,
}

pub(crate) fn facts_to_row(facts: &Facts) -> String {
    let target = |target: &TargetFacts| TargetFactsRow {
        name: target.name.clone(),
        headers: target.headers.clone(),
        query_keys: target.query_keys.clone(),
    };
    to_json(&FactsRow {
        events: facts.events.clone(),
        inboxes: facts.inboxes.clone(),
        projects: facts.projects.clone(),
        enabled: facts.enabled,
        plugin: PluginRow::of(&facts.plugin),
        config: facts.config.to_string(),
        targets: facts.targets.iter().map(target).collect(),
    })
}

pub(crate) fn facts_from_row(text: &str) -> rusqlite::Result<Facts> {
    let row: FactsRow = from_json(text)?;
    let target = |row: TargetFactsRow| TargetFacts {
        name: row.name,
        headers: row.headers,
        query_keys: row.query_keys,
    };
    Ok(Facts {
        events: row.events,
        inboxes: row.inboxes,
        projects: row.projects,
        enabled: row.enabled,
        plugin: row.plugin.read(),
        config: row.config.into(),
        targets: row.targets.into_iter().map(target).collect(),
    })
}

#[derive(Serialize, Deserialize)]
struct TargetRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<TargetName>,
    url: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

/// An integration's row but for its columns and what is sealed.
#[derive(Serialize, Deserialize)]
struct BodyRow {
    events: Vec<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inboxes: Option<Vec<ProductId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    projects: Option<Vec<ProductId>>,
    enabled: bool,
    paused: bool,
    plugin: PluginRow,
    /// Whether the owner named the plugin: an integration without one is shown without one.
    named: bool,
    config: String,
    targets: Vec<TargetRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_ms: Option<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
}

pub(crate) fn draft_to_row(draft: &Draft, plugin: &PluginRef) -> String {
    let target = |target: &LiveTarget| TargetRow {
        name: target.name.clone(),
        url: target.url.as_str().to_owned(),
        gone: target.gone,
    };
    to_json(&BodyRow {
        events: draft.events.clone(),
        inboxes: draft.inboxes.clone(),
        projects: draft.projects.clone(),
        enabled: draft.enabled,
        paused: draft.paused,
        plugin: PluginRow::of(plugin),
        named: draft.plugin.is_some(),
        config: draft.config.to_string(),
        targets: draft.targets.iter().map(target).collect(),
        retry_ms: draft.retry.as_ref().map(|retry| retry.delays_ms().to_vec()),
        timeout_ms: draft.timeout_ms,
        description: draft.description.clone(),
        metadata: draft.metadata.clone(),
    })
}

/// The integration that a row and its opened seal tell of.
pub(crate) fn draft_from_row(body: &str, sealed: &Sealed) -> rusqlite::Result<(Draft, PluginRef)> {
    let row: BodyRow = from_json(body)?;
    let plugin = row.plugin.read();
    let target = |row: TargetRow| {
        let name = row.name.as_ref().map_or("", TargetName::as_str);
        let headers = sealed.headers.get(name).map(Vec::as_slice).unwrap_or_default();
        let headers = headers
            .iter()
            .map(|(name, value)| hookmill_domain::target::check_integration_header(name, value).map_err(unreadable));
        Ok(LiveTarget {
            headers: headers.collect::<rusqlite::Result<_>>()?,
            url: TargetUrl::parse(&row.url).map_err(unreadable)?,
            name: row.name,
            gone: row.gone,
        })
    };
    let draft = Draft {
        events: row.events,
        inboxes: row.inboxes,
        projects: row.projects,
        enabled: row.enabled,
        paused: row.paused,
        plugin: row.named.then(|| (plugin.name.clone(), plugin.version)),
        config: row.config.into(),
        targets: row.targets.into_iter().map(target).collect::<rusqlite::Result<_>>()?,
        retry: row.retry_ms.map(Schedule::new).transpose().map_err(unreadable)?,
        timeout_ms: row.timeout_ms,
        description: row.description,
        metadata: row.metadata,
    };
    Ok((draft, plugin))
}

/// What of an integration is sealed: header values by target (the default one's name is empty), and signing secrets in base64.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Sealed {
    headers: BTreeMap<String, Vec<(String, String)>>,
    secrets: Vec<String>,
}

impl Sealed {
    pub(crate) fn of(draft: &Draft, secrets: &[SecretBytes]) -> Sealed {
        let headers = draft.targets.iter().map(|target| {
            let name = target.name.as_ref().map_or_else(String::new, ToString::to_string);
            let pairs = target.headers.iter().map(|(name, value)| {
                let value = std::str::from_utf8(value.as_bytes()).expect("an integration's header values were read from text");
                (name.as_str().to_owned(), value.to_owned())
            });
            (name, pairs.collect())
        });
        Sealed {
            headers: headers.collect(),
            secrets: secrets.iter().map(|secret| BASE64.encode(&secret.0)).collect(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        to_json(self).into_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> rusqlite::Result<Sealed> {
        serde_json::from_slice(bytes).map_err(unreadable)
    }

    pub(crate) fn secrets(&self) -> rusqlite::Result<Vec<SecretBytes>> {
        self.secrets
            .iter()
            .map(|secret| BASE64.decode(secret).map(SecretBytes).map_err(unreadable))
            .collect()
    }
}

pub(crate) fn ids_to_row(ids: &[ProductId]) -> String {
    to_json(&ids)
}

pub(crate) fn ids_from_row(text: &str) -> rusqlite::Result<Vec<ProductId>> {
    from_json(text)
}
