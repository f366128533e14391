//! Changes: of organizations, keys and integrations, and orders to do something again. Each is answered when the river uses it.

use hookmill_domain::address::AddressPolicy;
use hookmill_domain::api_key::{ApiKey, Role};
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{ApiKeyId, DeliveryId, IntegrationId, RunId};
use hookmill_domain::integration::{Draft, Integration, OrganizationKey, PluginRef, SecretBytes};
use hookmill_domain::names::{OrganizationName, ProductId};
use hookmill_domain::state::RunState;
use hookmill_domain::time::Time;
use hookmill_plugin_room::CheckError;
use hookmill_store::{
    Changed, DeliveryView, Judged, Needed, NewIntegration, Organization, PluginFound, PluginVersion, Resumed, Retried, RunView, StoreError,
};
use std::net::SocketAddr;
use tracing::warn;

use crate::activation::Unfit;
use crate::chores::Chore;
use crate::river::River;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such thing, for the caller.
    #[error("there is no such thing")]
    NotFound,
    /// It was changed by somebody else meanwhile.
    #[error("it was changed meanwhile")]
    Moved,
    /// One more is not allowed.
    #[error("the limit {limit} of {max} is reached")]
    TooMany {
        /// The limit's name.
        limit: &'static str,
        /// How many there may be.
        max: u64,
    },
    /// Something in it is not allowed.
    #[error("{pointer}: {message}")]
    Invalid {
        /// A JSON Pointer to it.
        pointer: String,
        /// What is wrong with it.
        message: String,
    },
    /// What it is in does not allow the change.
    #[error("{message}")]
    Conflict {
        /// Why not.
        message: String,
    },
    /// Configurations of integrations that follow a plugin do not fit the version that was to be activated.
    #[error("{}", .0.message)]
    Unfit(Unfit),
    /// A version of a plugin is needed, so that it can not be deleted.
    #[error("the version is needed")]
    Needed(Box<Needed>),
    /// A component was refused.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        code: &'static str,
        /// What is wrong with it, for its author.
        message: String,
    },
    /// A component is too large.
    #[error("the component is larger than {max} bytes")]
    TooLarge {
        /// How large it may be.
        max: u64,
    },
    /// Too much of it is under way; trying again later helps.
    #[error("the host is busy; try again later")]
    Busy,
    /// A part of the host has failed; trying again does not help by itself.
    #[error("{message}")]
    Host {
        /// Which, for the log.
        message: &'static str,
    },
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChangeError {
    pub(crate) fn invalid(pointer: impl Into<String>, message: impl ToString) -> ChangeError {
        ChangeError::Invalid {
            pointer: pointer.into(),
            message: message.to_string(),
        }
    }
}

/// An API key that is to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What its holder may do.
    pub role: Role,
    /// Absent for operators alone.
    pub organization: Option<(OrganizationKey, OrganizationName)>,
    /// Only events of these inboxes; absent: all.
    pub inboxes: Option<Vec<ProductId>>,
    /// What it is for.
    pub description: Option<String>,
    /// When it stops to hold; absent: never.
    pub expires_at: Option<Time>,
}

/// How often a change is tried that others overtake.
pub(crate) const TRIES_MAX: u32 = 5;
/// Random bytes of an API key's text.
const KEY_BYTES: usize = 32;
/// Random bytes of a new signing secret.
const SECRET_BYTES: usize = 32;

impl River {
    /// Makes an organization; one that is there is answered as it stands. The flag tells whether it is new.
    pub async fn create_organization(
        &self,
        name: OrganizationName,
        allow_networks: Vec<String>,
    ) -> Result<(Organization, bool), ChangeError> {
        check_networks(&allow_networks)?;
        Ok(self.inner.store.create_organization(name, allow_networks, self.now()).await?)
    }

    /// Changes what an organization's targets may reach beyond public addresses and what the host allows to all.
    pub async fn set_allow_networks(&self, name: OrganizationName, allow_networks: Vec<String>) -> Result<Organization, ChangeError> {
        check_networks(&allow_networks)?;
        let changed = self
            .inner
            .store
            .set_allow_networks(name, allow_networks)
            .await?
            .ok_or(ChangeError::NotFound)?;
        self.inner.caches.forget_all_reach();
        Ok(changed)
    }

    /// Makes an API key, and gives its text, which is not kept.
    pub async fn create_api_key(&self, new: NewApiKey) -> Result<(ApiKey, String), ChangeError> {
        let text = self.new_key_text();
        let key = self.keep_api_key(&text, new).await?;
        Ok((key, text))
    }

    /// A text for an API key that nobody can guess.
    pub fn new_key_text(&self) -> String {
        let mut random = [0; KEY_BYTES];
        self.inner.clock.random(&mut random);
        format!("hmk_{}", base32(&random))
    }

    /// Keeps an API key whose text somebody has chosen.
    pub async fn keep_api_key(&self, text: &str, new: NewApiKey) -> Result<ApiKey, ChangeError> {
        let now = self.now();
        let NewApiKey {
            role,
            organization,
            inboxes,
            description,
            expires_at,
        } = new;
        let id = ApiKeyId::new(now, self.ten_random());
        let key = ApiKey {
            id,
            role,
            organization,
            inboxes,
            description,
            created_at: now,
            expires_at,
        };
        let digest = Digest::of(text.as_bytes());
        self.inner.store.put_api_key(digest, key.clone()).await?;
        self.inner.caches.put_key(digest, key.clone());
        Ok(key)
    }

    /// Deletes an API key; `organization` limits it to one organization's.
    pub async fn delete_api_key(&self, id: ApiKeyId, organization: Option<OrganizationKey>) -> Result<(), ChangeError> {
        let digest = self
            .inner
            .store
            .delete_api_key(id, organization)
            .await?
            .ok_or(ChangeError::NotFound)?;
        self.inner.caches.remove_key(&digest);
        Ok(())
    }

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
        let (key, organization) = (integration.key, integration.organization);
        self.inner.caches.forget_present(organization);
        self.inner.caches.forget_reach(key);
        let hold = integration.draft.hold();
        self.inner.lanes.step_after(|yard, after| {
            yard.set_standing(key, organization, integration.version, hold, integration.stopped, after);
        });
        self.bring(Chore::WakeHeld(key, organization)).await;
        integration
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
            yard.set_standing(
                key,
                organization,
                i64::MAX,
                Some(hookmill_domain::integration::Hold::Deleted),
                false,
                after,
            );
        });
        self.bring(Chore::Cancel(key, organization)).await;
        Ok(())
    }

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
        self.inner.caches.forget_reach(integration.key);
        let hold = integration.draft.hold();
        self.inner.lanes.step_after(|yard, after| {
            yard.set_standing(integration.key, organization, integration.version, hold, integration.stopped, after);
        });
        Ok(())
    }

    pub(crate) async fn bring(&self, chore: Chore) {
        if self.inner.chores.send(chore).await.is_err() {
            // The river is ending: the next start finds it.
            warn!(?chore, "a chore is left for the next start");
        }
    }

    /// Judges what of an integration only the house can judge: addresses, and a plugin's configuration.
    async fn judged(&self, organization: OrganizationKey, draft: &Draft, kept: Option<PluginRef>) -> Result<Judged, ChangeError> {
        self.check_addresses(organization, draft, "").await?;
        let version = self.meant_version(organization, draft, kept.as_ref(), "").await?;
        if let Some(schema) = &version.schema {
            self.check_config(organization, schema, &draft.config, "").await?;
        }
        Ok(Judged {
            draft: draft.clone(),
            kept,
            by: version.digest,
        })
    }

    /// Judges where an integration sends. `pointer`: where it stands in what was asked.
    pub(crate) async fn check_addresses(&self, organization: OrganizationKey, draft: &Draft, pointer: &str) -> Result<(), ChangeError> {
        let policy = self.inner.caches.policy(organization).await?;
        for target in &draft.targets {
            let pointer = match &target.name {
                Some(name) => format!("{pointer}/targets/{name}/target"),
                None => format!("{pointer}/target"),
            };
            let address = target.url.known_ip().map(|ip| SocketAddr::new(ip, target.url.port()));
            if address.is_some_and(|address| self.inner.client.is_own_listener(address)) {
                return Err(ChangeError::invalid(pointer, "this host itself listens there"));
            }
            if let Some(Err(refused)) = target.url.known_ip().map(|ip| policy.judge(ip)) {
                let message = format!("{refused}; the operator opens networks by `--allow-network` or `egress.allow_networks`");
                return Err(ChangeError::invalid(pointer, message));
            }
        }
        Ok(())
    }

    /// The version that the plugin means which an integration keeps, or else names. `pointer`: where the integration stands in what was asked.
    pub(crate) async fn meant_version(
        &self,
        organization: OrganizationKey,
        draft: &Draft,
        kept: Option<&PluginRef>,
        pointer: &str,
    ) -> Result<PluginVersion, ChangeError> {
        let plugin = match kept {
            Some(kept) => kept.clone(),
            None => match self.inner.store.find_plugin(organization, draft.plugin.clone()).await? {
                PluginFound::Found(plugin) => plugin,
                missing => return Err(no_plugin(missing, pointer)),
            },
        };
        let name = plugin.name.clone();
        let version = self.inner.store.meant_version(organization, plugin).await?;
        version.ok_or_else(|| no_plugin(PluginFound::NotActive(name), pointer))
    }

    /// Judges a `plugin_config` by a schema. `pointer`: where its integration stands in what was asked.
    pub(crate) async fn check_config(
        &self,
        organization: OrganizationKey,
        schema: &str,
        config: &str,
        pointer: &str,
    ) -> Result<(), ChangeError> {
        let _turn = self.inner.judgements.turn(Some(organization)).ok_or(ChangeError::Busy)?;
        let wrong = |below: &str, message: String| ChangeError::invalid(format!("{pointer}/plugin_config{below}"), message);
        match self.inner.plugins.check_config(schema, config).await {
            Ok(()) => Ok(()),
            Err(CheckError::Config(error)) => Err(wrong(&error.pointer, error.message)),
            Err(CheckError::Busy) => Err(ChangeError::Busy),
            Err(failure @ CheckError::Schema { .. }) => Err(wrong("", failure.to_string())),
            Err(CheckError::Host(failure)) => Err(ChangeError::Store(StoreError::Database(failure.to_string()))),
        }
    }

    pub(crate) fn ten_random(&self) -> [u8; 10] {
        let mut random = [0; 10];
        self.inner.clock.random(&mut random);
        random
    }
}

fn no_plugin(missing: PluginFound, pointer: &str) -> ChangeError {
    let message = match missing {
        PluginFound::NoName(name) => format!("there is no plugin `{name}`"),
        PluginFound::NoVersion(name, version) => format!("the plugin `{name}` has no version {version}"),
        PluginFound::NotActive(name) => format!("no version of the plugin `{name}` is active"),
        PluginFound::Found(plugin) => format!("the plugin `{plugin}` can not be used"),
    };
    ChangeError::invalid(format!("{pointer}/plugin"), message)
}

fn check_networks(allow_networks: &[String]) -> Result<(), ChangeError> {
    for (position, network) in allow_networks.iter().enumerate() {
        AddressPolicy::parse([network]).map_err(|error| ChangeError::invalid(format!("/allow_networks/{position}"), error))?;
    }
    Ok(())
}

/// Random bytes as text that can be chosen by a double click and read over the telephone: Crockford's alphabet, in lower case.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[((held >> bits) & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[((held << (5 - bits)) & 31) as usize]));
    }
    text
}
