//! What is read from the store often: configurations by revision, what deliveries are sent by, and API keys. Each entry is dropped by the
//! change that makes it stale, before that change is answered.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use hookmill_domain::address::AddressPolicy;
use hookmill_domain::api_key::ApiKey;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::ApiKeyId;
use hookmill_domain::integration::{IntegrationKey, Live, LiveTarget, OrganizationKey, Revision};
use hookmill_domain::names::OrganizationName;
use hookmill_domain::revision::Snapshot;
use hookmill_egress::{Endpoint, Secret};
use hookmill_store::{LiveError, Store, StoreError};
use http::uri::PathAndQuery;
use tracing::error;

/// Present configurations kept: one for each organization that is active.
const PRESENT_MAX: usize = 20_000;
/// Past configurations kept, for a backlog.
const PAST_MAX: usize = 2_000;
/// Integrations kept with what their deliveries are sent by.
const REACH_MAX: usize = 20_000;
/// Names of organizations kept.
const NAMES_MAX: usize = 100_000;

/// A map of at most so many entries. When it is full it is emptied: what is in use comes back at once, and no order has to be kept on the
/// hot path.
struct Kept<K, V> {
    entries: RwLock<(u64, HashMap<K, V>)>,
    max: usize,
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    fn new(max: usize) -> Kept<K, V> {
        Kept {
            entries: RwLock::new((0, HashMap::new())),
            max,
        }
    }

    fn get(&self, key: &K) -> Option<V> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).1.get(key).cloned()
    }

    /// Counts removals: what was read before one is not kept after it.
    fn epoch(&self) -> u64 {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).0
    }

    fn put(&self, epoch: u64, key: K, value: V) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.0 == epoch {
            if entries.1.len() >= self.max {
                entries.1.clear();
            }
            entries.1.insert(key, value);
        }
    }

    fn remove(&self, key: &K) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.0 += 1;
        entries.1.remove(key);
    }

    fn clear(&self) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.0 += 1;
        entries.1.clear();
    }
}

/// What an integration's deliveries are sent by, worked out once.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) live: Live,
    pub(crate) secrets: Vec<Secret>,
    ways: Vec<Way>,
    pub(crate) policy: Arc<AddressPolicy>,
}

/// How one target is reached.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) endpoint: Arc<Endpoint>,
    /// Of a request that adds nothing to the target's own; absent if its URL has none that can be sent.
    pub(crate) path_and_query: Option<PathAndQuery>,
}

impl Reach {
    /// The target of that name and how it is reached.
    pub(crate) fn target(&self, name: Option<&str>) -> Option<(&LiveTarget, &Way)> {
        let target = self.live.target(name)?;
        let position = self.live.targets.iter().position(|other| std::ptr::eq(other, target))?;
        Some((target, &self.ways[position]))
    }
}

pub(crate) struct Caches {
    store: Store,
    host_policy: AddressPolicy,
    present: Kept<OrganizationKey, Arc<Snapshot>>,
    past: Kept<(OrganizationKey, Revision), Arc<Snapshot>>,
    reach: Kept<IntegrationKey, Arc<Reach>>,
    names: Kept<OrganizationName, OrganizationKey>,
    keys: RwLock<HashMap<Digest, Arc<ApiKey>>>,
}

impl Caches {
    pub(crate) fn new(store: Store, host_policy: AddressPolicy) -> Caches {
        Caches {
            store,
            host_policy,
            present: Kept::new(PRESENT_MAX),
            past: Kept::new(PAST_MAX),
            reach: Kept::new(REACH_MAX),
            names: Kept::new(NAMES_MAX),
            keys: RwLock::default(),
        }
    }

    /// The configuration that a new event is matched by. `None`: there is no such organization.
    pub(crate) async fn present(&self, organization: OrganizationKey) -> Result<Option<Arc<Snapshot>>, StoreError> {
        if let Some(known) = self.present.get(&organization) {
            return Ok(Some(known));
        }
        let epoch = self.present.epoch();
        let Some(read) = self.store.present_snapshot(organization).await? else {
            return Ok(None);
        };
        let read = Arc::new(read);
        self.present.put(epoch, organization, read.clone());
        Ok(Some(read))
    }

    /// The configuration at a revision, for what is run again.
    pub(crate) async fn at(&self, organization: OrganizationKey, revision: Revision) -> Result<Arc<Snapshot>, StoreError> {
        if let Some(present) = self.present.get(&organization).filter(|present| present.revision == revision) {
            return Ok(present);
        }
        if let Some(known) = self.past.get(&(organization, revision)) {
            return Ok(known);
        }
        let epoch = self.past.epoch();
        let read = Arc::new(self.store.snapshot(organization, revision).await?);
        self.past.put(epoch, (organization, revision), read.clone());
        Ok(read)
    }

    pub(crate) fn forget_present(&self, organization: OrganizationKey) {
        self.present.remove(&organization);
    }

    pub(crate) fn forget_all_present(&self) {
        self.present.clear();
    }

    pub(crate) fn forget_reach(&self, integration: IntegrationKey) {
        self.reach.remove(&integration);
    }

    pub(crate) fn forget_all_reach(&self) {
        self.reach.clear();
    }

    /// What an integration's deliveries are sent by, as it is now.
    pub(crate) async fn reach(&self, integration: IntegrationKey) -> Result<Arc<Reach>, LiveError> {
        if let Some(known) = self.reach.get(&integration) {
            return Ok(known);
        }
        let epoch = self.reach.epoch();
        let live = self.store.live(integration).await?;
        let policy = self.policy(live.organization).await?;
        let organization = u64::try_from(live.organization.0).unwrap_or_default();
        let way = |target: &LiveTarget| Way {
            endpoint: Endpoint::new(organization, &target.url),
            path_and_query: target.url.join(None, &[]).ok(),
        };
        let ways = live.targets.iter().map(way).collect();
        let secrets = live
            .secrets
            .iter()
            .filter_map(|secret| Secret::from_bytes(&secret.0).ok())
            .collect();
        let reach = Arc::new(Reach {
            live,
            secrets,
            ways,
            policy: Arc::new(policy),
        });
        self.reach.put(epoch, integration, reach.clone());
        Ok(reach)
    }

    /// What an organization's targets may reach.
    pub(crate) async fn policy(&self, organization: OrganizationKey) -> Result<AddressPolicy, StoreError> {
        let allowed = self
            .store
            .organization_of_key(organization)
            .await?
            .map(|organization| organization.allow_networks);
        match AddressPolicy::parse(allowed.unwrap_or_default()) {
            Ok(own) => Ok(self.host_policy.and(&own)),
            Err(error) => {
                // It was checked when it was set: a newer release's word. Nothing is opened by what is not understood.
                error!(organization = organization.0, %error, "an organization's allowed networks can not be read");
                Ok(self.host_policy.clone())
            }
        }
    }

    /// The number of an organization.
    pub(crate) async fn organization(&self, name: &OrganizationName) -> Result<Option<OrganizationKey>, StoreError> {
        if let Some(known) = self.names.get(name) {
            return Ok(Some(known));
        }
        let epoch = self.names.epoch();
        let Some(found) = self.store.organization(name.clone()).await? else {
            return Ok(None);
        };
        self.names.put(epoch, name.clone(), found.key);
        Ok(Some(found.key))
    }

    pub(crate) async fn load_keys(&self) -> Result<(), StoreError> {
        let keys = self.store.api_keys().await?;
        let keys = keys.into_iter().map(|(digest, key)| (digest, Arc::new(key))).collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    pub(crate) fn key(&self, digest: &Digest) -> Option<Arc<ApiKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Puts a key in the place of one of the same text, if there is one, and gives that.
    pub(crate) fn put_key(&self, digest: Digest, key: Arc<ApiKey>) -> Option<Arc<ApiKey>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(digest, key)
    }

    /// Takes that key away; not another one that has come into its place.
    pub(crate) fn remove_key(&self, digest: &Digest, id: ApiKeyId) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.get(digest).is_some_and(|key| key.id == id) {
            keys.remove(digest);
        }
    }
}
