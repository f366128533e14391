//! Runs that wait for their plugin: turns between organizations and between their integrations.

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_store::RunRef;

use super::{After, Yard};
use crate::lanes::lane::Standing;
use crate::lanes::work::{RowFollows, Run, Sending};

impl Yard {
    /// The next run whose plugin may be called: organizations take turns, then their integrations. One organization holds at most as many
    /// calls as are still free beside it, so that each that comes finds some, whatever the calls of those before it take.
    pub(crate) fn take_run(&mut self) -> Option<Run> {
        if self.closing || self.calls >= self.calls_max {
            return None;
        }
        for _ in 0..self.runners.len() {
            let key = self.runners.pop_front()?;
            if !self.may_run(key) {
                self.runners.push_back(key);
                continue;
            }
            let run = self.take_run_of(key);
            let organization = self.organizations.entry(key).or_default();
            if organization.lanes.is_empty() {
                organization.in_lanes_ring = false;
            } else {
                self.runners.push_back(key);
            }
            if let Some(run) = run {
                organization.calls += 1;
                self.calls += 1;
                return Some(run);
            }
        }
        None
    }

    /// Whether an organization may have another call.
    pub(super) fn may_run(&self, key: OrganizationKey) -> bool {
        let free = self.calls_max.saturating_sub(self.calls);
        let calls = self.organizations.get(&key).map_or(0, |organization| organization.calls);
        calls < free && !self.is_full(key)
    }

    pub(super) fn take_run_of(&mut self, key: OrganizationKey) -> Option<Run> {
        let load_max = self.target_load_max();
        let organization = self.organizations.get_mut(&key)?;
        for _ in 0..organization.lanes.len() {
            let integration = organization.lanes.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&integration) else { continue };
            let run = if lane.has_run(load_max) { lane.ready.pop_front() } else { None };
            lane.in_ring = lane.has_run(load_max);
            if lane.in_ring {
                organization.lanes.push_back(integration);
            }
            if run.is_some() {
                self.ready = self.ready.saturating_sub(1);
                self.look(integration);
                return run;
            }
        }
        None
    }

    /// Puts a lane into its organization's ring if it has a run that may be taken.
    pub(super) fn offer_lane(&mut self, integration: IntegrationKey) {
        let load_max = self.target_load_max();
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if lane.in_ring || !lane.has_run(load_max) {
            return;
        }
        lane.in_ring = true;
        let key = lane.organization;
        let organization = self.organizations.entry(key).or_default();
        organization.lanes.push_back(integration);
        if !organization.in_lanes_ring {
            organization.in_lanes_ring = true;
            self.runners.push_back(key);
        }
    }

    /// A call has ended with these requests: they wait for their targets. Those whose target has too many, or that there is no memory for, come back, to be
    /// written down as held; with each, whether it is its run's last row.
    pub(crate) fn call_ended(&mut self, run: RunRef, sendings: Vec<Sending>) -> Vec<(Sending, RowFollows)> {
        self.count_call_end(run.organization);
        let output_bytes: u64 = sendings.iter().map(Sending::body_bytes).sum();
        let open = self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.get_mut(&run));
        let mut alone = 0;
        if let Some(open) = open {
            open.unrecorded = u16::try_from(sendings.len()).unwrap_or(u16::MAX);
            open.output_bytes = output_bytes;
            open.bytes += output_bytes;
            alone = open.bytes;
            self.charge(run.integration, run.organization, output_bytes);
            self.organizations.entry(run.organization).or_default().output_bytes += output_bytes;
        }
        let offer = |sending| self.offer_first(sending, alone);
        let refused: Vec<Sending> = sendings.into_iter().filter_map(offer).collect();
        self.offer_lane(run.integration);
        refused.into_iter().map(|sending| (sending, self.row_follows(run))).collect()
    }

    pub(super) fn count_call_end(&mut self, organization: OrganizationKey) {
        self.calls = self.calls.saturating_sub(1);
        if let Some(organization) = self.organizations.get_mut(&organization) {
            organization.calls = organization.calls.saturating_sub(1);
        }
    }

    /// A run failed by a fault of the host's own: it is called once more.
    pub(crate) fn call_again(&mut self, run: Run, after: &mut After) {
        self.count_call_end(run.run.organization);
        let integration = run.run.integration;
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if !lane.runs() {
            return self.drop_place(run.run, after);
        }
        self.ready += 1;
        lane.ready.push_back(Run { second_try: true, ..run });
        self.offer_lane(integration);
    }

    /// Counts a fault, or the end of a row of them. `true`: it was one too many, and the lane's calls are stopped.
    pub(crate) fn count_fault(&mut self, integration: IntegrationKey, fault: bool, after: &mut After) -> bool {
        let faults_max = self.limits.plugin.faults_in_a_row_max;
        let Some(lane) = self.lanes.get_mut(&integration) else {
            return false;
        };
        if !fault {
            lane.faults_in_a_row = 0;
            return false;
        }
        lane.faults_in_a_row += 1;
        let Standing::Known { hold, stopped: false } = lane.standing else {
            return false;
        };
        if lane.faults_in_a_row < faults_max {
            return false;
        }
        lane.standing = Standing::Known { hold, stopped: true };
        self.empty(integration, after);
        true
    }

    /// What waits for the plugin of a lane that is not served leaves memory for the queue.
    pub(super) fn empty(&mut self, integration: IntegrationKey, after: &mut After) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        let ready = std::mem::take(&mut lane.ready);
        self.ready = self.ready.saturating_sub(ready.len());
        for run in ready {
            self.drop_place(run.run, after);
        }
    }
}
