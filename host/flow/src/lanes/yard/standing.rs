//! How integrations stand: what is served, what is held, what is suspended while somebody works on its rows.

use std::collections::HashSet;

use hookmill_domain::integration::{Hold, IntegrationKey, OrganizationKey};
use hookmill_domain::time::Time;
use hookmill_store::RunRef;

use super::{After, Yard};
use crate::lanes::lane::{Lane, Standing};

impl Yard {
    /// A lane is known to have work on disk: at a start, and after an order.
    pub(crate) fn wake(&mut self, integration: IntegrationKey, organization: OrganizationKey, queue: bool, due: Option<Time>) {
        let lane = self.lane(integration, organization);
        if queue {
            lane.has_queued();
        }
        if let Some(due) = due {
            self.set_due(integration, due);
        }
        self.look(integration);
    }

    /// How an integration stands has been read.
    pub(crate) fn standing_loaded(
        &mut self,
        integration: IntegrationKey,
        version: i64,
        hold: Option<Hold>,
        stopped: bool,
        after: &mut After,
    ) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        lane.loading = false;
        let organization = lane.organization;
        self.set_standing(integration, organization, version, hold, stopped, after);
    }

    /// How an integration stands after a change, which `version` counts: an earlier one says nothing any more.
    pub(crate) fn set_standing(
        &mut self,
        integration: IntegrationKey,
        organization: OrganizationKey,
        version: i64,
        hold: Option<Hold>,
        stopped: bool,
        after: &mut After,
    ) {
        let lane = self.lane(integration, organization);
        if version < lane.version {
            self.look(integration);
            return;
        }
        if version > lane.version {
            lane.targets.values_mut().for_each(|target| target.absent = false);
        }
        lane.version = version;
        if !stopped {
            lane.faults_in_a_row = 0;
        }
        self.stand(integration, Standing::Known { hold, stopped }, after);
    }

    pub(super) fn stand(&mut self, integration: IntegrationKey, standing: Standing, after: &mut After) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        lane.standing = standing;
        let due = lane.due;
        if !lane.runs() {
            self.empty(integration, after);
        }
        // What is due is looked at again, whether its time passed during the hold or not.
        if let Some(due) = due {
            self.timers.insert((due, integration));
        }
        self.offer_lane(integration);
        self.look(integration);
    }

    /// No run of the lane is taken up until [`Yard::go_on`]; says which are in memory. Those that no plugin has seen leave it, and what is
    /// being read is not taken up.
    pub(crate) fn suspend(&mut self, integration: IntegrationKey, organization: OrganizationKey, after: &mut After) -> HashSet<RunRef> {
        let lane = self.lane(integration, organization);
        lane.suspended += 1;
        lane.window_holds = false;
        self.empty(integration, after);
        self.taken_runs(integration)
    }

    /// Runs are taken up again, also those that have come into the queue meanwhile.
    pub(crate) fn go_on(&mut self, integration: IntegrationKey, organization: OrganizationKey) {
        let lane = self.lane(integration, organization);
        lane.suspended = lane.suspended.saturating_sub(1);
        lane.has_queued();
        self.offer_lane(integration);
        self.look(integration);
    }

    /// A deleted integration has nothing left: its lane goes, unless something of it is under way.
    pub(crate) fn forget(&mut self, integration: IntegrationKey) {
        let is_empty = |lane: &Lane| {
            let is_deleted = matches!(
                lane.standing,
                Standing::Known {
                    hold: Some(Hold::Deleted),
                    ..
                }
            );
            let waits = lane.loading || lane.suspended > 0 || !lane.open.is_empty() || !lane.again.is_empty();
            is_deleted && !waits && lane.targets.values().all(|target| target.load() == 0)
        };
        if self.lanes.get(&integration).is_some_and(is_empty)
            && let Some(lane) = self.lanes.remove(&integration)
            && let Some(due) = lane.due
        {
            self.timers.remove(&(due, integration));
        }
    }

    /// Lanes that hold work and are not served.
    pub(crate) fn held(&self) -> Vec<(IntegrationKey, OrganizationKey)> {
        let held = |lane: &&Lane| !lane.runs() && (lane.backlog || lane.due.is_some());
        self.lanes
            .iter()
            .filter(|(_, lane)| held(lane))
            .map(|(key, lane)| (*key, lane.organization))
            .collect()
    }
}
