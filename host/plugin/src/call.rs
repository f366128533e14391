//! One call of a component: a fresh instance, its limits, its answer. The instance is dropped whatever comes of it.

use std::sync::Arc;

use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::{CallFacts, Fault, Outcome, ParkCode};
use hookmill_domain::time::Time;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::contract::{self, handed_over_bytes_max, wire};
use crate::fault::fault;
use crate::loaded::{Component, Ready};
use crate::meter::{Meter, watch};
use crate::sandbox::{Sandbox, locked, store};
use crate::ticker::Ticker;

/// What a plugin is given: the event and the integration, as the contract has them, and the seed of its random numbers.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The event's public id.
    pub event_id: &'a str,
    /// The event's kind.
    pub kind: &'a str,
    /// The organization's name.
    pub organization: &'a str,
    /// The inbox, if the event belongs to one.
    pub inbox: Option<&'a str>,
    /// The project, if the event belongs to one.
    pub project: Option<&'a str>,
    /// When the event was accepted. The plugin's clocks stand here.
    pub accepted_at: Time,
    /// The event's data, with exactly the bytes that were posted.
    pub data: &'a str,
    /// The integration's public id.
    pub integration_id: &'a str,
    /// The names of the integration's further targets, in order.
    pub targets: &'a [&'a str],
    /// The integration's `plugin_config` as JSON text, `null` if there is none.
    pub config: &'a str,
    /// Where random numbers come from: equal seeds give equal numbers.
    pub seed: [u8; 32],
}

/// How a call ended, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The plugin's answer, or its fault.
    pub outcome: Result<Outcome, Fault>,
    /// Time, memory, log.
    pub facts: CallFacts,
}

/// What a call of any function has in common.
pub(crate) struct Setting<'a> {
    pub(crate) limits: &'a PluginLimits,
    pub(crate) ticker: &'a Ticker,
    pub(crate) data_bytes: u64,
    pub(crate) accepted_at: Time,
    pub(crate) seed: [u8; 32],
}

/// Calls `transform`.
pub(crate) async fn transform(component: &Component, call: &Call<'_>, limits: &PluginLimits, ticker: &Ticker) -> Called {
    let ready = component.ready();
    let data_bytes = call.data.len() as u64;
    let setting = Setting {
        limits,
        ticker,
        data_bytes,
        accepted_at: call.accepted_at,
        seed: call.seed,
    };
    let (answer, facts) = in_fresh_instance(ready, &setting, async |store, instance| answer(ready, store, &instance, call).await).await;
    let outcome = answer.and_then(|answer| {
        contract::outcome(answer, limits, data_bytes).map_err(|limit| Fault::new(ParkCode::OutputLimit, limit.to_string()))
    });
    Called { outcome, facts }
}

/// Asks an instance for its answer.
pub(crate) async fn answer(
    ready: &Ready,
    store: &mut Store<Sandbox>,
    instance: &Instance,
    call: &Call<'_>,
) -> wasmtime::Result<wire::Outcome> {
    let accepted_at = call.accepted_at.to_string();
    let event = wire::Event {
        id: call.event_id,
        kind: call.kind,
        organization: call.organization,
        inbox: call.inbox,
        project: call.project,
        accepted_at: &accepted_at,
        data: call.data,
    };
    let integration = wire::Integration {
        id: call.integration_id,
        targets: call.targets,
        config: call.config,
    };
    ready.transform.call(store, instance, event, integration).await
}

/// Makes an instance, lets `work` use it, and tells how that ended. The wait for a slot stands before, and counts for nothing.
pub(crate) async fn in_fresh_instance<T>(
    ready: &Ready,
    setting: &Setting<'_>,
    work: impl AsyncFnOnce(&mut Store<Sandbox>, Instance) -> wasmtime::Result<T>,
) -> (Result<T, Fault>, CallFacts) {
    let limits = setting.limits;
    let _slot = ready.tier.calls.acquire().await.expect("nobody closes the semaphore");
    let _ticking = setting.ticker.during_call();
    let meter = Arc::new(Meter::start(limits.cpu_ms_for(setting.data_bytes)));
    let mut store = store(&ready.tier, limits, setting.data_bytes, setting.accepted_at, setting.seed);
    store.set_epoch_deadline(1);
    let of_store = Arc::clone(&meter);
    store.epoch_deadline_callback(move |_| Ok(of_store.tick()?));
    let ended = watch(&meter, limits.wall_ms, async {
        let instance = ready.pre.instantiate_async(&mut store).await?;
        work(&mut store, instance).await
    })
    .await;
    let ended = ended.unwrap_or_else(|limit| Err(limit.into()));
    let duration_us = u64::try_from(meter.elapsed().as_micros()).unwrap_or(u64::MAX);
    let memory_bytes = store.data().memory_bytes_peak();
    let mut log = locked(store.data().log());
    let ended = ended.map_err(|error| {
        let handed_over = handed_over_bytes_max(limits.output_bytes_for(setting.data_bytes));
        fault(&error, log.last_words(), handed_over)
    });
    let facts = CallFacts {
        duration_us,
        memory_bytes,
        log: log.finish(),
    };
    (ended, facts)
}
