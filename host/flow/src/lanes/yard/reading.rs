//! What is read from disk ahead of its turn, and when.

use std::collections::HashSet;

use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::time::Time;
use hookmill_store::{DeliveryRef, RunRef};

use super::{Load, Yard};
use crate::lanes::lane::{Lane, Standing};
use crate::lanes::work::{Open, Run, Sending, Stage, place_bytes};

/// Runs in memory of one lane below which more are read from its queue.
const READY_MIN: usize = 64;
/// How long a lane with something due waits for a read of it that is under way.
const LOADING_WAIT_MS: u64 = 20;

impl Yard {
    /// Asks for what the lane needs from disk, one read at a time.
    pub(super) fn look(&mut self, integration: IntegrationKey) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if lane.loading || self.closing {
            return;
        }
        let load = if lane.standing == Standing::Unknown {
            Load::Standing
        } else if lane.backlog && lane.runs() && lane.ready.len() < READY_MIN {
            Load::Queue
        } else {
            return;
        };
        lane.loading = true;
        self.loads.push_back((integration, load));
    }

    /// The next thing to be read.
    pub(crate) fn take_load(&mut self) -> Option<(IntegrationKey, Load)> {
        if self.closing {
            return None;
        }
        let (integration, load) = self.loads.pop_front()?;
        if load == Load::Queue
            && let Some(lane) = self.lanes.get_mut(&integration)
        {
            lane.queued_since_load = false;
            lane.window_holds = true;
        }
        Some((integration, load))
    }

    pub(crate) fn taken_runs(&self, integration: IntegrationKey) -> HashSet<RunRef> {
        self.lanes.get(&integration).map(Lane::taken).unwrap_or_default()
    }

    pub(crate) fn taken_deliveries(&self, integration: IntegrationKey) -> HashSet<DeliveryRef> {
        self.lanes
            .get(&integration)
            .map(|lane| lane.again.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Bytes that a window of the lane may hold now; `None`: its organization's memory is full, and the lane is asked again later.
    pub(crate) fn window_bytes(&self, integration: IntegrationKey) -> Option<u64> {
        let lane = self.lanes.get(&integration)?;
        let limits = &self.limits.intake;
        let own = self
            .organizations
            .get(&lane.organization)
            .map_or(0, |organization| organization.bytes);
        let left = limits.payload_memory_bytes_max_per_organization.saturating_sub(own);
        let left = left.min(limits.payload_memory_bytes_max.saturating_sub(self.bytes));
        (left > 0).then_some(left)
    }

    /// A window of the queue has been read. `complete`: there was nothing beyond it.
    pub(crate) fn queue_loaded(&mut self, integration: IntegrationKey, runs: Vec<Run>, complete: bool) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        lane.loading = false;
        let mut charged = 0;
        let serves = lane.runs() && lane.window_holds;
        let organization = lane.organization;
        if serves {
            lane.backlog = !complete || lane.queued_since_load;
            for run in runs {
                if lane.open.contains_key(&run.run) {
                    continue;
                }
                let bytes = place_bytes(run.event.data.len());
                charged += bytes;
                lane.open.insert(
                    run.run,
                    Open {
                        bytes,
                        unrecorded: 0,
                        queued: true,
                    },
                );
                self.ready += 1;
                lane.ready.push_back(run);
            }
        }
        self.charge(organization, charged);
        self.offer_lane(integration);
        self.look(integration);
    }

    /// It could not be read, or its organization's memory is full: the lane is asked again by the clock.
    pub(crate) fn read_later(&mut self, integration: IntegrationKey, load: &Load, again_at: Time) {
        match load {
            Load::Held(target) => {
                // Not a read of the lane's own turn.
                if let Some(lane) = self.lanes.get_mut(&integration) {
                    lane.targets.entry(target.clone()).or_default().held = true;
                }
                self.set_due(integration, again_at);
            }
            Load::Due => {
                self.read_has_ended(integration);
                self.set_due(integration, again_at);
            }
            Load::Standing | Load::Queue => {
                self.read_has_ended(integration);
                self.timers.insert((again_at, integration));
            }
        }
    }

    pub(super) fn read_has_ended(&mut self, integration: IntegrationKey) {
        if let Some(lane) = self.lanes.get_mut(&integration) {
            lane.loading = false;
        }
    }

    /// Deliveries that are due have been read. `next`: when the first of the rest is due. Those whose target has too many come back, to be
    /// written down as held.
    pub(crate) fn due_loaded(&mut self, integration: IntegrationKey, sendings: Vec<Sending>, next: Option<Time>) -> Vec<Sending> {
        let Some(lane) = self.lanes.get_mut(&integration) else {
            return Vec::new();
        };
        lane.loading = false;
        let (organization, sends) = (lane.organization, lane.sends());
        let mut refused = Vec::new();
        for sending in sendings {
            let Stage::Again { was_due, bytes, .. } = sending.stage else {
                continue;
            };
            if !sends {
                self.set_due(integration, was_due);
                continue;
            }
            let Some(lane) = self.lanes.get_mut(&integration) else { break };
            if lane.again.contains_key(&sending.delivery) {
                continue;
            }
            lane.again.insert(sending.delivery, bytes);
            self.charge(organization, bytes);
            refused.extend(self.offer_sending(sending));
        }
        if let Some(next) = next {
            self.set_due(integration, next);
        }
        self.look(integration);
        refused
    }

    /// Deliveries held for a target have been made due. `more`: there are further ones, to be made due when it has room again.
    pub(crate) fn held_woken(&mut self, integration: IntegrationKey, target: Option<String>, more: bool, now: Time) {
        if let Some(lane) = self.lanes.get_mut(&integration)
            && more
        {
            lane.targets.entry(target).or_default().held = true;
        }
        self.set_due(integration, now);
    }

    /// Says that a delivery which is not in memory is due then.
    pub(crate) fn set_due(&mut self, integration: IntegrationKey, at: Time) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if lane.due.is_none_or(|due| at < due) {
            if let Some(due) = lane.due.replace(at) {
                self.timers.remove(&(due, integration));
            }
            self.timers.insert((at, integration));
        }
    }

    /// The time has come to that point: lanes with something due are read. Gives the next time.
    pub(crate) fn tick(&mut self, now: Time) -> Option<Time> {
        let load_max = self.target_load_max();
        while let Some((at, integration)) = self.timers.first().copied() {
            if at > now {
                return Some(at);
            }
            self.timers.remove(&(at, integration));
            let Some(lane) = self.lanes.get_mut(&integration) else { continue };
            if lane.due.is_none_or(|due| due > now) {
                self.look(integration);
                continue;
            }
            if !lane.sends() && lane.standing != Standing::Unknown {
                // Its due time stays known, and is looked at when the hold ends.
                continue;
            }
            if lane.loading {
                // One read at a time; the clock asks again.
                self.timers.insert((now.plus_millis(LOADING_WAIT_MS), integration));
                continue;
            }
            if lane.retries_are_full(load_max) {
                // It is looked at again when one of them has had its attempt.
                continue;
            }
            lane.loading = true;
            if lane.standing == Standing::Unknown {
                self.loads.push_back((integration, Load::Standing));
            } else {
                lane.due = None;
                self.loads.push_back((integration, Load::Due));
            }
        }
        None
    }
}
