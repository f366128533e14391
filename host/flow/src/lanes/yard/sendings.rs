//! Deliveries that wait for their target: turns between organizations and between their targets.

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_store::RunRef;

use super::{After, Organization, Yard};
use crate::lanes::lane::Target;
use crate::lanes::window::Pace;
use crate::lanes::work::{RowFollows, Sending, Stage};

/// Targets that a lane remembers while nothing waits for them: most integrations have no more, and making one anew takes longer than its turn.
const IDLE_TARGETS_MAX: usize = 8;

/// What is to be written of a delivery whose attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttemptEnded {
    pub(crate) row: RowFollows,
    /// Its target is absent still: it is held.
    pub(crate) held: bool,
}

impl Yard {
    pub(super) fn target_load_max(&self) -> usize {
        self.limits.delivery.in_flight_max_per_target as usize
    }

    /// Deliveries that wait for one target, of first attempts and of others each.
    pub(super) fn target_waiting_max(&self) -> usize {
        self.target_load_max() * 2
    }

    /// Lets a delivery wait for its target. It comes back if the target has too many.
    pub(super) fn offer_sending(&mut self, sending: Sending) -> Option<Sending> {
        let waiting_max = self.target_waiting_max();
        let integration = sending.delivery.run.integration;
        let name = sending.target().map(str::to_owned);
        let lane = self.lane(integration, sending.delivery.run.organization);
        let target = lane.targets.entry(name.clone()).or_default();
        if target.waiting_like(&sending) >= waiting_max || target.holds_enough() {
            target.held = true;
            return Some(sending);
        }
        // A body without a byte counts as well: there is something under way.
        target.bytes += sending.body_bytes().max(1);
        target.push(sending);
        self.offer_target(integration, name);
        None
    }

    /// The same with one that a plugin has just put out, in a run that weighs `alone`. It comes back as well if there is no memory for it.
    pub(super) fn offer_first(&mut self, sending: Sending, alone: u64) -> Option<Sending> {
        let run = sending.delivery.run;
        let name = sending.target().map(str::to_owned);
        let target = self
            .lane(run.integration, run.organization)
            .targets
            .entry(name.clone())
            .or_default();
        let of_target = target.bytes;
        if !self.is_too_much(run, alone, of_target, sending.body_bytes()) {
            return self.offer_sending(sending);
        }
        // The end of an attempt asks for what is held; where there is none under way, it is asked for at once.
        if of_target == 0 {
            self.ask_for_held(run.integration, name);
        } else if let Some(target) = self.lanes.get_mut(&run.integration).and_then(|lane| lane.targets.get_mut(&name)) {
            target.held = true;
        }
        Some(sending)
    }

    /// Puts a target into its organization's ring if it has a delivery that may be taken.
    pub(super) fn offer_target(&mut self, integration: IntegrationKey, name: Option<String>) {
        let per_target = self.limits.delivery.in_flight_max_per_target;
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        let key = lane.organization;
        if let Some(target) = lane.targets.get_mut(&name)
            && !target.in_ring
            && target.may_be_taken(per_target)
        {
            target.in_ring = true;
            self.organizations.entry(key).or_default().push_target(integration, name, target);
        }
        self.offer_sender(key);
    }

    /// Puts an organization into the ring of those with deliveries that may be taken, if it has one.
    pub(super) fn offer_sender(&mut self, key: OrganizationKey) {
        let (per_organization, hung_max) = (self.limits.delivery.in_flight_max_per_organization, self.hung_max());
        let is_host_full = self.hung_in_flight >= hung_max;
        let organization = self.organizations.entry(key).or_default();
        if organization.in_targets_ring || organization.in_flight >= per_organization {
            return;
        }
        let may_hang = !organization.hung_targets.is_empty() && organization.may_hang(per_organization);
        if !organization.targets.is_empty() || (may_hang && !is_host_full) {
            organization.in_targets_ring = true;
            self.senders.push_back(key);
        } else if may_hang && !organization.waits_for_hung {
            organization.waits_for_hung = true;
            self.hung_waiters.push_back(key);
        }
    }

    /// Attempts at once to targets that have hung lately: half of all, so that those which answer always find room.
    fn hung_max(&self) -> u32 {
        (self.limits.delivery.in_flight_max / 2).max(1)
    }

    /// The next delivery that may be sent: organizations take turns, then their targets.
    pub(crate) fn take_sending(&mut self) -> Option<Sending> {
        if self.closing || self.in_flight >= self.limits.delivery.in_flight_max {
            return None;
        }
        while let Some(key) = self.senders.pop_front() {
            let taken = self.take_sending_of(key);
            self.offer_sender(key);
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    fn take_sending_of(&mut self, key: OrganizationKey) -> Option<Sending> {
        let limits = &self.limits.delivery;
        let (per_target, per_organization) = (limits.in_flight_max_per_target, limits.in_flight_max_per_organization);
        let is_host_full = self.hung_in_flight >= self.hung_max();
        let organization = self.organizations.get_mut(&key)?;
        organization.in_targets_ring = false;
        // Each turn takes a target out of a ring, and puts it back at most once, into the other one.
        loop {
            let may_hang = !is_host_full && organization.may_hang(per_organization);
            let (integration, name) = organization.next_target(may_hang)?;
            let Some(target) = self.lanes.get_mut(&integration).and_then(|lane| lane.targets.get_mut(&name)) else {
                continue;
            };
            if target.window.has_hung() && !may_hang {
                organization.hung_targets.push_back((integration, name));
                continue;
            }
            target.in_ring = false;
            let Some(sending) = target.pop() else { continue };
            target.in_flight += 1;
            organization.in_flight += 1;
            self.in_flight += 1;
            if target.window.has_hung() {
                organization.hung_in_flight += 1;
                self.hung_in_flight += 1;
            }
            if target.may_be_taken(per_target) {
                target.in_ring = true;
                organization.push_target(integration, name, target);
            }
            return Some(sending);
        }
    }

    /// An attempt has ended, or was not made; `pace`: what it tells of its target. `absent`: as of that version of the integration the target
    /// is gone or was removed, so that nothing more is asked of it until the integration is changed. It may have been meanwhile: the answer
    /// says whether the delivery is to be held.
    pub(crate) fn attempt_ended(&mut self, sending: &Sending, pace: Pace, absent: Option<i64>, after: &mut After) -> AttemptEnded {
        let run = sending.delivery.run;
        let name = sending.target().map(str::to_owned);
        let is_late = self.count_attempt(sending, &name, pace);
        let load_max = self.target_load_max();
        let row = match sending.stage {
            Stage::First { .. } => self.row_follows(run),
            Stage::Again { .. } => RowFollows {
                last: false,
                queued: false,
            },
        };
        if is_late {
            // Before what is held is asked for: it may be all that waited.
            self.leave_memory(run.integration, &name, after);
        }
        let mut held = false;
        if let Some(lane) = self.lanes.get_mut(&run.integration)
            && let Some(target) = lane.targets.get_mut(&name)
        {
            held = absent.is_some_and(|version| lane.version <= version);
            if held {
                target.absent = true;
                target.held = false;
            }
            if target.has_room_for_held(load_max) {
                self.ask_for_held(run.integration, name.clone());
            } else if target.load() == 0
                && !target.in_ring
                && !target.held
                && !target.is_asked_for
                && !target.absent
                && !target.window.has_hung()
                && !target.is_late()
                && lane.targets.len() > IDLE_TARGETS_MAX
            {
                lane.targets.remove(&name);
            }
        }
        self.offer_target(run.integration, name);
        self.offer_lane(run.integration);
        if self.lanes.get(&run.integration).is_some_and(|lane| lane.due_now) {
            // Something has come due that there was no room for.
            self.look(run.integration);
        }
        AttemptEnded { row, held }
    }

    /// Takes an attempt off what is under way, and lets its target have more or fewer. Answers whether that is late.
    fn count_attempt(&mut self, sending: &Sending, name: &Option<String>, pace: Pace) -> bool {
        let run = sending.delivery.run;
        let per_target = self.limits.delivery.in_flight_max_per_target;
        let organization = self.organizations.entry(run.organization).or_default();
        self.in_flight = self.in_flight.saturating_sub(1);
        organization.in_flight = organization.in_flight.saturating_sub(1);
        let target = self.lanes.get_mut(&run.integration).and_then(|lane| lane.targets.get_mut(name));
        let Some(target) = target else { return false };
        // What is under way to a target counts as hung or not by what is known of it now.
        let before = if target.window.has_hung() { target.in_flight } else { 0 };
        target.window.count(pace, target.in_flight, per_target);
        target.count_late(pace);
        target.in_flight = target.in_flight.saturating_sub(1);
        target.bytes = target.bytes.saturating_sub(sending.body_bytes().max(1));
        let is_late = target.is_late();
        let after = if target.window.has_hung() { target.in_flight } else { 0 };
        organization.hung_in_flight = (organization.hung_in_flight + after).saturating_sub(before);
        self.hung_in_flight = (self.hung_in_flight + after).saturating_sub(before);
        self.offer_hung_waiters();
        is_late
    }

    /// Lets the next organization go on that waits to send to a target which has hung. One that can not, for another reason, comes back when
    /// that reason ends.
    fn offer_hung_waiters(&mut self) {
        while self.hung_in_flight < self.hung_max()
            && let Some(waiter) = self.hung_waiters.pop_front()
        {
            self.organizations.entry(waiter).or_default().waits_for_hung = false;
            self.offer_sender(waiter);
            if self.organizations.get(&waiter).is_some_and(|waiter| waiter.in_targets_ring) {
                return;
            }
        }
    }

    /// A row of a run is about to be written.
    pub(crate) fn row_follows(&mut self, run: RunRef) -> RowFollows {
        match self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.get_mut(&run)) {
            Some(open) => {
                open.unrecorded = open.unrecorded.saturating_sub(1);
                RowFollows {
                    last: open.unrecorded == 0,
                    queued: open.queued,
                }
            }
            None => RowFollows { last: true, queued: true },
        }
    }
}

impl Organization {
    /// Whether another attempt may go to a target that has hung lately.
    fn may_hang(&self, in_flight_max: u32) -> bool {
        self.hung_in_flight < (in_flight_max / 2).max(1)
    }

    fn push_target(&mut self, integration: IntegrationKey, name: Option<String>, target: &Target) {
        let ring = match target.window.has_hung() {
            true => &mut self.hung_targets,
            false => &mut self.targets,
        };
        ring.push_back((integration, name));
    }

    /// The target whose turn it is: every fourth turn is of those that have hung lately, if they may.
    fn next_target(&mut self, may_hang: bool) -> Option<(IntegrationKey, Option<String>)> {
        self.turn = (self.turn + 1) % 4;
        if may_hang && (self.turn == 0 || self.targets.is_empty()) {
            self.hung_targets.pop_front().or_else(|| self.targets.pop_front())
        } else {
            self.targets.pop_front()
        }
    }
}
