//! What waits in turns of organizations: one with a thousand lanes to be read keeps no other waiting for all of them.

use std::collections::VecDeque;

use hookmill_domain::integration::OrganizationKey;

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

/// What waits, of each organization in its order.
#[derive(Debug)]
pub(crate) struct InTurns<T> {
    of: Map<OrganizationKey, VecDeque<T>>,
    turns: VecDeque<OrganizationKey>,
    len: usize,
}

impl<T> Default for InTurns<T> {
    fn default() -> InTurns<T> {
        InTurns {
            of: Map::default(),
            turns: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> InTurns<T> {
    pub(crate) fn push(&mut self, organization: OrganizationKey, more: T) {
        let waiting = self.of.entry(organization).or_default();
        if waiting.is_empty() {
            self.turns.push_back(organization);
        }
        waiting.push_back(more);
        self.len += 1;
    }

    /// The next one.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let organization = self.turns.pop_front()?;
        let waiting = self.of.get_mut(&organization)?;
        let next = waiting.pop_front();
        self.len = self.len.saturating_sub(usize::from(next.is_some()));
        if waiting.is_empty() {
            self.of.remove(&organization);
        } else {
            self.turns.push_back(organization);
        }
        next
    }

    pub(crate) fn len(&self) -> usize {
        self.len
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
        let mut loads = InTurns::default();
        for (organization, lane) in [(1, 1), (1, 2), (1, 3), (2, 4)] {
            loads.push(OrganizationKey(organization), lane);
        }
        assert_eq!(loads.len(), 4);
        let order: Vec<i64> = std::iter::from_fn(|| loads.pop()).collect();
        assert_eq!(order, [1, 4, 2, 3]);
        assert!(loads.is_empty() && loads.of.is_empty());
    }
}
