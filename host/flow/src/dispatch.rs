//! The threads that call plugins. They are apart from those of HTTP, so that a busy guest keeps no connection waiting; each runs several
//! calls side by side, which yield to one another at the engine's ticks.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;

use hookmill_domain::outcome::{CallFacts, Fault, ParkCode};
use hookmill_domain::request::Request;
use hookmill_plugin_room::{Called, give_way};
use hookmill_store::{DeliveryRef, Record, RunEnd, RunFacts, run_source};
use tracing::error;

use crate::calls::{Came, Subject, call, came_of};
use crate::cold;
use crate::guard::EndOnPanic;
use crate::lanes::{After, Cold, Run, Sending, Stage, Yard, held};
use crate::river::Inner;
use crate::slices::Slices;

/// Starts the threads that call plugins. They end when the lanes close.
pub(crate) fn start(inner: &Arc<Inner>, threads: usize) -> std::io::Result<Vec<JoinHandle<()>>> {
    let spawn = |number: usize| {
        let inner = inner.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new().name(format!("plugins-{number}")).spawn(move || {
            let _guard = EndOnPanic("a thread that calls plugins");
            give_way();
            runtime.block_on(call_plugins(&inner, number));
        })
    };
    (0..threads).map(spawn).collect()
}

async fn call_plugins(inner: &Arc<Inner>, number: usize) {
    let bell = inner.lanes.callers.bell(number);
    let calls_max = inner.limits.plugin.calls_at_once_per_thread as usize;
    let mut calls = Slices::new();
    let mut spare = None;
    let (mut runs, mut ended) = (Vec::new(), Vec::new());
    let mut stop = inner.stop.subscribe();
    let mut together = TOGETHER_MAX;
    loop {
        loop {
            let max = calls_max.saturating_sub(calls.len()).min(together);
            hand_on(inner, number, &mut ended, max, max > 0 && !calls.is_empty(), &mut runs);
            if runs.is_empty() {
                // What is there may be kept from it by a limit: then the end of a call rings.
                break;
            }
            together = (together * 2).min(TOGETHER_MAX);
            for run in runs.drain(..) {
                let mut call = boxed(&mut spare, process(inner, run));
                // One that ends at its first poll, as nearly all do, costs no place among those under way, and leaves its own to the next.
                match futures_util::poll!(call.as_mut()) {
                    Poll::Ready(end) => {
                        if end.call.duration_us > LONG_CALL_US {
                            together = 1;
                        }
                        ended.push(end);
                        spare = Some(call);
                    }
                    Poll::Pending => {
                        calls.push(call);
                        // It has used up a slice, or waits. If the next do so as well, those of others wait for them one at a time.
                        together = 1;
                    }
                }
            }
            if !calls.is_empty() {
                // What has ended goes on first. Then those that have yielded get a slice as well, however many new ones come.
                // A thread without a free place is not rung for: it would hear it for nobody.
                hand_on(inner, number, &mut ended, 0, calls.len() < calls_max, &mut runs);
                if let Poll::Ready(Some(end)) = poll_fn(|context| Poll::Ready(calls.poll_slice(context))).await {
                    ended.push(end);
                }
                inner.lanes.callers.is_back(number);
            }
        }
        tokio::select! {
            biased;
            // Looked at before each slice: a ring that came when none was running has interrupted none.
            () = bell.notified(), if calls.len() < calls_max => {}
            Some(end) = calls.next(), if !calls.is_empty() => ended.push(end),
            _ = stop.changed() => {
                // What is under way ends within its own limits.
                while let Some(end) = calls.next().await {
                    ended.push(end);
                    hand_on(inner, number, &mut ended, 0, false, &mut runs);
                }
                return;
            }
        }
        inner.lanes.callers.is_back(number);
    }
}

/// Puts a future into a box that another has left, if there is one.
fn boxed<F: Future>(spare: &mut Option<Pin<Box<F>>>, future: F) -> Pin<Box<F>> {
    match spare.take() {
        None => Box::pin(future),
        Some(mut place) => {
            place.set(future);
            place
        }
    }
}

/// Runs are taken together, and what came of them is handed on together, up to so many: a lock and a ring for all of them.
const TOGETHER_MAX: usize = 8;
/// After a call that held its thread for longer, runs are taken one at a time again: instructions that fill or copy memory are not interrupted,
/// and others wait for those.
const LONG_CALL_US: u64 = 2_000;

/// How a run's call ended.
struct End {
    run: Run,
    call: CallFacts,
    what: What,
}

enum What {
    Came(Came),
    Expired,
    /// The host could not do its part, and tries once more.
    Again,
    /// Its component is not loaded: it waits for that, and holds no call meanwhile.
    Cold,
}

/// One run: its plugin is called.
async fn process(inner: &Arc<Inner>, mut run: Run) -> End {
    let age_max = inner.limits.delivery.age_ms_max;
    let end = |run, call, what| End { run, call, what };
    if inner.clock.now().since_millis(run.event.key.time()) > age_max {
        return end(run, CallFacts::default(), What::Expired);
    }
    let component = match run.loaded.take().map(|loaded| loaded.came) {
        None => match inner.plugins.loaded(&run.pinned.digest) {
            Some(component) => component,
            None => return end(run, CallFacts::default(), What::Cold),
        },
        Some(Ok(component)) => component,
        Some(Err(fault)) => return end(run, CallFacts::default(), What::Came(Came::Parked(fault))),
    };
    let subject = Subject {
        event: &run.event,
        organization: &run.organization,
        pinned: &run.pinned,
        generation: run.run.generation,
    };
    let Called { outcome, facts } = call(&inner.plugins, &component, subject).await;
    match came_of(outcome, &run.pinned.facts) {
        Came::Parked(fault) if fault.code == ParkCode::Unavailable => unavailable(inner, run, fault).await,
        came => end(run, facts, What::Came(came)),
    }
}

/// The host could not do its part. It tries once more; then the run waits for somebody to act.
async fn unavailable(inner: &Arc<Inner>, run: Run, fault: Fault) -> End {
    let what = if run.second_try {
        What::Came(Came::Parked(fault))
    } else {
        inner.clock.sleep_until(inner.clock.now().plus_millis(AGAIN_AFTER_MS)).await;
        What::Again
    };
    End {
        run,
        call: CallFacts::default(),
        what,
    }
}

/// How long the host waits before it tries its part again.
pub(crate) const AGAIN_AFTER_MS: u64 = 500;

/// Requests go on to wait for their targets; what ended without any is recorded. And the next runs are taken, at most `max`.
fn hand_on(inner: &Arc<Inner>, thread: usize, ended: &mut Vec<End>, max: usize, has_calls: bool, runs: &mut Vec<Run>) {
    if ended.is_empty() && max == 0 && !has_calls {
        return;
    }
    let any = !ended.is_empty();
    // What takes time is done before the lock is taken, or after it: preparing, freeing and writing to the log.
    let prepared: Vec<(End, Vec<Sending>)> = ended
        .drain(..)
        .map(|mut end| {
            let sendings = sendings(&mut end);
            (end, sendings)
        })
        .collect();
    let (mut spent, mut cold) = (Vec::with_capacity(prepared.len()), Vec::new());
    inner.lanes.next_runs(thread, max, has_calls, runs, |yard, after| {
        for (end, sendings) in prepared {
            one_ended(yard, after, end, sendings, &mut spent, &mut cold);
        }
    });
    for cold in cold {
        cold::load(inner, cold);
    }
    for run in spent.iter().filter(|spent| spent.stops).map(|spent| &spent.run) {
        error!(organization = %run.organization, integration = %run.pinned.id, plugin = %run.pinned.facts.plugin, "too many faults in a row: the plugin is not called until somebody acts");
    }
    if any {
        inner.lanes.ended.notify_waiters();
    }
}

/// A run whose call has ended.
struct Spent {
    run: Run,
    /// Its fault was one too many.
    stops: bool,
}

/// The deliveries of a run that has ended with requests, but for those that have their row already.
fn sendings(end: &mut End) -> Vec<Sending> {
    let What::Came(Came::Requests(requests)) = &mut end.what else {
        return Vec::new();
    };
    let run = &end.run;
    let source = run_source(run.run, run.salt, run.pinned.id);
    let count = u16::try_from(requests.len()).unwrap_or(u16::MAX);
    let mut facts = Some(RunFacts {
        requests: count,
        version: run.pinned.version,
        call: std::mem::take(&mut end.call),
    });
    let numbered = std::mem::take(requests).into_iter().zip(0_u16..);
    let sending = |(request, ordinal): (Request, u16)| Sending {
        delivery: DeliveryRef { run: run.run, ordinal },
        id: source.delivery_id(ordinal),
        stage: Stage::First {
            facts: if ordinal == 0 { facts.take() } else { None },
            digest: request.digest(),
        },
        request,
    };
    numbered
        .filter(|(_, ordinal)| !run.recorded.contains(ordinal))
        .map(sending)
        .collect()
}

/// Tells the yard of one end, and leaves what is to be recorded of it at once, and what is to be loaded.
fn one_ended(yard: &mut Yard, after: &mut After, end: End, sendings: Vec<Sending>, spent: &mut Vec<Spent>, cold: &mut Vec<Cold>) {
    let End { run, call, what } = end;
    let came = match what {
        What::Again => return yard.call_again(run, after),
        What::Cold => return cold.extend(yard.call_waits(run, after)),
        What::Expired => None,
        What::Came(came) => Some(came),
    };
    let at = run.run;
    let mut stops = false;
    let end = match came {
        Some(Came::Requests(_)) if sendings.is_empty() => {
            // All rows were there: what is left is the row of the queue.
            yard.call_ended(at, Vec::new());
            after.records.push(Record::Complete(at));
            None
        }
        Some(Came::Requests(_)) => {
            yard.count_fault(at.integration, false, after);
            let refused = yard.call_ended(at, sendings);
            after.records.extend(refused.into_iter().map(|(sending, row)| held(sending, row)));
            None
        }
        Some(Came::Skipped(reason)) => {
            yard.count_fault(at.integration, false, after);
            Some(RunEnd::Skipped { reason })
        }
        // A reject is an answer: it neither counts as a fault nor ends a row of them.
        Some(Came::Parked(fault)) => {
            stops = fault.code.is_fault() && yard.count_fault(at.integration, true, after);
            Some(RunEnd::Parked {
                code: fault.code,
                reason: fault.message,
                stop: stops,
            })
        }
        None => Some(RunEnd::Expired),
    };
    if let Some(end) = end {
        yard.call_ended(at, Vec::new());
        after.records.push(Record::Ended {
            run: at,
            facts: RunFacts {
                requests: 0,
                version: run.pinned.version,
                call,
            },
            end,
            queued: yard.row_follows(at).queued,
        });
    }
    spent.push(Spent { run, stops });
}
