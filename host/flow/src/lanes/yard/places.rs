//! Memory: who gets a place, what is charged for it, and who waits until there is some.
//!
//! Whoever holds memory may hold at most as much as is still free beside it: an organization of the host's, a lane of its organization's, a
//! target of its lane's (dynamic thresholds, as the shared buffers of switches have them: Choudhury and Hahne, 1998). So each that comes
//! finds half of what the one before it found, and a target that hangs leaves its neighbours theirs. A first piece needs some memory to be
//! free, and not as much as it takes: a large one goes alone.

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::revision::Pinned;
use hookmill_domain::time::Time;
use hookmill_store::RunRef;

use super::Yard;
use crate::lanes::lane::{LATE_BYTES_MAX, Lane};
use crate::lanes::loads::Load;
use crate::lanes::work::{Open, place_bytes};

/// Lanes that are looked at when memory has become free.
const WAITERS_AT_ONCE: usize = 8;

/// What somebody holds, and may hold at most as things stand.
#[derive(Clone, Copy)]
struct Share {
    held: u64,
    max: u64,
}

impl Share {
    /// The share of who holds so much where so much is free.
    fn of(held: u64, free: u64) -> Share {
        Share {
            held,
            max: held.saturating_add(free) / 2,
        }
    }

    fn left(self) -> u64 {
        self.max.saturating_sub(self.held)
    }

    fn is_over(self) -> bool {
        self.held > self.max
    }

    /// Whether it may take more, where somebody who holds nothing may take a first piece.
    fn takes(self, more: u64) -> bool {
        if self.held == 0 { self.max > 0 } else { more <= self.left() }
    }
}

/// What came of offering memory to a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offered {
    /// It is read for.
    Taken,
    /// It does not wait for any, or has nothing to read now.
    Unwanted,
    /// There is not enough for it.
    InVain,
}

/// The shares of a lane and its organization.
struct Shares {
    own: Share,
    lane: Share,
}

impl Yard {
    /// Whether a run with that much data gets a place; if not, it is to be queued. `asked`: what the same call has asked for so far. The
    /// place is charged when its event is on disk.
    pub(crate) fn gives_place(&mut self, organization: OrganizationKey, pinned: &Pinned, data: usize, asked: &mut u64) -> bool {
        let more = place_bytes(data);
        let lane = self.lane(pinned.key, organization);
        let (gives, is_late, of_lane) = (lane.gives_places(), lane.is_late(), lane.bytes);
        let Shares { own, lane: mut share } = self.shares(organization, of_lane, *asked);
        if is_late {
            share.max = share.max.min(LATE_BYTES_MAX);
        }
        if !gives || !own.takes(more) || !share.takes(more) {
            return false;
        }
        *asked += more;
        true
    }

    /// Bytes that a window of the lane may hold now. `None`: there is no memory for it, and the lane's next read waits for some. `due`: this
    /// one is of what is due, and then so is the next one.
    pub(crate) fn window_or_wait(&mut self, integration: IntegrationKey, due: bool) -> Option<u64> {
        let mut window = self.window_bytes(integration);
        if due && self.lanes.get(&integration).is_some_and(Lane::has_late) {
            window = window.map(|bytes| bytes.min(LATE_BYTES_MAX));
        }
        if window.is_none()
            && let Some(lane) = self.lanes.get_mut(&integration)
        {
            lane.loading = false;
            lane.waits_for_memory = true;
            if due {
                lane.due_now = true;
                // Should the lane be held meanwhile, its due time is what is looked at when the hold ends.
                self.set_due(integration, Time::default());
            }
            self.wait_in_the_ring(integration);
        }
        window
    }

    /// Puts a lane that waits for memory among those that are offered some. One that is late, and holds what it may, waits for its own
    /// alone, and takes no turn from others.
    fn wait_in_the_ring(&mut self, integration: IntegrationKey) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        let waits_for_its_own = lane.is_late() && lane.bytes >= LATE_BYTES_MAX;
        if lane.waits_for_memory && !waits_for_its_own && !std::mem::replace(&mut lane.in_memory_ring, true) {
            self.memory_waiters.push(lane.organization, integration);
        }
    }

    fn window_bytes(&self, integration: IntegrationKey) -> Option<u64> {
        let lane = self.lanes.get(&integration)?;
        let is_late = lane.is_late();
        let Shares { own, lane: mut share } = self.shares(lane.organization, lane.bytes, 0);
        if is_late {
            share.max = share.max.min(LATE_BYTES_MAX);
        }
        // One that holds most of what it may waits until it holds less: read for a piece at a time, each would cost as much as a window.
        let is_worth_it = share.held == 0 || share.left() >= share.max / 4;
        (own.takes(1) && share.takes(1) && is_worth_it).then(|| own.left().min(share.left()).max(1))
    }

    /// Whether a delivery that a plugin has just put out, and that is charged, is to wait on disk. `alone`: what its run weighs; `of_target`:
    /// what its target holds without it.
    pub(super) fn is_too_much(&self, run: RunRef, alone: u64, of_target: u64, body_bytes: u64) -> bool {
        let of_lane = self.lanes.get(&run.integration).map_or(0, |lane| lane.bytes);
        let Shares { own, lane } = self.shares(run.organization, of_lane, 0);
        if own.held <= alone {
            return false;
        }
        // A target that holds nothing gets its turn, whatever its neighbours hold.
        let target = Share::of(of_target, lane.left());
        self.is_spent(own) || (of_target > 0 && (own.is_over() || lane.is_over() || !target.takes(body_bytes)))
    }

    /// Whether the plugins of an organization have put out so much that they are not called until some of it has gone.
    pub(super) fn is_full(&self, organization: OrganizationKey) -> bool {
        let put_out = self
            .organizations
            .get(&organization)
            .map_or(0, |organization| organization.output_bytes);
        let Shares { own, .. } = self.shares(organization, 0, 0);
        put_out > 0 && self.is_spent(own)
    }

    /// Whether an organization, or all of them together, hold so much that what comes waits on disk, whatever else would be fair.
    fn is_spent(&self, own: Share) -> bool {
        let limits = &self.limits.intake;
        own.held > limits.payload_memory_bytes_max_per_organization.saturating_mul(2) || self.bytes >= limits.payload_memory_bytes_max
    }

    /// `asked`: what is about to be held beside what is.
    fn shares(&self, organization: OrganizationKey, of_lane: u64, asked: u64) -> Shares {
        let limits = &self.limits.intake;
        let held = self.organizations.get(&organization).map_or(0, |organization| organization.bytes);
        let free = limits.payload_memory_bytes_max.saturating_sub(self.bytes.saturating_add(asked));
        let mut own = Share::of(held.saturating_add(asked), free);
        own.max = own.max.min(limits.payload_memory_bytes_max_per_organization);
        let lane = Share::of(of_lane.saturating_add(asked), own.left());
        Shares { own, lane }
    }

    pub(super) fn charge(&mut self, integration: IntegrationKey, organization: OrganizationKey, bytes: u64) {
        self.bytes += bytes;
        self.organizations.entry(organization).or_default().bytes += bytes;
        if let Some(lane) = self.lanes.get_mut(&integration) {
            lane.bytes += bytes;
        }
    }

    pub(super) fn discharge(&mut self, integration: IntegrationKey, organization: OrganizationKey, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(organization) = self.organizations.get_mut(&organization) {
            organization.bytes = organization.bytes.saturating_sub(bytes);
        }
        let mut waits = false;
        if let Some(lane) = self.lanes.get_mut(&integration) {
            lane.bytes = lane.bytes.saturating_sub(bytes);
            waits = lane.waits_for_memory;
        }
        if waits && self.offer_memory_to(integration) == Offered::InVain {
            self.wait_in_the_ring(integration);
        }
        self.offer_memory();
    }

    /// A run has left memory.
    pub(super) fn discharge_run(&mut self, run: RunRef, open: &Open) {
        if let Some(organization) = self.organizations.get_mut(&run.organization) {
            organization.output_bytes = organization.output_bytes.saturating_sub(open.output_bytes);
        }
        self.discharge(run.integration, run.organization, open.bytes);
    }

    /// Memory may have become free, or a read has not taken what it might have: some of those that wait are looked at. Each read that ends
    /// comes here again, so that all of them get their turn.
    pub(super) fn offer_memory(&mut self) {
        let mut turns = WAITERS_AT_ONCE;
        // Those that want none any more cost no turn, or nobody would come here again after them.
        for _ in 0..self.memory_waiters.len() {
            if turns == 0 {
                return;
            }
            let Some(integration) = self.memory_waiters.pop() else { return };
            if let Some(lane) = self.lanes.get_mut(&integration) {
                lane.in_memory_ring = false;
            }
            match self.offer_memory_to(integration) {
                Offered::Unwanted => {}
                Offered::Taken => turns -= 1,
                Offered::InVain => {
                    turns -= 1;
                    self.wait_in_the_ring(integration);
                }
            }
        }
    }

    /// Lets a lane's read go on that has waited for memory, if there is some.
    fn offer_memory_to(&mut self, integration: IntegrationKey) -> Offered {
        if !self.lanes.get(&integration).is_some_and(|lane| lane.waits_for_memory) {
            return Offered::Unwanted;
        }
        if self.window_bytes(integration).is_none() {
            return Offered::InVain;
        }
        if let Some(lane) = self.lanes.get_mut(&integration) {
            lane.waits_for_memory = false;
        }
        match self.look(integration) {
            true => Offered::Taken,
            false => Offered::Unwanted,
        }
    }

    pub(super) fn push_load(&mut self, integration: IntegrationKey, load: Load) {
        if let Some(lane) = self.lanes.get(&integration) {
            self.loads.push(lane.organization, (integration, load));
        }
    }

    pub(super) fn lane(&mut self, integration: IntegrationKey, organization: OrganizationKey) -> &mut Lane {
        let loads = &mut self.loads;
        self.lanes.entry(integration).or_insert_with(|| {
            let mut lane = Lane::new(organization);
            lane.loading = true;
            loads.push(organization, (integration, Load::Standing));
            lane
        })
    }
}
