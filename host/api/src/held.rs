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
    known: HashMap<IntegrationId, Option<Standing>>,
}

/// What may hold an integration's runs and deliveries: kept of many of them, so without what it is configured to.
struct Standing {
    held: Option<Held>,
    stopped: bool,
    /// Each with whether it is gone.
    targets: Vec<(Option<TargetName>, bool)>,
}

impl From<Integration> for Standing {
    fn from(integration: Integration) -> Standing {
        let held = match integration.draft.hold() {
            Some(Hold::Disabled) => Some(Held::Disabled),
            Some(Hold::Paused) => Some(Held::Paused),
            // What it is owed is cancelled, not held.
            Some(Hold::Deleted) | None => None,
        };
        Standing {
            held,
            stopped: integration.stopped,
            targets: integration
                .draft
                .targets
                .into_iter()
                .map(|target| (target.name, target.gone))
                .collect(),
        }
    }
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
        let standing = self.standing(run.run.organization, run.integration).await?;
        Ok(standing.and_then(Standing::of_run))
    }

    /// What holds a delivery.
    pub(crate) async fn of_delivery(&mut self, delivery: &DeliveryView) -> Result<Option<Held>, Problem> {
        if !delivery.state.is_open() {
            return Ok(None);
        }
        let standing = self.standing(delivery.delivery.run.organization, delivery.integration).await?;
        // While no row tells, its target is not known.
        let target = delivery.recorded_at.map(|_| delivery.target.as_deref());
        Ok(standing.and_then(|standing| standing.of_delivery(target)))
    }

    async fn standing(&mut self, organization: OrganizationKey, id: IntegrationId) -> Result<Option<&Standing>, Problem> {
        if !self.known.contains_key(&id) {
            let found = match self.reception.store().integration(organization, id).await {
                Ok(found) => found,
                // One that can not be read says so where it is asked for; it is no reason not to answer here.
                Err(StoreError::Database(_)) => None,
                Err(error) => return Err(error.into()),
            };
            self.known.insert(id, found.map(Standing::from));
        }
        Ok(self.known.get(&id).and_then(Option::as_ref))
    }
}

impl Standing {
    fn of_run(&self) -> Option<Held> {
        self.held.or(self.stopped.then_some(Held::Stopped))
    }

    fn of_delivery(&self, target: Option<Option<&str>>) -> Option<Held> {
        let of_target = || {
            let name = target?;
            let mut targets = self.targets.iter();
            match targets.find(|(other, _)| other.as_ref().map(TargetName::as_str) == name) {
                None => Some(Held::Removed),
                Some((_, gone)) => gone.then_some(Held::Gone),
            }
        };
        self.held.or_else(of_target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample;

    #[test]
    fn holds() {
        let of_run = |integration: &Integration| Standing::from(integration.clone()).of_run();
        let of_delivery = |integration: &Integration, target| Standing::from(integration.clone()).of_delivery(target);
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
