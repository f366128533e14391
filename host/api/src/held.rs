//! Why open work does not go on: computed from the integration as it is now, never stored.

use std::collections::HashMap;

use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Hold, Integration, OrganizationKey};
use hookmill_domain::names::TargetName;
use hookmill_domain::state::RunState;
use hookmill_store::{DeliveryView, RunView, StoreError};
use serde::Serialize;

use crate::problem::Problem;
use crate::reception::Reception;

/// What holds a run or a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Held {
    /// The integration is disabled.
    Disabled,
    /// The integration is paused.
    Paused,
    /// Too many faults in a row have stopped the integration's plugin.
    Stopped,
    /// The target answered 410 Gone.
    Gone,
    /// The integration has no such target any more.
    Removed,
}

/// Reads integrations for one answer, each at most once.
pub(crate) struct Holds<'a> {
    reception: &'a Reception,
    known: HashMap<IntegrationId, Option<Integration>>,
}

impl Holds<'_> {
    /// For one answer.
    pub(crate) fn new(reception: &Reception) -> Holds<'_> {
        Holds {
            reception,
            known: HashMap::new(),
        }
    }

    /// What holds a run.
    pub(crate) async fn of_run(&mut self, run: &RunView) -> Result<Option<Held>, Problem> {
        if !matches!(run.state, RunState::Pending | RunState::Queued) {
            return Ok(None);
        }
        let integration = self.integration(run.run.organization, run.integration).await?;
        Ok(integration.and_then(of_run))
    }

    /// What holds a delivery.
    pub(crate) async fn of_delivery(&mut self, delivery: &DeliveryView) -> Result<Option<Held>, Problem> {
        if !delivery.state.is_open() {
            return Ok(None);
        }
        let integration = self.integration(delivery.delivery.run.organization, delivery.integration).await?;
        // While no row tells, its target is not known.
        let target = delivery.recorded_at.map(|_| delivery.target.as_deref());
        Ok(integration.and_then(|integration| of_delivery(integration, target)))
    }

    async fn integration(&mut self, organization: OrganizationKey, id: IntegrationId) -> Result<Option<&Integration>, Problem> {
        if !self.known.contains_key(&id) {
            let found = match self.reception.store().integration(organization, id).await {
                Ok(found) => found,
                // One that can not be read says so where it is asked for; it is no reason not to answer here.
                Err(StoreError::Database(_)) => None,
                Err(error) => return Err(error.into()),
            };
            self.known.insert(id, found);
        }
        Ok(self.known.get(&id).and_then(Option::as_ref))
    }
}

fn of_run(integration: &Integration) -> Option<Held> {
    let stopped = integration.stopped.then_some(Held::Stopped);
    of_integration(integration).or(stopped)
}

fn of_delivery(integration: &Integration, target: Option<Option<&str>>) -> Option<Held> {
    let of_target = || {
        let name = target?;
        let mut targets = integration.draft.targets.iter();
        match targets.find(|target| target.name.as_ref().map(TargetName::as_str) == name) {
            None => Some(Held::Removed),
            Some(target) => target.gone.then_some(Held::Gone),
        }
    };
    of_integration(integration).or_else(of_target)
}

fn of_integration(integration: &Integration) -> Option<Held> {
    match integration.draft.hold()? {
        Hold::Disabled => Some(Held::Disabled),
        Hold::Paused => Some(Held::Paused),
        // What it is owed is cancelled, not held.
        Hold::Deleted => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample;

    #[test]
    fn holds() {
        let mut integration = sample::integration();
        assert_eq!(of_run(&integration), None);
        assert_eq!(of_delivery(&integration, None), None);
        assert_eq!(of_delivery(&integration, Some(None)), None);
        assert_eq!(of_delivery(&integration, Some(Some("review"))), None);
        assert_eq!(of_delivery(&integration, Some(Some("lost"))), Some(Held::Removed));
        integration.draft.targets[1].gone = true;
        assert_eq!(of_delivery(&integration, Some(Some("review"))), Some(Held::Gone));
        assert_eq!(of_delivery(&integration, Some(None)), None);
        integration.stopped = true;
        assert_eq!(of_run(&integration), Some(Held::Stopped));
        assert_eq!(of_delivery(&integration, None), None, "what the plugin made goes on");
        integration.draft.paused = true;
        assert_eq!(of_run(&integration), Some(Held::Paused));
        integration.draft.enabled = false;
        assert_eq!(of_delivery(&integration, Some(Some("lost"))), Some(Held::Disabled));
    }
}
