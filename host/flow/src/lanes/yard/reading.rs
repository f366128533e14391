//! What is read from disk ahead of its turn, and when.

use std::collections::HashSet;

use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::time::Time;
use hookmill_store::{DeliveryRef, RunRef, WindowMax};

use super::Yard;
use crate::lanes::lane::{Lane, Standing};
use crate::lanes::loads::Load;
use crate::lanes::work::{Open, Run, Sending, Stage, place_bytes};

/// Runs in memory of one lane below which more are read from its queue.
const READY_MIN: usize = 64;

impl Yard {
    /// Asks for what the lane needs from disk, one read at a time: what is due goes before what has not been tried. Answers whether it has.
    pub(super) fn look(&mut self, integration: IntegrationKey) -> bool {
        let load_max = self.target_load_max();
        let Some(lane) = self.lanes.get_mut(&integration) else {
            return false;
        };
        if lane.loading || lane.waits_for_memory || self.closing {
            return false;
        }
        let is_known = lane.standing != Standing::Unknown;
        if is_known && !lane.sends() {
            // Its due time stays known, and is looked at when the hold ends.
            lane.due_now = false;
        }
        let load = if !is_known {
            Load::Standing
        } else if lane.due_now && !lane.retries_are_full(load_max) {
            lane.due_now = false;
            lane.due = None;
            Load::Due
        } else if lane.backlog && lane.runs() && lane.ready.len() < READY_MIN {
            Load::Queue
        } else {
            return false;
        };
        lane.loading = true;
        self.push_load(integration, load);
        true
    }

    /// The next thing to be read.
    pub(crate) fn take_load(&mut self) -> Option<(IntegrationKey, Load)> {
        if self.closing {
            return None;
        }
        let (integration, load) = self.loads.pop()?;
        if load == Load::Queue
            && let Some(lane) = self.lanes.get_mut(&integration)
        {
            lane.queued_since_load = false;
            // Who works on its rows now changes what this reads.
            lane.window_holds = lane.suspended == 0;
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
                        output_bytes: 0,
                        unrecorded: 0,
                        queued: true,
                    },
                );
                self.ready += 1;
                lane.ready.push_back(run);
            }
        }
        self.charge(integration, organization, charged);
        self.offer_memory();
        self.offer_lane(integration);
        self.look(integration);
    }

    /// It could not be read: the lane is asked again by the clock.
    pub(crate) fn read_later(&mut self, integration: IntegrationKey, load: &Load, again_at: Time) {
        match load {
            Load::Held(target) => {
                // Not a read of the lane's own turn.
                if let Some(lane) = self.lanes.get_mut(&integration) {
                    let target = lane.targets.entry(target.clone()).or_default();
                    target.held = true;
                    target.is_asked_for = false;
                }
                self.timers.insert((again_at, integration));
            }
            Load::Due => {
                self.read_has_ended(integration);
                self.set_due(integration, again_at);
                // Also where an earlier one has come due during the read, whose time has passed.
                self.timers.insert((again_at, integration));
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
        self.offer_memory();
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
            self.charge(integration, organization, bytes);
            refused.extend(self.offer_sending(sending));
        }
        if let Some(next) = next {
            self.set_due(integration, next);
        }
        self.offer_memory();
        self.look(integration);
        refused
    }

    /// Deliveries that can not be read are in no other read until what is written of them is on disk.
    pub(crate) fn set_aside(&mut self, integration: IntegrationKey, deliveries: impl Iterator<Item = DeliveryRef>) {
        if let Some(lane) = self.lanes.get_mut(&integration) {
            lane.again.extend(deliveries.map(|delivery| (delivery, 0)));
        }
    }

    /// What was held for a target is to be made due: so much of it as there is room for.
    pub(crate) fn room_for_held(&self, integration: IntegrationKey, target: &Option<String>, max: WindowMax) -> WindowMax {
        let waiting_max = self.target_waiting_max();
        let target = self.lanes.get(&integration).and_then(|lane| lane.targets.get(target));
        target.map_or(max, |target| target.room_for_held(waiting_max, max))
    }

    /// Deliveries held for a target have been made due. `more`: there are further ones, to be made due when it has room again.
    pub(crate) fn held_woken(&mut self, integration: IntegrationKey, name: Option<String>, more: bool, now: Time) {
        if let Some(lane) = self.lanes.get_mut(&integration) {
            let target = lane.targets.entry(name.clone()).or_default();
            target.is_asked_for = false;
            // Held while these were made due, perhaps too late to be among them.
            let is_left = target.held;
            target.held = (more || is_left) && !target.absent;
            if is_left && target.held && target.load() == 0 {
                // Nothing is under way whose end would ask for it.
                self.ask_for_held(integration, name);
            }
        }
        self.set_due(integration, now);
    }

    /// Asks for what was held for a target to be made due, if that is not under way.
    pub(super) fn ask_for_held(&mut self, integration: IntegrationKey, name: Option<String>) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        let target = lane.targets.entry(name.clone()).or_default();
        if std::mem::replace(&mut target.is_asked_for, true) {
            // It may have gone past what was held just now.
            target.held = true;
            return;
        }
        target.held = false;
        self.loads.push(lane.organization, (integration, Load::Held(name)));
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

    /// Asks for what was held for targets that have room, where the end of an attempt could not.
    fn look_for_held(&mut self, integration: IntegrationKey) {
        let load_max = self.target_load_max();
        let Some(lane) = self.lanes.get(&integration) else { return };
        let with_room = lane.targets.iter().filter(|(_, target)| target.has_room_for_held(load_max));
        let names: Vec<Option<String>> = with_room.map(|(name, _)| name.clone()).collect();
        names.into_iter().for_each(|name| self.ask_for_held(integration, name));
    }

    /// The time has come to that point: lanes with something due are read. Gives the next time.
    pub(crate) fn tick(&mut self, now: Time) -> Option<Time> {
        while let Some((at, integration)) = self.timers.first().copied() {
            if at > now {
                return Some(at);
            }
            self.timers.remove(&(at, integration));
            self.look_for_held(integration);
            let Some(lane) = self.lanes.get_mut(&integration) else { continue };
            lane.due_now |= lane.due.is_some_and(|due| due <= now);
            self.look(integration);
        }
        None
    }
}
