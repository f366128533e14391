//! Integrations: made, changed and deleted, and put in force with the lanes that serve them.

use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Draft, Hold, Integration, OrganizationKey, PluginRef, SecretBytes};
use hookmill_store::{Changed, NewIntegration};

use super::validation::no_plugin;
use super::{ChangeError, TRIES_MAX};
use crate::chores::Chore;
use crate::river::River;

/// Random bytes of a new signing secret.
const SECRET_BYTES: usize = 32;

impl River {
    /// Makes an integration with a new signing secret.
    pub async fn create_integration(&self, organization: OrganizationKey, draft: Draft) -> Result<Integration, ChangeError> {
        let id = IntegrationId::new(self.now(), self.ten_random());
        let mut secret = vec![0; SECRET_BYTES];
        self.inner.clock.random(&mut secret);
        for _ in 0..TRIES_MAX {
            let new = NewIntegration {
                id,
                judged: self.judged(organization, &draft, None).await?,
                secret: SecretBytes(secret.clone()),
                integrations_max: self.inner.limits.intake.integrations_max,
            };
            let changed = self.inner.store.create_integration(organization, new, self.now()).await?;
            if let Some(ended) = self.changed(changed).await {
                return ended;
            }
        }
        Err(ChangeError::Busy)
    }

    /// Changes an integration that stands at `version`. `kept`: the plugin that it was found to name, where the change leaves that alone, so
    /// that another one which has come to have the same name since does not take its place.
    pub async fn change_integration(
        &self,
        organization: OrganizationKey,
        id: IntegrationId,
        version: i64,
        draft: Draft,
        kept: Option<PluginRef>,
    ) -> Result<Integration, ChangeError> {
        for _ in 0..TRIES_MAX {
            let judged = self.judged(organization, &draft, kept.clone()).await?;
            let changed = self
                .inner
                .store
                .change_integration(organization, id, version, judged, self.now())
                .await?;
            if let Some(ended) = self.changed(changed).await {
                return ended;
            }
        }
        Err(ChangeError::Busy)
    }

    /// How a change ends; `None`: another version of its plugin was activated meanwhile, so that it is to be judged again.
    async fn changed(&self, changed: Changed) -> Option<Result<Integration, ChangeError>> {
        let refused = match changed {
            Changed::Done(integration) => return Some(Ok(self.put_in_force(*integration).await)),
            Changed::JudgedByOther => return None,
            Changed::NotFound => ChangeError::NotFound,
            Changed::Moved => ChangeError::Moved,
            Changed::NoPlugin(missing) => no_plugin(missing, ""),
            Changed::TooMany => ChangeError::TooMany {
                limit: "integrations_max",
                max: u64::from(self.inner.limits.intake.integrations_max),
            },
        };
        Some(Err(refused))
    }

    /// Lets the river know of an integration as it is from now on.
    async fn put_in_force(&self, integration: Integration) -> Integration {
        self.inner.caches.forget_present(integration.organization);
        self.set_standing(&integration);
        self.bring(Chore::WakeHeld(integration.key, integration.organization)).await;
        integration
    }

    /// Lets an integration's lane know how it stands from now on.
    pub(super) fn set_standing(&self, integration: &Integration) {
        let (key, organization) = (integration.key, integration.organization);
        self.inner.caches.forget_reach(key);
        let hold = integration.draft.hold();
        self.inner.lanes.step_after(|yard, after| {
            yard.set_standing(key, organization, integration.version, hold, integration.stopped, after);
        });
    }

    /// Deletes an integration. By the time of the answer nothing more of it is begun.
    pub async fn delete_integration(&self, organization: OrganizationKey, id: IntegrationId) -> Result<(), ChangeError> {
        let key = self
            .inner
            .store
            .delete_integration(organization, id, self.now())
            .await?
            .ok_or(ChangeError::NotFound)?;
        self.inner.caches.forget_present(organization);
        self.inner.caches.forget_reach(key);
        self.inner.lanes.step_after(|yard, after| {
            yard.set_standing(key, organization, i64::MAX, Some(Hold::Deleted), false, after);
        });
        self.bring(Chore::Cancel(key, organization)).await;
        Ok(())
    }
}
