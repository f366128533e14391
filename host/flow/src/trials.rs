//! Trials: a plugin's version is called on an event to see what it would do. Nothing is sent and nothing is stored.
//!
//! They have one thread, which stands back behind everything else, so that they keep no event waiting. A few are under way on it at once, of
//! each organization one, and of each a few more may wait.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use hookmill_domain::digest::Digest;
use hookmill_domain::event::Envelope;
use hookmill_domain::ids::{IntegrationId, Salt};
use hookmill_domain::integration::{Draft, IntegrationKey, OrganizationKey, PluginRef};
use hookmill_domain::key::Key;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::outcome::{CallFacts, Outcome};
use hookmill_domain::revision::Pinned;
use hookmill_plugin_room::{Called, stand_back};
use hookmill_store::{Event, StoreError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::calls::{Came, Subject, call, came_of, component};
use crate::changes::ChangeError;
use crate::river::{Inner, River, Turn};

/// Trials that wait for the thread.
const TRIALS_MAX: usize = 64;
/// Trials under way at once, one of an organization: so none waits for a component of others that is being compiled.
const AT_ONCE: usize = 4;

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The event.
    pub event: Arc<Event>,
    /// The organization's name, as payloads have it.
    pub organization: OrganizationName,
    /// The integration, with the version that is tried.
    pub pinned: Arc<Pinned>,
    /// Which of the event's generations it is called as: it is in the seed. 0 unless a later one is meant.
    pub generation: u32,
}

/// What it came to.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What would be sent, or why nothing.
    pub came: Came,
    /// Time, memory, log.
    pub call: CallFacts,
    /// What would be sent all the same, and its receiver may not like.
    pub warnings: Vec<String>,
}

/// A trial, and who waits for it.
pub(crate) struct Job {
    owner: OrganizationKey,
    trial: Trial,
    reply: oneshot::Sender<Tried>,
}

/// The way to the thread.
pub(crate) type Jobs = mpsc::Sender<Job>;

pub(crate) fn queue() -> (Jobs, mpsc::Receiver<Job>) {
    mpsc::channel(TRIALS_MAX)
}

/// Starts the thread. It ends with the river, which holds the way to it.
pub(crate) fn start(inner: &Arc<Inner>, jobs: mpsc::Receiver<Job>) -> std::io::Result<()> {
    let inner = Arc::downgrade(inner);
    std::thread::Builder::new().name("trials".to_owned()).spawn(move || {
        stand_back();
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(try_all(&inner, jobs)),
            Err(failure) => error!(error = %failure, "the thread for trials can not start"),
        }
    })?;
    Ok(())
}

async fn try_all(inner: &Weak<Inner>, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting: VecDeque<Job> = VecDeque::new();
    let mut owners: Vec<OrganizationKey> = Vec::new();
    let mut under_way = FuturesUnordered::new();
    loop {
        while owners.len() < AT_ONCE
            && let Some(position) = waiting.iter().position(|job| !owners.contains(&job.owner))
            && let Some(job) = waiting.remove(position)
        {
            owners.push(job.owner);
            under_way.push(answer(inner, job));
        }
        tokio::select! {
            Some(owner) = under_way.next(), if !under_way.is_empty() => owners.retain(|other| *other != owner),
            job = jobs.recv(), if waiting.len() < TRIALS_MAX => match job {
                Some(job) => waiting.push_back(job),
                // The river has ended, and nobody waits for an answer.
                None => return,
            },
        }
    }
}

/// Runs a trial. One that panics leaves its client without an answer, and the others theirs.
async fn answer(inner: &Weak<Inner>, job: Job) -> OrganizationKey {
    let Job { owner, trial, reply } = job;
    // Whoever has gone away wants no answer.
    if let Some(inner) = inner.upgrade().filter(|_| !reply.is_closed()) {
        match AssertUnwindSafe(run(&inner, &trial)).catch_unwind().await {
            Ok(tried) => drop(reply.send(tried)),
            Err(_) => error!(component = %trial.pinned.digest, "a trial panicked"),
        }
    }
    owner
}

async fn run(inner: &Arc<Inner>, trial: &Trial) -> Tried {
    let component = match component(inner, trial.event.organization, &trial.pinned).await {
        Ok(component) => component,
        Err(fault) => {
            return Tried {
                came: Came::Parked(fault),
                call: CallFacts::default(),
                warnings: Vec::new(),
            };
        }
    };
    let subject = Subject {
        event: &trial.event,
        organization: &trial.organization,
        pinned: &trial.pinned,
        generation: trial.generation,
    };
    let Called { outcome, facts } = call(&inner.plugins, &component, subject).await;
    let warnings = outcome.as_ref().map(Outcome::warnings).unwrap_or_default();
    Tried {
        came: came_of(outcome, &trial.pinned.facts),
        call: facts,
        warnings,
    }
}

/// An organization's turn at a trial, until it is dropped. Whoever has one reads what the trial is made of, so that what is in memory for
/// trials is bounded by their turns.
pub struct TrialTurn<'a> {
    pub(crate) river: &'a River,
    pub(crate) organization: OrganizationKey,
    _turn: Turn<'a>,
}

impl TrialTurn<'_> {
    /// Tries what an integration's plugin would make of an event. Nothing is sent and nothing is stored.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`] if the version was deleted meanwhile, whatever came of it: whether its bytes were there all the same tells
    /// of other owners alone.
    pub async fn try_out(&self, trial: Trial) -> Result<Tried, ChangeError> {
        let (river, digest) = (self.river, trial.pinned.digest);
        let (reply, answer) = oneshot::channel();
        let job = Job {
            owner: self.organization,
            trial,
            reply,
        };
        river.inner.trials.try_send(job).map_err(|failure| match failure {
            TrySendError::Full(_) => ChangeError::Busy,
            TrySendError::Closed(_) => river.no_answer(),
        })?;
        let tried = answer.await.map_err(|_| river.no_answer())?;
        match river.inner.store.has_version_of(self.organization, digest).await? {
            true => Ok(tried),
            false => Err(ChangeError::NotFound),
        }
    }
}

impl River {
    /// A turn at a trial.
    ///
    /// # Errors
    /// [`ChangeError::Busy`] if the organization has as many as it may have.
    pub fn trial_turn(&self, organization: OrganizationKey) -> Result<TrialTurn<'_>, ChangeError> {
        let turn = self.inner.trial_turns.turn(Some(organization)).ok_or(ChangeError::Busy)?;
        Ok(TrialTurn {
            river: self,
            organization,
            _turn: turn,
        })
    }

    fn no_answer(&self) -> ChangeError {
        if *self.inner.stop.borrow() {
            return ChangeError::Store(StoreError::Closed);
        }
        ChangeError::Host {
            message: "a trial was not answered",
        }
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

    /// An integration as it would be with that version of a plugin, if the version's schema allows its configuration. One that is not there yet
    /// is judged as one that is made. `pointer`: where the integration stands in what was asked.
    pub async fn integration_to_try(
        &self,
        organization: OrganizationKey,
        draft: &Draft,
        known: Option<(IntegrationKey, IntegrationId)>,
        version: &hookmill_store::PluginVersion,
        plugin: PluginRef,
        pointer: &str,
    ) -> Result<Arc<Pinned>, ChangeError> {
        if known.is_none() {
            self.check_addresses(organization, draft, pointer).await?;
            self.meant_version(organization, draft, None, pointer).await?;
        }
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
