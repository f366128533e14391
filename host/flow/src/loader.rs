//! The tasks that read ahead for the lanes, and the one that watches the clock for them.

use std::sync::Arc;

use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::request::Request;
use hookmill_store::{Due, HELD_FIRST, LiveError, Next, Queued, Record, StoreError, WindowMax};
use tracing::{error, warn};

use crate::guard::EndOnPanic;
use crate::lanes::{Load, Run, Sending, Stage, place_bytes};
use crate::river::Inner;

/// Runs or deliveries read at once for one lane: what a target may have in flight, so that a window fits into what may wait for it.
const WINDOW_COUNT: usize = 64;
/// Bytes read at once for one lane; one larger piece is read alone.
const WINDOW_BYTES: u64 = 8 * 1024 * 1024;
/// How long a delivery waits whose row can not be read: somebody may mend the database, and it must not be read again and again.
const UNREADABLE_WAIT_MS: u64 = 3_600_000;
/// How long a reader waits after the store failed.
const FAILURE_WAIT_MS: u64 = 250;
/// The clock is looked at so often, whatever else happens.
const SLOW_PERIOD_MS: u64 = 60_000;

/// Reads what lanes ask for, until the river stops.
pub(crate) async fn read_ahead(inner: Arc<Inner>) {
    let _guard = EndOnPanic("a reader");
    let mut stop = inner.stop.subscribe();
    while !*stop.borrow_and_update() {
        let bell = inner.lanes.loads.notified();
        let Some((integration, load)) = inner.lanes.take_load() else {
            tokio::select! {
                () = bell => {}
                _ = stop.changed() => {}
            }
            continue;
        };
        if let Err(failure) = read(&inner, integration, &load).await {
            warn!(integration = integration.0, error = %failure, "a lane could not be read; it is read again");
            let again_at = inner.clock.now().plus_millis(FAILURE_WAIT_MS);
            inner.lanes.step(|yard| yard.read_later(integration, &load, again_at));
        }
    }
}

async fn read(inner: &Arc<Inner>, integration: IntegrationKey, load: &Load) -> Result<(), StoreError> {
    match load {
        Load::Standing => return standing(inner, integration).await,
        Load::Held(target) => return wake_held(inner, integration, target.clone()).await,
        Load::Queue | Load::Due => {}
    }
    let Some(bytes) = inner.lanes.step(|yard| yard.window_or_wait(integration, *load == Load::Due)) else {
        return Ok(());
    };
    let max = WindowMax {
        count: WINDOW_COUNT,
        bytes: usize::try_from(bytes.min(WINDOW_BYTES)).unwrap_or(usize::MAX),
    };
    if *load == Load::Queue {
        queue(inner, integration, max).await
    } else {
        due(inner, integration, max).await
    }
}

async fn standing(inner: &Arc<Inner>, integration: IntegrationKey) -> Result<(), StoreError> {
    let (version, hold, stopped) = match inner.caches.reach(integration).await {
        Ok(reach) => (reach.live.version, reach.live.hold, reach.live.stopped),
        Err(LiveError::Store(failure)) => return Err(failure),
        Err(failure) => {
            error!(integration = integration.0, error = %failure, "an integration can not be read: what it is owed waits until it can");
            (0, Some(hookmill_domain::integration::Hold::Disabled), false)
        }
    };
    inner
        .lanes
        .step_after(|yard, after| yard.standing_loaded(integration, version, hold, stopped, after));
    Ok(())
}

async fn queue(inner: &Arc<Inner>, integration: IntegrationKey, max: WindowMax) -> Result<(), StoreError> {
    let taken = inner.lanes.look(|yard| yard.taken_runs(integration));
    let queued = inner.store.queue_window(integration, taken, max).await?;
    let bytes: usize = queued.iter().map(|queued| queued.event.data.len()).sum();
    let complete = queued.len() < max.count && bytes < max.bytes;
    let mut runs = Vec::with_capacity(queued.len());
    for queued in queued {
        let Queued {
            run,
            event,
            revision,
            salt,
            recorded,
        } = queued;
        let snapshot = inner.caches.at(run.organization, revision).await?;
        match snapshot.get(integration) {
            Some(pinned) => runs.push(Run {
                run,
                event,
                pinned: pinned.clone(),
                organization: snapshot.name.clone(),
                salt,
                recorded,
                second_try: false,
                loaded: None,
            }),
            None => {
                error!(integration = integration.0, event = %event.id(), "a run is queued for an integration that its revision does not have")
            }
        }
    }
    inner.lanes.step(|yard| yard.queue_loaded(integration, runs, complete));
    Ok(())
}

async fn due(inner: &Arc<Inner>, integration: IntegrationKey, max: WindowMax) -> Result<(), StoreError> {
    let taken = inner.lanes.look(|yard| yard.taken_deliveries(integration));
    let (due, next) = inner.store.due_window(integration, inner.clock.now(), taken, max).await?;
    let mut unreadable: Vec<Record> = Vec::new();
    let mut set_aside = Vec::new();
    let unreadable_again_at = inner.clock.now().plus_millis(UNREADABLE_WAIT_MS);
    let sendings = due.into_iter().filter_map(|due| {
        let Due {
            delivery,
            id,
            at,
            attempts,
            counted,
            frozen,
        } = due;
        let bytes = place_bytes(frozen.len());
        match Request::thaw(&frozen) {
            Ok(request) => Some(Sending {
                delivery,
                id,
                request,
                stage: Stage::Again {
                    was_due: at,
                    attempts,
                    counted,
                    bytes,
                },
            }),
            Err(failure) => {
                error!(delivery = %id, error = %failure, "a delivery can not be read; it waits, so that others go on");
                set_aside.push(delivery);
                unreadable.push(Record::Again {
                    delivery,
                    was_due: at,
                    attempt: None,
                    counted,
                    next: Next::Waiting(unreadable_again_at),
                });
                None
            }
        }
    });
    let sendings = sendings.collect();
    if !set_aside.is_empty() {
        inner.lanes.step(|yard| yard.set_aside(integration, set_aside.into_iter()));
        inner.store.record_outcomes(unreadable);
    }
    let refused = inner.lanes.step(|yard| yard.due_loaded(integration, sendings, next));
    let held = refused.into_iter().filter_map(|sending| match sending.stage {
        Stage::Again { was_due, counted, .. } => Some(Record::Again {
            delivery: sending.delivery,
            was_due,
            attempt: None,
            counted,
            next: Next::Held,
        }),
        Stage::First { .. } => None,
    });
    inner.store.record_outcomes(held);
    Ok(())
}

async fn wake_held(inner: &Arc<Inner>, integration: IntegrationKey, target: Option<String>) -> Result<(), StoreError> {
    let max = WindowMax {
        count: WINDOW_COUNT,
        bytes: usize::try_from(WINDOW_BYTES).unwrap_or(usize::MAX),
    };
    let max = inner.lanes.look(|yard| yard.room_for_held(integration, &target, max));
    let (_, more) = inner.store.wake_held(integration, target.clone(), HELD_FIRST, max).await?;
    let now = inner.clock.now();
    inner.lanes.step(|yard| yard.held_woken(integration, target, more.is_some(), now));
    Ok(())
}

/// Lets lanes know what is due, until the river stops.
pub(crate) async fn watch_clock(inner: Arc<Inner>) {
    let _guard = EndOnPanic("the clock's task");
    let mut stop = inner.stop.subscribe();
    while !*stop.borrow_and_update() {
        let bell = inner.lanes.timers.notified();
        let now = inner.clock.now();
        let slow = now.plus_millis(SLOW_PERIOD_MS);
        let next = inner.lanes.step(|yard| yard.tick(now)).map_or(slow, |next| next.min(slow));
        tokio::select! {
            () = bell => {}
            () = inner.clock.sleep_until(next) => {}
            _ = stop.changed() => {}
        }
    }
}
