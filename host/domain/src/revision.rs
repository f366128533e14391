//! An organization's configuration as it stood at one revision: what an event is matched by, when it is accepted and whenever its
//! outcome is made again.

use std::sync::Arc;

use crate::digest::Digest;
use crate::event::Envelope;
use crate::ids::IntegrationId;
use crate::integration::{Facts, IntegrationKey, OrganizationKey, Revision};
use crate::matching::{Subject, matches};
use crate::names::OrganizationName;

/// All integrations of an organization at one revision.
#[derive(Debug)]
pub struct Snapshot {
    /// Whose it is.
    pub organization: OrganizationKey,
    /// Its name, as it stands in payloads.
    pub name: OrganizationName,
    /// Which it is.
    pub revision: Revision,
    /// The integrations, by ascending key.
    pub integrations: Vec<Arc<Pinned>>,
}

/// An integration with its plugin's version pinned.
#[derive(Debug)]
pub struct Pinned {
    /// Its number in the store.
    pub key: IntegrationKey,
    /// Its id.
    pub id: IntegrationId,
    /// What decides.
    pub facts: Facts,
    /// The number of the plugin's version.
    pub version: u32,
    /// The component's digest.
    pub digest: Digest,
}

impl Snapshot {
    /// The integrations that an event is owed to.
    pub fn matching(&self, subject: Subject<'_>) -> impl Iterator<Item = &Arc<Pinned>> {
        self.integrations.iter().filter(move |pinned| matches(&pinned.facts, subject))
    }

    /// The integration with that key.
    pub fn get(&self, key: IntegrationKey) -> Option<&Arc<Pinned>> {
        let position = self.integrations.binary_search_by_key(&key, |pinned| pinned.key).ok()?;
        self.integrations.get(position)
    }
}

impl Envelope {
    /// What of it decides who gets it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            kind: &self.kind,
            inbox: self.inbox.as_ref(),
            project: self.project.as_ref(),
        }
    }
}
