//! The components that are loaded: looked up on the hot path, bounded by bytes, loaded once however many of a party ask.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hookmill_domain::digest::Digest;
use wasmtime::component::InstancePre;

use crate::contract::Transform;
use crate::engine::Tier;
use crate::refusal::LoadError;
use crate::sandbox::Sandbox;
use crate::turns::Party;

/// What a loaded component holds beside its artifact's mapped bytes, and for each byte of the tables in it: an export of four letters takes 8
/// bytes there and 110 in memory.
const ANONYMOUS_BYTES: u64 = 64 * 1024;
const ANONYMOUS_PER_TABLES_BYTE: u64 = 16;
/// When there are too many, so much of the bound is kept, in percent.
const KEPT_PERCENT: u64 = 95;

/// A component that can be called, made ready for fresh instances. Cheap to clone; it stays usable while it is held.
#[derive(Clone)]
pub struct Component(Arc<Ready>);

pub(crate) struct Ready {
    pub(crate) digest: Digest,
    pub(crate) pre: InstancePre<Sandbox>,
    pub(crate) transform: Transform,
    pub(crate) tier: Arc<Tier>,
    pub(crate) artifact_bytes: u64,
    pub(crate) tables_bytes: u64,
}

impl Component {
    pub(crate) fn new(ready: Ready) -> Component {
        Component(Arc::new(ready))
    }

    pub(crate) fn ready(&self) -> &Ready {
        &self.0
    }

    /// The SHA-256 of the component's bytes.
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    fn bytes(&self) -> u64 {
        let anonymous = ANONYMOUS_BYTES.saturating_add(self.0.tables_bytes.saturating_mul(ANONYMOUS_PER_TABLES_BYTE));
        self.0.artifact_bytes.saturating_add(anonymous)
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Component").field(&self.0.digest).finish()
    }
}

/// All that are loaded, and those that are being loaded.
pub(crate) struct Loaded {
    entries: RwLock<Entries>,
    /// Counts the insertions: an entry's last use is told by it.
    age: AtomicU64,
    bytes_max: u64,
    /// Each loaded component keeps its artifact's file open.
    count_max: usize,
    gates: Mutex<HashMap<(Party, Digest), Gate>>,
}

#[derive(Default)]
struct Entries {
    by_digest: HashMap<Digest, Entry>,
    /// The sum of all: a load does not look through the others.
    bytes: u64,
}

struct Entry {
    component: Component,
    used_at: AtomicU64,
}

impl Entries {
    /// Answers the entry that was in its place.
    fn insert(&mut self, entry: Entry) -> Option<Entry> {
        let digest = *entry.component.digest();
        self.bytes += entry.component.bytes();
        let replaced = self.by_digest.insert(digest, entry);
        self.bytes -= replaced.as_ref().map_or(0, |entry| entry.component.bytes());
        replaced
    }

    fn remove(&mut self, digest: &Digest) -> Option<Entry> {
        let removed = self.by_digest.remove(digest);
        self.bytes -= removed.as_ref().map_or(0, |entry| entry.component.bytes());
        removed
    }
}

/// Where those of a party meet who want the same component. It holds how an attempt failed, for those who waited during it. Each party has its
/// own: what one of them loads may have to wait for that one's turn to compile, and the same bytes may be everybody's default.
type Gate = Arc<tokio::sync::Mutex<Option<LoadError>>>;

impl Loaded {
    pub(crate) fn new(bytes_max: u64, count_max: usize) -> Loaded {
        Loaded {
            entries: RwLock::default(),
            age: AtomicU64::new(0),
            bytes_max,
            count_max,
            gates: Mutex::default(),
        }
    }

    /// The component, if it is loaded.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Component> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.by_digest.get(digest)?;
        entry.used_at.store(self.age.load(Relaxed), Relaxed);
        Some(entry.component.clone())
    }

    /// The component, loaded by `load` if it is not; whoever else of the party asks meanwhile waits for this one attempt and shares its end.
    pub(crate) async fn get_or_load<Fut>(&self, party: Party, digest: Digest, load: impl FnOnce() -> Fut) -> Result<Component, LoadError>
    where
        Fut: Future<Output = Result<Component, LoadError>>,
    {
        if let Some(component) = self.get(&digest) {
            return Ok(component);
        }
        let visit = self.visit((party, digest));
        let mut failure = visit.gate().lock().await;
        if let Some(component) = self.get(&digest) {
            return Ok(component);
        }
        if let Some(failure) = failure.as_ref() {
            return Err(failure.clone());
        }
        let loaded = load().await;
        match &loaded {
            Ok(component) => self.insert(component.clone()),
            Err(error) => *failure = Some(error.clone()),
        }
        loaded
    }

    /// Adds or replaces a component, and drops those unused for longest while there are too many.
    pub(crate) fn insert(&self, component: Component) {
        let age = self.age.fetch_add(1, Relaxed) + 1;
        let mut dropped = Vec::new();
        {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            let entry = Entry {
                component,
                used_at: AtomicU64::new(age),
            };
            dropped.extend(entries.insert(entry));
            if entries.bytes > self.bytes_max || entries.by_digest.len() > self.count_max {
                let mut oldest: Vec<(u64, Digest)> = entries
                    .by_digest
                    .iter()
                    .map(|(digest, entry)| (entry.used_at.load(Relaxed), *digest))
                    .collect();
                oldest.sort_unstable();
                let bytes_kept = self.bytes_max / 100 * KEPT_PERCENT;
                let count_kept = self.count_max - self.count_max / 20;
                for (used_at, digest) in oldest {
                    if used_at == age || (entries.bytes <= bytes_kept && entries.by_digest.len() <= count_kept) {
                        break;
                    }
                    dropped.extend(entries.remove(&digest));
                }
            }
        }
        // Unmapping takes its time; nobody waits for it.
        drop(dropped);
    }

    /// Whether a component is loaded. It counts as no use of it.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.by_digest.contains_key(digest)
    }

    /// Drops a component. Whoever calls it just now goes on.
    pub(crate) fn remove(&self, digest: &Digest) {
        let removed = self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(digest);
        // As above: outside of the lock.
        drop(removed);
    }

    /// How many are loaded.
    pub(crate) fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).by_digest.len()
    }

    /// What they weigh.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).bytes
    }

    fn visit(&self, at: (Party, Digest)) -> Visit<'_> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Visit {
            loaded: self,
            at,
            gate: Some(Arc::clone(gates.entry(at).or_default())),
        }
    }
}

/// Somebody at a gate. The last to leave takes the gate away, and the failure with it; one that is dropped while loading leaves the
/// turn to the next.
struct Visit<'a> {
    loaded: &'a Loaded,
    at: (Party, Digest),
    gate: Option<Gate>,
}

impl Visit<'_> {
    fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("it is taken on dropping alone")
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let mut gates = self.loaded.gates.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: no other visit comes or goes between this and the count.
        self.gate = None;
        if gates.get(&self.at).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use hookmill_domain::limits::PluginLimits;

    use super::*;
    use crate::compiling::Fresh;
    use crate::engine::{Metering, Size, compiling};
    use crate::inspect::link;
    use crate::mapping::taken;

    const PASSTHROUGH: &[u8] = include_bytes!("../../../plugins/passthrough/passthrough.wasm");

    /// One component under as many names.
    fn components<const COUNT: usize>() -> [Component; COUNT] {
        let tier = Tier::open(&PluginLimits::default(), &Size::small(1, 1), Metering::Epochs).expect("an engine");
        let tier = Arc::new(tier);
        let artifact = Fresh::by(&compiling(Metering::Epochs).expect("an engine"), PASSTHROUGH);
        let taken = taken(&tier.engine, &artifact).expect("its own compiler's");
        std::array::from_fn(|number| link(&tier, Digest::of(&number.to_le_bytes()), &taken, 1000, 0).expect("a plugin"))
    }

    /// The numbers of those that are loaded.
    fn left(loaded: &Loaded, components: &[Component]) -> Vec<usize> {
        let are_loaded = components
            .iter()
            .enumerate()
            .filter(|(_, component)| loaded.has(component.digest()));
        are_loaded.map(|(number, _)| number).collect()
    }

    #[test]
    fn when_there_are_too_many_those_unused_for_longest_go() {
        let components = components::<5>();
        let loaded = Loaded::new(u64::MAX, 3);
        for component in &components[..3] {
            loaded.insert(component.clone());
        }
        assert_eq!(left(&loaded, &components), [0, 1, 2], "as many as may be");
        let used = |number: usize| assert!(loaded.get(components[number].digest()).is_some(), "{number}");
        used(0);
        loaded.insert(components[3].clone());
        assert_eq!(left(&loaded, &components), [0, 2, 3]);
        used(0);
        used(3);
        loaded.insert(components[4].clone());
        assert_eq!(left(&loaded, &components), [0, 3, 4]);
        // One that is there already takes no further place.
        loaded.insert(components[4].clone());
        assert_eq!((loaded.len(), loaded.bytes()), (3, 3 * (1000 + ANONYMOUS_BYTES)));
    }

    #[test]
    fn the_one_just_inserted_stays_whatever_the_bound() {
        let components = components::<3>();
        for loaded in [Loaded::new(u64::MAX, 1), Loaded::new(u64::MAX, 0), Loaded::new(1, 3)] {
            for (number, component) in components.iter().enumerate() {
                loaded.insert(component.clone());
                assert_eq!(left(&loaded, &components), [number]);
            }
        }
    }

    /// Room is made for more than the one: else each further insertion would have to look for the oldest.
    #[test]
    fn a_twentieth_goes_at_once() {
        let components = components::<41>();
        let loaded = Loaded::new(u64::MAX, 40);
        for component in &components {
            loaded.insert(component.clone());
        }
        let latest: Vec<usize> = (3..41).collect();
        assert_eq!(left(&loaded, &components), latest);
    }
}
