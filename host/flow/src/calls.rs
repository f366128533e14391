//! One call of a plugin for one event: what it is given, and what its answer comes to. A run and a trial share it, so that a trial shows
//! what the run would be.

use std::sync::Arc;

use hookmill_domain::integration::{Facts, OrganizationKey, PluginOwner};
use hookmill_domain::names::{OrganizationName, TargetName};
use hookmill_domain::outcome::{CallFacts, Fault, Outcome, ParkCode};
use hookmill_domain::request::{Decided, Request, decide};
use hookmill_domain::revision::Pinned;
use hookmill_domain::seed::seed;
use hookmill_plugin_room::{Call, Called, Component, LoadError, Plugins, Refusal};
use hookmill_store::Event;
use tokio::task::JoinSet;
use tracing::error;

use crate::compiled;
use crate::river::Inner;

/// What a call is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) event: &'a Event,
    /// The organization's name, as payloads have it.
    pub(crate) organization: &'a OrganizationName,
    pub(crate) pinned: &'a Pinned,
    pub(crate) generation: u32,
}

/// What a call comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// These requests are owed; there is at least one.
    Requests(Vec<Request>),
    /// Nothing is owed, and that is right: why.
    Skipped(String),
    /// It waits until somebody acts.
    Parked(Fault),
}

/// Judges a plugin's answer by the integration's facts.
pub(crate) fn came_of(answer: Result<Outcome, Fault>, facts: &Facts) -> Came {
    match answer.and_then(|answer| decide(answer, facts)) {
        Ok(Decided::Requests(requests)) => Came::Requests(requests),
        Ok(Decided::Skipped(reason)) => Came::Skipped(reason),
        Err(fault) => Came::Parked(fault),
    }
}

/// The component of an organization's integration, which may be called: at once, or loaded.
pub(crate) async fn component(inner: &Arc<Inner>, organization: OrganizationKey, pinned: &Pinned) -> Result<Component, Fault> {
    match inner.plugins.loaded(&pinned.digest) {
        Some(component) => Ok(component),
        None => load(inner, organization, pinned).await.map_err(|failure| failure.fault),
    }
}

/// Why there is no component.
pub(crate) struct NotLoaded {
    pub(crate) fault: Fault,
    pub(crate) again: Again,
}

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    No,
    /// The host failed; it may do so again.
    Perhaps,
    /// Too many wait for the compiler just now.
    Later,
}

/// Loads the component of an organization's integration. It is compiled, where that is needed, in the turn of its plugin's owner: all wait
/// for what is the host's own, so it is not to wait behind what one of them has compiled.
pub(crate) async fn load(inner: &Arc<Inner>, organization: OrganizationKey, pinned: &Pinned) -> Result<Component, NotLoaded> {
    let digest = pinned.digest;
    let owner = match pinned.facts.plugin.owner {
        PluginOwner::Host => None,
        PluginOwner::Organization => Some(organization),
    };
    let (plugins, store) = (inner.plugins.clone(), inner.store.clone());
    let fetch = move || compiled::fetch(store, digest);
    // Reading and compiling want the other runtime: this thread's knows neither files nor processes. Whoever stops waiting for the set ends
    // what is in it, and so a compile that nobody waits for.
    let mut task = JoinSet::new();
    task.spawn_on(async move { plugins.load(owner, digest, fetch).await }, &inner.runtime);
    let (failure, again) = match task.join_next().await {
        Some(Ok(Ok(component))) => return Ok(component),
        Some(Ok(Err(failure))) => (chain(&failure), again(&failure)),
        Some(Err(_)) | None => ("the host is ending".to_owned(), Again::Perhaps),
    };
    if again != Again::Later {
        error!(component = %digest, error = failure, "a component can not be loaded");
    }
    Err(NotLoaded {
        fault: Fault::new(ParkCode::Unavailable, failure),
        again,
    })
}

fn again(failure: &LoadError) -> Again {
    match failure {
        LoadError::Refused(refusal) if matches!(**refusal, Refusal::Busy) => Again::Later,
        failure if failure.is_passing() => Again::Perhaps,
        _ => Again::No,
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// Calls a component.
pub(crate) async fn call(plugins: &Plugins, component: &Component, of: Subject<'_>) -> Called {
    let Subject { event, pinned, .. } = of;
    let Ok(data) = std::str::from_utf8(&event.data) else {
        let fault = Fault::new(ParkCode::Unavailable, "the event's data is not text: its row is damaged");
        return Called {
            outcome: Err(fault),
            facts: CallFacts::default(),
        };
    };
    let (event_id, integration_id) = (event.id().to_string(), pinned.id.to_string());
    let targets: Vec<&str> = pinned.facts.target_names().map(TargetName::as_str).collect();
    let call = Call {
        event_id: &event_id,
        kind: event.kind.as_str(),
        organization: of.organization.as_str(),
        inbox: event.inbox.as_ref().map(|id| id.as_str()),
        project: event.project.as_ref().map(|id| id.as_str()),
        accepted_at: event.key.time(),
        data,
        integration_id: &integration_id,
        targets: &targets,
        config: &pinned.facts.config,
        seed: seed(event.key, &event_id, &integration_id, of.generation),
    };
    plugins.transform(component, &call).await
}
