//! An integration: where an organization wants events sent, and how. Its parts live in two halves: [`Facts`] decide what comes out for
//! an event, and are held by a revision; [`Live`] cures faults, and is read anew at each attempt.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::ids::IntegrationId;
use crate::names::{Kind, PluginName, ProductId, TargetName};
use crate::schedule::Schedule;
use crate::target::TargetUrl;
use crate::time::Time;

/// The number of an integration in the store. Unlike its id it is small; it is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntegrationKey(pub i64);

/// The number of an organization in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationKey(pub i64);

/// The two numbers that an event names: its organization's configuration as it stood, and the host's (its plugins for all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Counts the changes of the organization's configuration.
    pub organization: i64,
    /// Counts the changes of the host's plugins.
    pub host: i64,
}

/// What decides which events an integration gets and what comes out for them. A change of it makes the organization's next revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The kinds that it wants, sorted; at least one.
    pub events: Vec<Kind>,
    /// Only events of these inboxes; absent: of all, and of none.
    pub inboxes: Option<Vec<ProductId>>,
    /// Only events of these projects; absent: of all, and of none.
    pub projects: Option<Vec<ProductId>>,
    /// Whether it is matched at all.
    pub enabled: bool,
    /// What transforms the events.
    pub plugin: PluginRef,
    /// `plugin_config` as JSON text; `null` if there is none.
    pub config: Arc<str>,
    /// The default target first, then the named ones in order.
    pub targets: Vec<TargetFacts>,
}

impl Facts {
    /// The names of the further targets, in order.
    pub fn target_names(&self) -> impl Iterator<Item = &TargetName> {
        self.targets.iter().filter_map(|target| target.name.as_ref())
    }
}

/// What a target sets, by name alone: a plugin may set none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFacts {
    /// Absent for the default target.
    pub name: Option<TargetName>,
    /// Names of its headers, in lower case.
    pub headers: Vec<String>,
    /// Keys of its URL's query.
    pub query_keys: Vec<String>,
}

/// A plugin as an integration names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PluginRef {
    /// Whose it is.
    pub owner: PluginOwner,
    /// Its name.
    pub name: PluginName,
    /// Absent: the active version is followed.
    pub version: Option<u32>,
}

impl PluginRef {
    /// The built-in plugin that integrations without one get: exactly the documented payload.
    pub fn passthrough() -> PluginRef {
        let name = "passthrough".parse().expect("a plugin's name");
        PluginRef {
            owner: PluginOwner::Host,
            name,
            version: None,
        }
    }
}

/// As integrations name it: `name` or `name@3`.
impl fmt::Display for PluginRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

/// Whose a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginOwner {
    /// The operator's or built in: every organization may use it.
    Host,
    /// The organization's own.
    Organization,
}

/// An integration as its owner gives it, checked: everything but what the house adds.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The kinds that it wants; sorted, at least one.
    pub events: Vec<Kind>,
    /// Only events of these inboxes.
    pub inboxes: Option<Vec<ProductId>>,
    /// Only events of these projects.
    pub projects: Option<Vec<ProductId>>,
    /// Whether it is matched at all.
    pub enabled: bool,
    /// Whether what it is owed is held.
    pub paused: bool,
    /// A plugin's name and perhaps a version; absent: the built-in passthrough.
    pub plugin: Option<(PluginName, Option<u32>)>,
    /// `plugin_config` as JSON text; `null` if there is none.
    pub config: Arc<str>,
    /// The default target first, then the named ones in order.
    pub targets: Vec<LiveTarget>,
    /// Absent: the house's schedule.
    pub retry: Option<Schedule>,
    /// Absent: the host's default.
    pub timeout_ms: Option<u64>,
    /// In its owner's words.
    pub description: Option<String>,
    /// Its owner's notes, a JSON object as text.
    pub metadata: Option<String>,
}

impl Draft {
    /// What of it decides outcomes, with its plugin found.
    pub fn facts(&self, plugin: PluginRef) -> Facts {
        Facts {
            events: self.events.clone(),
            inboxes: self.inboxes.clone(),
            projects: self.projects.clone(),
            enabled: self.enabled,
            plugin,
            config: self.config.clone(),
            targets: self.targets.iter().map(LiveTarget::facts).collect(),
        }
    }

    /// What holds its deliveries, if anything does.
    pub fn hold(&self) -> Option<Hold> {
        match (self.enabled, self.paused) {
            (false, _) => Some(Hold::Disabled),
            (true, true) => Some(Hold::Paused),
            (true, false) => None,
        }
    }
}

/// An integration as the house keeps it.
#[derive(Debug, Clone)]
pub struct Integration {
    /// Its number in the store.
    pub key: IntegrationKey,
    /// Its id.
    pub id: IntegrationId,
    /// Whose it is.
    pub organization: OrganizationKey,
    /// What its owner gave.
    pub draft: Draft,
    /// The plugin that it was found to name.
    pub plugin: PluginRef,
    /// Whether ten faults in a row have stopped its calls.
    pub stopped: bool,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// Counts its changes: a change names the one that it was made from.
    pub version: i64,
}

/// What is read anew at each attempt, so that correcting it rescues what waits. Secrets in it are never shown by `Debug`.
#[derive(Clone)]
pub struct Live {
    /// The integration's id.
    pub id: IntegrationId,
    /// Its organization.
    pub organization: OrganizationKey,
    /// The default target first, then the named ones in order.
    pub targets: Vec<LiveTarget>,
    /// Signing secrets, the newest first: several while one is rotated out.
    pub secrets: Vec<SecretBytes>,
    /// Counts its changes.
    pub version: i64,
    /// What holds its deliveries, if anything does.
    pub hold: Option<Hold>,
    /// Whether ten faults in a row have stopped its plugin's calls.
    pub stopped: bool,
    /// When failed attempts are repeated.
    pub retry: Schedule,
    /// Time for a whole attempt; absent: the host's default.
    pub timeout_ms: Option<u64>,
}

impl Live {
    /// The target of that name as it is now, the default one for `None`.
    pub fn target(&self, name: Option<&str>) -> Option<&LiveTarget> {
        self.targets
            .iter()
            .find(|target| target.name.as_ref().map(TargetName::as_str) == name)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("id", &self.id)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

/// A target as it is now.
#[derive(Clone)]
pub struct LiveTarget {
    /// Absent for the default target.
    pub name: Option<TargetName>,
    /// Where it is.
    pub url: TargetUrl,
    /// Sent with each request; the values are secrets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Set when the receiver answered 410 Gone: nothing is sent until its URL is changed.
    pub gone: bool,
}

impl LiveTarget {
    /// What it sets, by name.
    pub fn facts(&self) -> TargetFacts {
        TargetFacts {
            name: self.name.clone(),
            headers: self.headers.iter().map(|(name, _)| name.as_str().to_owned()).collect(),
            query_keys: self.url.query_keys(),
        }
    }
}

impl fmt::Debug for LiveTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveTarget").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why an integration's deliveries are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Its owner paused it.
    Paused,
    /// Its owner disabled it.
    Disabled,
    /// It was deleted: what is open is being cancelled.
    Deleted,
}

/// The bytes of a signing secret. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(pub Vec<u8>);

impl SecretBytes {
    /// The shortest and the longest secret, by the Standard Webhooks specification.
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}
