//! Orders to do something again: runs and whole integrations are resumed, deliveries retried.

use hookmill_domain::ids::{DeliveryId, IntegrationId, RunId};
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::state::{DeliveryState, RunState};
use hookmill_store::{DeliveryView, LiveError, Resumed, Retried, RunView};

use super::ChangeError;
use crate::chores::Chore;
use crate::river::River;

impl River {
    /// Orders all of an integration's parked and queued runs anew, under the present revision, and ends the stop after too many faults.
    pub async fn resume_integration(&self, organization: OrganizationKey, id: IntegrationId) -> Result<(), ChangeError> {
        let integration = self.inner.store.integration(organization, id).await?.ok_or(ChangeError::NotFound)?;
        let key = integration.key;
        // Nothing of the lane is taken up between the end of the stop and the last of the orders: the chore lets it go on.
        self.inner.lanes.step_after(|yard, after| yard.suspend(key, organization, after));
        let ordered = self.inner.store.order_resume(key).await;
        let Ok(Some(number)) = ordered else {
            self.inner.lanes.step(|yard| yard.go_on(key, organization));
            return ordered.map_err(ChangeError::from).and(Err(ChangeError::NotFound));
        };
        let unstopped = self.unstopped(organization, id).await;
        // Also where that failed: the order is on disk.
        self.bring(Chore::Resume(number, key, organization)).await;
        unstopped
    }

    /// Orders a parked or queued run anew, under the present revision. Gives its next generation's id.
    pub async fn resume_run(&self, organization: OrganizationKey, id: RunId) -> Result<RunId, ChangeError> {
        let view = self.find_run(organization, id).await?;
        let integration = self
            .inner
            .store
            .integration(organization, view.integration)
            .await?
            .ok_or(ChangeError::NotFound)?;
        let taken = self
            .inner
            .lanes
            .step_after(|yard, after| yard.suspend(integration.key, organization, after));
        let resumed = self.inner.store.resume_run(view.run, taken.contains(&view.run)).await;
        self.inner.lanes.step(|yard| yard.go_on(integration.key, organization));
        match resumed? {
            Resumed::Done(next) => {
                self.unstopped(organization, integration.id).await?;
                let found = self.inner.store.event(next.event).await?.ok_or(ChangeError::NotFound)?;
                let next = found.runs.into_iter().find(|run| run.run == next).ok_or(ChangeError::NotFound)?;
                Ok(next.id)
            }
            Resumed::NotOpen(state) => {
                let state = state.unwrap_or(RunState::Pending).as_str();
                Err(ChangeError::Conflict {
                    message: format!("the run is {state}; parked and queued ones can be resumed"),
                })
            }
            Resumed::PayloadGone => Err(ChangeError::Conflict {
                message: "the event's payload is gone".to_owned(),
            }),
            Resumed::Deleted => Err(ChangeError::NotFound),
        }
    }

    /// Makes a delivery due now, and begins its schedule anew.
    pub async fn retry_delivery(&self, organization: OrganizationKey, id: DeliveryId) -> Result<(), ChangeError> {
        let view = self.find_delivery(organization, id).await?;
        let run = view.delivery.run;
        if self.is_gone(&view).await? {
            return Err(ChangeError::Conflict {
                message: "the delivery's target answered 410 and is gone: it is sent once the target has another URL, or is said to be there again"
                    .to_owned(),
            });
        }
        match self.inner.store.retry_delivery(view.delivery).await? {
            Retried::Done => {
                let now = self.now();
                self.inner
                    .lanes
                    .step(|yard| yard.wake(run.integration, run.organization, false, Some(now)));
                Ok(())
            }
            Retried::NotOpen(state) => {
                let message = format!("the delivery is {}; waiting and exhausted ones can be retried", state.as_str());
                Err(ChangeError::Conflict { message })
            }
            Retried::NotYet => Err(ChangeError::Conflict {
                message: "the delivery's first attempt has not ended".to_owned(),
            }),
            Retried::Deleted => Err(ChangeError::Conflict {
                message: "the delivery's integration was deleted".to_owned(),
            }),
        }
    }

    /// Whether the delivery has been tried and could be again, but nothing is sent to its target any more.
    async fn is_gone(&self, delivery: &DeliveryView) -> Result<bool, ChangeError> {
        let could_be_tried = delivery.state.is_open() || delivery.state == DeliveryState::Exhausted;
        if delivery.recorded_at.is_none() || !could_be_tried {
            return Ok(false);
        }
        match self.inner.caches.reach(delivery.delivery.run.integration).await {
            Ok(reach) => Ok(reach.target(delivery.target.as_deref()).is_some_and(|(target, _)| target.gone)),
            Err(LiveError::Store(error)) => Err(error.into()),
            // The store tells.
            Err(_) => Ok(false),
        }
    }

    /// A run of an organization's.
    pub async fn find_run(&self, organization: OrganizationKey, id: RunId) -> Result<RunView, ChangeError> {
        let event = self.inner.store.event(id.key().ok_or(ChangeError::NotFound)?).await?;
        let event = event
            .filter(|event| event.organization == organization)
            .ok_or(ChangeError::NotFound)?;
        event.runs.into_iter().find(|run| run.id == id).ok_or(ChangeError::NotFound)
    }

    /// A delivery of an organization's.
    pub async fn find_delivery(&self, organization: OrganizationKey, id: DeliveryId) -> Result<DeliveryView, ChangeError> {
        let event = self.inner.store.event(id.key().ok_or(ChangeError::NotFound)?).await?;
        let event = event
            .filter(|event| event.organization == organization)
            .ok_or(ChangeError::NotFound)?;
        let mut deliveries = event.runs.into_iter().flat_map(|run| run.deliveries);
        deliveries.find(|delivery| delivery.id == id).ok_or(ChangeError::NotFound)
    }

    /// Lets the lane know that somebody has ended its stop: the integration as it stands after that.
    async fn unstopped(&self, organization: OrganizationKey, id: IntegrationId) -> Result<(), ChangeError> {
        let integration = self.inner.store.integration(organization, id).await?.ok_or(ChangeError::NotFound)?;
        self.set_standing(&integration);
        Ok(())
    }
}
