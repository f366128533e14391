//! The threads that call plugins. They are apart from those of HTTP, so that a busy guest keeps no connection waiting; each runs several
//! calls side by side, which yield to one another at the engine's ticks.

use std::sync::Arc;
use std::thread::JoinHandle;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hookmill_domain::digest::Digest;
use hookmill_domain::key::Key;
use hookmill_domain::names::TargetName;
use hookmill_domain::outcome::{CallFacts, Fault, Outcome, ParkCode};
use hookmill_domain::request::{Request, plan};
use hookmill_plugin_room::{Call, Called, Component};
use hookmill_store::{DeliveryRef, Next, Record, RunEnd, RunFacts, run_source};
use sha2::Digest as _;
use tracing::{debug, error};

use crate::lanes::{Run, Sending, Stage};
use crate::river::Inner;

/// Starts the threads that call plugins. They end when the lanes close.
pub(crate) fn start(inner: &Arc<Inner>, threads: usize) -> std::io::Result<Vec<JoinHandle<()>>> {
    let spawn = |number: usize| {
        let inner = inner.clone();
        std::thread::Builder::new().name(format!("plugins-{number}")).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_time().build() {
                Ok(runtime) => runtime.block_on(call_plugins(&inner, number)),
                Err(failure) => error!(error = %failure, "a thread for plugins can not start"),
            }
        })
    };
    (0..threads).map(spawn).collect()
}

async fn call_plugins(inner: &Arc<Inner>, number: usize) {
    let bell = inner.lanes.run_bell(number);
    let calls_max = inner.limits.plugin.calls_at_once_per_thread as usize;
    let mut calls = FuturesUnordered::new();
    let mut stop = inner.stop.subscribe();
    loop {
        while calls.len() < calls_max {
            // One that ends at its first poll, as nearly all do, costs no place among those under way.
            let Some(run) = inner.lanes.take_run() else { break };
            let mut call = Box::pin(process(inner, run));
            if futures_util::poll!(call.as_mut()).is_pending() {
                calls.push(call);
            }
        }
        tokio::select! {
            biased;
            _ = calls.next(), if !calls.is_empty() => {}
            () = bell.notified(), if calls.len() < calls_max => {}
            _ = stop.changed() => {
                // What is under way ends within its own limits.
                while calls.next().await.is_some() {}
                return;
            }
        }
    }
}

/// One run: its plugin is called and its requests are handed on, or what it ended with is recorded.
async fn process(inner: &Arc<Inner>, run: Run) {
    let age_max = inner.limits.delivery.age_ms_max;
    if inner.clock.now().since_millis(run.event.key.time()) > age_max {
        return ended(inner, &run, CallFacts::default(), RunEnd::Expired);
    }
    let component = match inner.plugins.loaded(&run.pinned.digest) {
        Some(component) => component,
        None => match load(inner, run.pinned.digest).await {
            Ok(component) => component,
            Err(fault) => return unavailable(inner, run, fault).await,
        },
    };
    let called = call(inner, &component, &run).await;
    match called.outcome {
        Err(fault) if fault.code == ParkCode::Unavailable => unavailable(inner, run, fault).await,
        Err(fault) => parked(inner, &run, called.facts, fault),
        Ok(Outcome::Skip(reason)) => skipped(inner, &run, called.facts, reason),
        Ok(Outcome::Reject(reason)) => parked(inner, &run, called.facts, Fault::new(ParkCode::Rejected, reason)),
        Ok(Outcome::Deliver(requests)) if requests.is_empty() => {
            skipped(inner, &run, called.facts, "the plugin asked for no request".to_owned());
        }
        Ok(Outcome::Deliver(requests)) => match plan(requests, &run.pinned.facts) {
            Ok(requests) => handed_on(inner, &run, called.facts, requests),
            Err(fault) => parked(inner, &run, called.facts, fault),
        },
    }
}

async fn load(inner: &Arc<Inner>, digest: Digest) -> Result<Component, Fault> {
    let store = inner.store.clone();
    let fetch = || async move {
        let bytes = store
            .component(digest)
            .await
            .map_err(|failure| std::io::Error::other(failure.to_string()))?;
        bytes.ok_or_else(|| std::io::Error::other("the component is not stored"))
    };
    inner.plugins.load(digest, fetch).await.map_err(|failure| {
        error!(component = %digest, error = %chain(&failure), "a component can not be loaded");
        Fault::new(ParkCode::Unavailable, chain(&failure))
    })
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

async fn call(inner: &Arc<Inner>, component: &Component, run: &Run) -> Called {
    let event = &run.event;
    let Ok(data) = std::str::from_utf8(&event.data) else {
        let fault = Fault::new(ParkCode::Unavailable, "the event's data is not text: its row is damaged");
        return Called {
            outcome: Err(fault),
            facts: CallFacts::default(),
        };
    };
    let (event_id, integration_id) = (event.id().to_string(), run.pinned.id.to_string());
    let targets: Vec<&str> = run.pinned.facts.target_names().map(TargetName::as_str).collect();
    let call = Call {
        event_id: &event_id,
        kind: event.kind.as_str(),
        organization: run.organization.as_str(),
        inbox: event.inbox.as_ref().map(|id| id.as_str()),
        project: event.project.as_ref().map(|id| id.as_str()),
        accepted_at: event.key.time(),
        data,
        integration_id: &integration_id,
        targets: &targets,
        config: &run.pinned.facts.config,
        seed: seed(event.key, &event_id, &integration_id, run.run.generation),
    };
    inner.plugins.transform(component, &call).await
}

/// Where a plugin's random numbers come from: the event, the integration, and the revision by way of the generation, which has one.
fn seed(key: Key, event: &str, integration: &str, generation: u32) -> [u8; 32] {
    let mut hash = sha2::Sha256::new();
    hash.update(b"hookmill seed 1\0");
    hash.update(key.as_i64().to_be_bytes());
    hash.update(event);
    hash.update(integration);
    hash.update(generation.to_be_bytes());
    hash.finalize().into()
}

/// The requests go on to wait for their targets.
fn handed_on(inner: &Arc<Inner>, run: &Run, call: CallFacts, requests: Vec<Request>) {
    inner
        .lanes
        .step_after(|yard, after| yard.count_fault(run.run.integration, false, after));
    let source = run_source(run.run, run.salt, run.pinned.id);
    let count = u16::try_from(requests.len()).unwrap_or(u16::MAX);
    let mut facts = Some(RunFacts {
        requests: count,
        version: run.pinned.version,
        call,
    });
    let sendings = requests
        .into_iter()
        .zip(0_u16..)
        .filter(|(_, ordinal)| !run.recorded.contains(ordinal))
        .map(|(request, ordinal)| Sending {
            delivery: DeliveryRef { run: run.run, ordinal },
            id: source.delivery_id(ordinal),
            stage: Stage::First {
                facts: if ordinal == 0 { facts.take() } else { None },
                digest: request.digest(),
            },
            request,
        });
    let sendings: Vec<Sending> = sendings.collect();
    if sendings.is_empty() {
        // All rows were there: what is left is the row of the queue, which goes with a record of the run.
        inner.lanes.step(|yard| yard.call_ended(run.run, Vec::new()));
        return inner.store.record_outcomes([Record::Complete(run.run)]);
    }
    let refused = inner.lanes.step(|yard| yard.call_ended(run.run, sendings));
    if !refused.is_empty() {
        let held = refused
            .into_iter()
            .map(|(sending, last)| crate::deliver::first(sending, None, Next::Held, last));
        debug!(organization = %run.organization, integration = %run.pinned.id, "a target has too many deliveries: some are held");
        inner.store.record_outcomes(held);
    }
}

fn skipped(inner: &Arc<Inner>, run: &Run, call: CallFacts, reason: String) {
    inner
        .lanes
        .step_after(|yard, after| yard.count_fault(run.run.integration, false, after));
    ended(inner, run, call, RunEnd::Skipped { reason });
}

fn parked(inner: &Arc<Inner>, run: &Run, call: CallFacts, fault: Fault) {
    let integration = run.run.integration;
    let stop = fault.code.is_fault() && inner.lanes.step_after(|yard, after| yard.count_fault(integration, true, after));
    if stop {
        error!(organization = %run.organization, integration = %run.pinned.id, plugin = %run.pinned.facts.plugin, "too many faults in a row: the plugin is not called until somebody acts");
    }
    ended(
        inner,
        run,
        call,
        RunEnd::Parked {
            code: fault.code,
            reason: fault.message,
            stop,
        },
    );
}

fn ended(inner: &Arc<Inner>, run: &Run, call: CallFacts, end: RunEnd) {
    inner.lanes.step(|yard| yard.call_ended(run.run, Vec::new()));
    inner.lanes.ended.notify_waiters();
    let facts = RunFacts {
        requests: 0,
        version: run.pinned.version,
        call,
    };
    inner.store.record_outcomes([Record::Ended { run: run.run, facts, end }]);
}

/// The host could not do its part. It tries once more; then the run waits for somebody to act.
async fn unavailable(inner: &Arc<Inner>, run: Run, fault: Fault) {
    if run.second_try {
        return parked(inner, &run, CallFacts::default(), fault);
    }
    inner.clock.sleep_until(inner.clock.now().plus_millis(AGAIN_AFTER_MS)).await;
    inner.lanes.step(|yard| yard.call_again(run));
}

/// How long the host waits before it tries its part again.
const AGAIN_AFTER_MS: u64 = 500;
