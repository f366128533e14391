//! What is to be read from disk, in turns of organizations: one with a thousand lanes to be read keeps no other waiting for all of them.

use std::collections::VecDeque;

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};

use super::lane::Map;

/// What is to be read for a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Load {
    /// How its integration stands.
    Standing,
    /// The next window of its queue.
    Queue,
    /// The next window of what is due.
    Due,
    /// What was written down as held for a target that has room now.
    Held(Option<String>),
}

/// Reads that wait for a reader.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    of: Map<OrganizationKey, VecDeque<(IntegrationKey, Load)>>,
    turns: VecDeque<OrganizationKey>,
}

impl Loads {
    pub(crate) fn push(&mut self, organization: OrganizationKey, integration: IntegrationKey, load: Load) {
        let waiting = self.of.entry(organization).or_default();
        if waiting.is_empty() {
            self.turns.push_back(organization);
        }
        waiting.push_back((integration, load));
    }

    /// The next one.
    pub(crate) fn pop(&mut self) -> Option<(IntegrationKey, Load)> {
        let organization = self.turns.pop_front()?;
        let waiting = self.of.get_mut(&organization)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.of.remove(&organization);
        } else {
            self.turns.push_back(organization);
        }
        next
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizations_take_turns() {
        let mut loads = Loads::default();
        for (organization, integration) in [(1, 1), (1, 2), (1, 3), (2, 4)] {
            loads.push(OrganizationKey(organization), IntegrationKey(integration), Load::Queue);
        }
        let order: Vec<i64> = std::iter::from_fn(|| loads.pop()).map(|(integration, _)| integration.0).collect();
        assert_eq!(order, [1, 4, 2, 3]);
        assert!(loads.is_empty() && loads.of.is_empty());
    }
}
