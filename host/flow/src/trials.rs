//! Trials: a plugin's version is called on an event to see what it would do. Nothing is sent and nothing is stored.
//!
//! They have one thread, which stands back behind everything else, and each organization a few turns at it: trials keep no event waiting.

use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::event::Envelope;
use hookmill_domain::ids::{IntegrationId, Salt};
use hookmill_domain::integration::{Draft, IntegrationKey, OrganizationKey, PluginRef};
use hookmill_domain::key::Key;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::outcome::CallFacts;
use hookmill_domain::revision::Pinned;
use hookmill_plugin_room::{Called, stand_back};
use hookmill_store::{Event, StoreError};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::calls::{Came, Subject, call, came_of, component};
use crate::changes::ChangeError;
use crate::river::{Inner, River};

/// Trials that wait for the thread.
const TRIALS_MAX: usize = 64;
/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The event.
    pub event: Arc<Event>,
    /// The organization's name, as payloads have it.
    pub organization: OrganizationName,
    /// The integration, with the version that is tried.
    pub pinned: Arc<Pinned>,
}

/// What it came to.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What would be sent, or why nothing.
    pub came: Came,
    /// Time, memory, log.
    pub call: CallFacts,
}

/// A trial, and who waits for it.
pub(crate) struct Job {
    trial: Trial,
    reply: oneshot::Sender<Tried>,
}

/// The way to the thread.
pub(crate) type Jobs = mpsc::Sender<Job>;

pub(crate) fn queue() -> (Jobs, mpsc::Receiver<Job>) {
    mpsc::channel(TRIALS_MAX)
}

/// Starts the thread. It ends with the river, which holds the way to it.
pub(crate) fn start(inner: &Arc<Inner>, mut jobs: mpsc::Receiver<Job>) -> std::io::Result<()> {
    let inner = Arc::downgrade(inner);
    std::thread::Builder::new().name("trials".to_owned()).spawn(move || {
        stand_back();
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(failure) => return error!(error = %failure, "the thread for trials can not start"),
        };
        runtime.block_on(async {
            while let Some(Job { trial, reply }) = jobs.recv().await {
                let Some(inner) = inner.upgrade() else { return };
                // Whoever has gone away wants no answer.
                if !reply.is_closed() {
                    let _ = reply.send(run(&inner, &trial).await);
                }
            }
        });
    })?;
    Ok(())
}

async fn run(inner: &Arc<Inner>, trial: &Trial) -> Tried {
    let component = match component(inner, trial.pinned.digest).await {
        Ok(component) => component,
        Err(fault) => {
            return Tried {
                came: Came::Parked(fault),
                call: CallFacts::default(),
            };
        }
    };
    let subject = Subject {
        event: &trial.event,
        organization: &trial.organization,
        pinned: &trial.pinned,
        generation: 0,
    };
    let Called { outcome, facts } = call(&inner.plugins, &component, subject).await;
    Tried {
        came: came_of(outcome, &trial.pinned.facts),
        call: facts,
    }
}

impl River {
    /// Tries what an integration's plugin would make of an event. Nothing is sent and nothing is stored.
    pub async fn try_out(&self, organization: OrganizationKey, trial: Trial) -> Result<Tried, ChangeError> {
        let _turn = self.inner.trial_turns.turn(Some(organization)).ok_or(ChangeError::Busy)?;
        let (reply, answer) = oneshot::channel();
        self.inner.trials.try_send(Job { trial, reply }).map_err(|_| ChangeError::Busy)?;
        answer.await.map_err(|_| ChangeError::Store(StoreError::Closed))
    }

    /// An event as it would be, were it accepted now. Its id has its form and names no event: it is not salted.
    pub fn event_to_try(&self, organization: OrganizationKey, body: &bytes::Bytes, envelope: &Envelope) -> Arc<Event> {
        Arc::new(Event {
            key: Key::from_parts(self.now(), 0, 0),
            salt: Salt::new(0),
            organization,
            kind: envelope.kind.clone(),
            inbox: envelope.inbox.clone(),
            project: envelope.project.clone(),
            data: body.slice(envelope.data.clone()),
        })
    }

    /// An integration as it would be with that version of a plugin, if the version's schema allows its configuration.
    /// `pointer`: where the integration stands in what was asked.
    pub async fn integration_to_try(
        &self,
        organization: OrganizationKey,
        draft: &Draft,
        known: Option<(IntegrationKey, IntegrationId)>,
        version: &hookmill_store::PluginVersion,
        plugin: PluginRef,
        pointer: &str,
    ) -> Result<Arc<Pinned>, ChangeError> {
        if let Some(schema) = &version.schema {
            self.check_config(organization, schema, &draft.config, pointer).await?;
        }
        let digest: Digest = version.digest;
        let (key, id) = known.unwrap_or((IntegrationKey(0), IntegrationId::from_bytes([0; 16])));
        Ok(Arc::new(Pinned {
            key,
            id,
            facts: draft.facts(plugin),
            version: version.version,
            digest,
        }))
    }
}
