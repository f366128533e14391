//! Runs whose component is not loaded. They hold no call while it is: it may have to be compiled, which takes a minute where a call takes
//! milliseconds, and a few of them would hold all calls that there are.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, PluginOwner};
use hookmill_domain::outcome::Fault;
use hookmill_domain::revision::Pinned;
use hookmill_plugin_room::Component;

use super::{After, Yard};
use crate::lanes::work::{Count, Kept, Loaded, Run};

/// Components of its own that are loaded for one organization at a time; the others wait. One of them is compiled at a time anyway, and
/// those that are read share the disk with everybody's. The host's own wait for none of these: they are compiled in the host's turn.
const LOADS_MAX: u32 = 4;

/// A component, and in whose turn it is compiled.
type Wanted = (PluginOwner, Digest);

/// The component that the first runs of some lanes wait for.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(crate) organization: OrganizationKey,
    pub(crate) pinned: Arc<Pinned>,
}

/// The components that an organization's lanes wait for.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// The lanes that wait, by what for.
    lanes: HashMap<Wanted, VecDeque<IntegrationKey>>,
    /// Of its own components, those whose load has not begun.
    queue: VecDeque<Wanted>,
    /// Of its own components, how many are loaded just now.
    loads: u32,
    /// Components that its waiting runs keep.
    kept: Count,
}

fn wanted(pinned: &Pinned) -> Wanted {
    (pinned.facts.plugin.owner, pinned.digest)
}

impl Yard {
    /// A run was taken whose component is not loaded. It waits in its lane, before those that came after it, and the lane gives none until
    /// [`Yard::component_came`]. Answers what is to be loaded now by somebody who loads nothing yet.
    pub(crate) fn call_waits(&mut self, run: Run, after: &mut After) -> Option<Cold> {
        let (integration, key) = (run.run.integration, run.run.organization);
        self.count_call_end(key);
        let lane = self.lanes.get_mut(&integration)?;
        if !lane.runs() {
            self.drop_place(run.run, after);
            return None;
        }
        self.ready += 1;
        // Those that were taken together with it, and came before it, may be back already.
        let before = lane.ready.iter().take_while(|other| other.run.event < run.run.event).count();
        lane.ready.insert(before, run);
        if std::mem::replace(&mut lane.waits_for_component, true) {
            return None;
        }
        let wanted = wanted(&lane.ready.front()?.pinned);
        let waits = self.waits(key);
        let lanes = waits.lanes.entry(wanted).or_default();
        lanes.push_back(integration);
        if lanes.len() > 1 {
            return None;
        }
        if wanted.0 == PluginOwner::Host {
            return self.load_of(key, wanted);
        }
        waits.queue.push_back(wanted);
        if waits.loads >= LOADS_MAX {
            return None;
        }
        waits.loads += 1;
        self.next_cold(key)
    }

    /// A component has been loaded, or can not be. Answers what is to be loaded next in its place.
    pub(crate) fn component_came(&mut self, cold: &Cold, came: Result<Component, Fault>) -> Option<Cold> {
        let (key, wanted) = (cold.organization, wanted(&cold.pinned));
        let is_loaded = came.is_ok();
        let mut lanes = self.waits(key).lanes.remove(&wanted).unwrap_or_default();
        while let Some(integration) = lanes.pop_front() {
            if self.waits_for(integration, wanted) {
                self.give(integration, key, came);
                self.wait_no_more(integration);
                break;
            }
            self.wait_no_more(integration);
        }
        if is_loaded {
            lanes.into_iter().for_each(|integration| self.wait_no_more(integration));
        } else if !lanes.is_empty() {
            // One failure parks one run: for the others it is tried again.
            let waits = self.waits(key);
            waits.lanes.insert(wanted, lanes);
            match wanted.0 {
                PluginOwner::Host => return self.load_of(key, wanted),
                PluginOwner::Organization => waits.queue.push_back(wanted),
            }
        }
        match wanted.0 {
            PluginOwner::Host => None,
            PluginOwner::Organization => self.next_cold(key),
        }
    }

    /// The first run of a lane gets what came of a load, so that this serves one run at least, however soon others drive the component out
    /// again. Where waiting runs keep too many already, it is left to be looked up, or at worst loaded, once more: those that are kept are
    /// called meanwhile.
    fn give(&mut self, integration: IntegrationKey, organization: OrganizationKey, came: Result<Component, Fault>) {
        let kept = self.may_keep(organization);
        if came.is_ok() && kept.is_none() {
            return;
        }
        let lane = self.lanes.get_mut(&integration);
        if let Some(first) = lane.and_then(|lane| lane.ready.front_mut()) {
            let kept = kept.filter(|_| came.is_ok());
            first.loaded = Some(Box::new(Loaded { came, _kept: kept }));
        }
    }

    /// Lets a waiting run of an organization keep a component, which is mapped and has a file open for as long: all together as many as
    /// there can be calls, and each organization as many as are still free beside it.
    pub(super) fn may_keep(&mut self, organization: OrganizationKey) -> Option<Kept> {
        let free = self.calls_max.saturating_sub(self.kept.get());
        let own = &self.organizations.entry(organization).or_default().waits.kept;
        (own.get() < free).then(|| Kept::new(&self.kept, own))
    }

    /// What of its own is to be loaded next for an organization. `None`: nothing, and one loads less for it.
    fn next_cold(&mut self, key: OrganizationKey) -> Option<Cold> {
        while !self.closing
            && let Some(wanted) = self.waits(key).queue.pop_front()
        {
            if let Some(cold) = self.load_of(key, wanted) {
                return Some(cold);
            }
        }
        self.waits(key).loads -= 1;
        None
    }

    /// The load of a component, for the lanes that wait for it still. Those whose runs have left memory meanwhile are let go of.
    fn load_of(&mut self, key: OrganizationKey, wanted: Wanted) -> Option<Cold> {
        let lanes = self.waits(key).lanes.remove(&wanted)?;
        let (wait, others): (VecDeque<_>, VecDeque<_>) = lanes.into_iter().partition(|lane| self.waits_for(*lane, wanted));
        others.into_iter().for_each(|integration| self.wait_no_more(integration));
        let first = self.lanes.get(wait.front()?)?.ready.front()?;
        let pinned = first.pinned.clone();
        self.waits(key).lanes.insert(wanted, wait);
        Some(Cold { organization: key, pinned })
    }

    fn waits(&mut self, key: OrganizationKey) -> &mut Waits {
        &mut self.organizations.entry(key).or_default().waits
    }

    /// Whether a lane's first run is to be called with that component.
    fn waits_for(&self, integration: IntegrationKey, component: Wanted) -> bool {
        let first = self.lanes.get(&integration).and_then(|lane| lane.ready.front());
        first.is_some_and(|first| wanted(&first.pinned) == component)
    }

    /// A lane gives its runs again.
    fn wait_no_more(&mut self, integration: IntegrationKey) {
        if let Some(lane) = self.lanes.get_mut(&integration) {
            lane.waits_for_component = false;
            self.offer_lane(integration);
        }
    }
}
