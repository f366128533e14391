//! Runs whose component is not loaded. They hold no call while it is: it may have to be compiled, which takes a minute where a call takes
//! milliseconds, and a few of them would hold all calls that there are.

use std::sync::Arc;

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::outcome::Fault;
use hookmill_domain::revision::Pinned;
use hookmill_plugin_room::Component;

use super::{After, Yard};
use crate::lanes::work::{Kept, Loaded, Run};

/// Components that are loaded for the lanes of one organization at a time; its other lanes wait. One of its own is compiled at a time
/// anyway, and those that are read share the disk with everybody's.
const LOADS_MAX: u32 = 4;

/// The component that a lane's first run waits for.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(crate) organization: OrganizationKey,
    integration: IntegrationKey,
    pub(crate) pinned: Arc<Pinned>,
}

impl Yard {
    /// A run was taken whose component is not loaded. It waits in its lane, before those that came after it, and the lane gives none until
    /// [`Yard::component_came`]. Answers what is to be loaded now by somebody who loads nothing yet.
    pub(crate) fn call_waits(&mut self, run: Run, after: &mut After) -> Option<Cold> {
        let (integration, organization) = (run.run.integration, run.run.organization);
        self.count_call_end(organization);
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
        let loading = self.organizations.entry(organization).or_default();
        loading.cold.push_back(integration);
        if loading.loads >= LOADS_MAX {
            return None;
        }
        loading.loads += 1;
        self.next_cold(organization)
    }

    /// The component of a lane has been loaded, or can not be. Answers what is to be loaded next in its place.
    pub(crate) fn component_came(&mut self, cold: Cold, loaded: Result<Component, Fault>) -> Option<Cold> {
        if let Some(lane) = self.lanes.get_mut(&cold.integration) {
            lane.waits_for_component = false;
            let first = lane.ready.front();
            if first.is_some_and(|first| first.pinned.digest == cold.pinned.digest) {
                self.give(cold.integration, cold.organization, loaded);
            }
            self.offer_lane(cold.integration);
        }
        self.next_cold(cold.organization)
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
        let own = &self.organizations.entry(organization).or_default().kept;
        (own.get() < free).then(|| Kept::new(&self.kept, own))
    }

    /// What is to be loaded next for an organization. `None`: nothing, and one loads less for it.
    fn next_cold(&mut self, key: OrganizationKey) -> Option<Cold> {
        let organization = self.organizations.get_mut(&key)?;
        while !self.closing
            && let Some(integration) = organization.cold.pop_front()
        {
            let Some(lane) = self.lanes.get_mut(&integration) else { continue };
            if let Some(first) = lane.ready.front() {
                return Some(Cold {
                    organization: key,
                    integration,
                    pinned: first.pinned.clone(),
                });
            }
            // Its runs have left memory meanwhile.
            lane.waits_for_component = false;
        }
        organization.loads -= 1;
        None
    }
}
