//! Places in memory: who gets one, what is charged for it, and the pieces that every part of the yard asks for.

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::revision::Pinned;

use super::{Load, Yard};
use crate::lanes::lane::Lane;
use crate::lanes::work::place_bytes;

impl Yard {
    /// Whether a run with that much data gets a place; if not, it is to be queued. `asked`: what the same call has asked for so far. The
    /// place is charged when its event is on disk.
    pub(crate) fn gives_place(&mut self, organization: OrganizationKey, pinned: &Pinned, data: usize, asked: &mut u64) -> bool {
        let bytes = place_bytes(data);
        if !self.has_memory(organization, asked.saturating_add(bytes)) || !self.lane(pinned.key, organization).gives_places() {
            return false;
        }
        *asked += bytes;
        true
    }

    /// Whether there is room for so many bytes. A single larger piece goes alone.
    pub(super) fn has_memory(&self, organization: OrganizationKey, bytes: u64) -> bool {
        let limits = &self.limits.intake;
        let of_organization = self.organizations.get(&organization).map_or(0, |organization| organization.bytes);
        let own = of_organization == 0 || of_organization.saturating_add(bytes) <= limits.payload_memory_bytes_max_per_organization;
        let all = self.bytes == 0 || self.bytes.saturating_add(bytes) <= limits.payload_memory_bytes_max;
        own && all
    }

    pub(super) fn charge(&mut self, organization: OrganizationKey, bytes: u64) {
        self.bytes += bytes;
        self.organizations.entry(organization).or_default().bytes += bytes;
    }

    pub(super) fn discharge(&mut self, organization: OrganizationKey, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(organization) = self.organizations.get_mut(&organization) {
            organization.bytes = organization.bytes.saturating_sub(bytes);
        }
    }

    pub(super) fn lane(&mut self, integration: IntegrationKey, organization: OrganizationKey) -> &mut Lane {
        let loads = &mut self.loads;
        self.lanes.entry(integration).or_insert_with(|| {
            let mut lane = Lane::new(organization);
            lane.loading = true;
            loads.push_back((integration, Load::Standing));
            lane
        })
    }
}
