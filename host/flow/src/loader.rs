//! The tasks that read ahead for the lanes, the one that watches the clock for them, and the one that does the house's chores.

use std::sync::Arc;

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::request::Request;
use hookmill_store::{Due, LiveError, Queued, Record, ResumeProgress, StoreError, WindowMax};
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::deliver::first;
use crate::lanes::{Load, RowFollows, Run, Sending, Stage, place_bytes};
use crate::river::Inner;

/// Runs or deliveries read at once for one lane: what a target may have in flight, so that a window fits into what may wait for it.
const WINDOW_COUNT: usize = 64;
/// Bytes read at once for one lane; one larger piece is read alone.
const WINDOW_BYTES: u64 = 8 * 1024 * 1024;
/// How long a lane waits whose organization's memory is full.
const NO_MEMORY_WAIT_MS: u64 = 50;
/// How long a reader waits after the store failed.
const FAILURE_WAIT_MS: u64 = 250;
/// The clock is looked at so often, whatever else happens.
const SLOW_PERIOD_MS: u64 = 60_000;
/// Rows that a chore writes in one commit.
const CHORE_ROWS: usize = 500;

/// Reads what lanes ask for, until the river stops.
pub(crate) async fn read_ahead(inner: Arc<Inner>) {
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
            inner.clock.sleep_until(inner.clock.now().plus_millis(FAILURE_WAIT_MS)).await;
            inner.lanes.step(|yard| yard.put_back(integration, load));
        }
    }
}

async fn read(inner: &Arc<Inner>, integration: IntegrationKey, load: &Load) -> Result<(), StoreError> {
    match load {
        Load::Standing => return standing(inner, integration).await,
        Load::Held(target) => return wake_held(inner, integration, target.clone()).await,
        Load::Queue | Load::Due => {}
    }
    let Some(bytes) = inner.lanes.look(|yard| yard.window_bytes(integration)) else {
        let again_at = inner.clock.now().plus_millis(NO_MEMORY_WAIT_MS);
        inner.lanes.step(|yard| yard.no_memory(integration, load, again_at));
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
            error!(integration = integration.0, error = %failure, "an integration can not be read: what it is owed waits until it is changed");
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
                error!(delivery = %id, error = %failure, "a delivery can not be read");
                None
            }
        }
    });
    let sendings = sendings.collect();
    let refused = inner.lanes.step(|yard| yard.due_loaded(integration, sendings, next));
    let held = refused.into_iter().map(|sending| match sending.stage {
        Stage::Again { was_due, counted, .. } => Record::Again {
            delivery: sending.delivery,
            was_due,
            attempt: None,
            counted,
            next: hookmill_store::Next::Held,
        },
        Stage::First { .. } => first(
            sending,
            None,
            hookmill_store::Next::Held,
            RowFollows {
                last: false,
                queued: false,
            },
        ),
    });
    inner.store.record_outcomes(held);
    Ok(())
}

async fn wake_held(inner: &Arc<Inner>, integration: IntegrationKey, target: Option<String>) -> Result<(), StoreError> {
    let woken = inner.store.wake_held(integration, Some(target.clone()), WINDOW_COUNT).await?;
    let now = inner.clock.now();
    inner
        .lanes
        .step(|yard| yard.held_woken(integration, target, woken == WINDOW_COUNT, now));
    Ok(())
}

/// Lets lanes know what is due, until the river stops.
pub(crate) async fn watch_clock(inner: Arc<Inner>) {
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

/// What is worked off beside the river, a piece at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Rows for what the deletion of an integration has cancelled.
    Cancel(IntegrationKey),
    /// A whole integration's parked and queued runs are resumed.
    Resume(i64, IntegrationKey),
    /// What was written down as held for an integration's targets is asked again.
    WakeHeld(IntegrationKey, OrganizationKey),
}

/// Chores that wait. Whoever brings one more waits with it.
pub(crate) const CHORES_MAX: usize = 1024;

/// Works chores off, and gives up what has grown too old in lanes that are not served, until the river stops.
pub(crate) async fn do_chores(inner: Arc<Inner>, mut chores: mpsc::Receiver<Chore>) {
    let mut stop = inner.stop.subscribe();
    let mut look_at = inner.clock.now().plus_millis(SLOW_PERIOD_MS);
    while !*stop.borrow_and_update() {
        tokio::select! {
            chore = chores.recv() => {
                let Some(chore) = chore else { return };
                while let Err(failure) = work_off(&inner, chore).await {
                    warn!(?chore, error = %failure, "a chore failed; it is tried again");
                    tokio::select! {
                        () = inner.clock.sleep_until(inner.clock.now().plus_millis(FAILURE_WAIT_MS)) => {}
                        // A start finds it again.
                        _ = stop.changed() => return,
                    }
                }
            }
            () = inner.clock.sleep_until(look_at) => {
                look_at = inner.clock.now().plus_millis(SLOW_PERIOD_MS);
                if let Err(failure) = expire(&inner).await {
                    warn!(error = %failure, "what has grown too old could not be given up; it is tried again");
                }
            }
            _ = stop.changed() => {}
        }
    }
}

async fn work_off(inner: &Arc<Inner>, chore: Chore) -> Result<(), StoreError> {
    match chore {
        Chore::Cancel(integration) => while inner.store.cancel_some(integration, CHORE_ROWS).await? {},
        Chore::Resume(number, integration) => resume(inner, number, integration).await?,
        Chore::WakeHeld(integration, organization) => {
            while inner.store.wake_held(integration, None, CHORE_ROWS).await? > 0 {
                let now = inner.clock.now();
                inner.lanes.step(|yard| yard.wake(integration, organization, false, Some(now)));
            }
        }
    }
    Ok(())
}

async fn resume(inner: &Arc<Inner>, number: i64, integration: IntegrationKey) -> Result<(), StoreError> {
    let taken = inner.lanes.step_after(|yard, after| yard.suspend(integration, after));
    let mut after = (Key::ZERO, 0);
    let result = loop {
        match inner.store.resume_some(number, after, taken.clone(), CHORE_ROWS).await {
            Ok(ResumeProgress::UpTo(event, generation)) => after = (event, generation),
            Ok(ResumeProgress::Finished) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    inner.lanes.step(|yard| yard.go_on(integration));
    result
}

async fn expire(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let age_ms = i64::try_from(inner.limits.delivery.age_ms_max).unwrap_or(i64::MAX);
    let before = hookmill_domain::time::Time::from_millis(inner.clock.now().millis().saturating_sub(age_ms));
    let before = Key::from_parts(before, 0, 0);
    for integration in inner.lanes.look(|yard| yard.held()) {
        while inner.store.expire_some(integration, before, CHORE_ROWS).await? {}
    }
    Ok(())
}
