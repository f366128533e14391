//! What is worked off beside the river: a piece of each chore in turn, so that a long one of one organization keeps no other's waiting.

use std::collections::VecDeque;
use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::names::TargetName;
use hookmill_domain::time::Time;
use hookmill_store::{HELD_FIRST, HeldPlace, LiveError, ResumeProgress, StoreError, WindowMax};
use tokio::sync::mpsc;
use tracing::warn;

use crate::guard::EndOnPanic;
use crate::river::Inner;

/// Rows that a chore writes in one commit.
const ROWS_AT_ONCE: usize = 500;
/// Chores that wait to be taken up. Whoever brings one more waits with it.
pub(crate) const CHORES_MAX: usize = 1024;
/// How long chores rest after one of them failed.
const FAILURE_WAIT_MS: u64 = 250;
/// How often lanes that are not served are looked through for what has grown too old.
const AGE_PERIOD_MS: u64 = 60_000;

/// One thing to be worked off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Rows for what the deletion of an integration has cancelled.
    Cancel(IntegrationKey, OrganizationKey),
    /// A whole integration's parked and queued runs are resumed. Its lane is suspended until that is done.
    Resume(i64, IntegrationKey, OrganizationKey),
    /// What was written down as held for an integration's targets is asked again.
    WakeHeld(IntegrationKey, OrganizationKey),
    /// What a lane that is not served holds of events before that one is given up.
    Expire(IntegrationKey, Key),
    /// The bytes of a component that no version has any more are removed, and what was compiled of them.
    Remove(Digest),
    /// Components that no version has are looked for, and removed. A start can not wait for that: it may have thousands.
    Look,
    /// An upload has come to nothing: its component's bytes are removed, unless a version has them.
    Leave(Digest),
    /// The same of what was written in a component's place: nothing was compiled of it.
    LeaveDecoy(Digest),
}

/// A chore and how far it has come.
struct Work {
    chore: Chore,
    /// Of a resume: the last run looked at.
    resumed: (Key, u32),
    /// Of waking: targets that are left, and the place in the first of them.
    targets: Option<VecDeque<Option<TargetName>>>,
    place: HeldPlace,
    /// Of removing: whether what was compiled is gone.
    forgotten: bool,
    /// Of looking for components: the last one looked at, and those that are to be removed.
    looked_at: Option<Digest>,
    leaving: VecDeque<Digest>,
}

impl Work {
    fn new(chore: Chore) -> Work {
        Work {
            chore,
            resumed: (Key::ZERO, 0),
            targets: None,
            place: HELD_FIRST,
            forgotten: false,
            looked_at: None,
            leaving: VecDeque::new(),
        }
    }
}

/// Works chores off until the river stops. What is left is found again by the next start.
pub(crate) async fn do_chores(inner: Arc<Inner>, mut chores: mpsc::Receiver<Chore>) {
    let _guard = EndOnPanic("the task of chores");
    let mut stop = inner.stop.subscribe();
    let mut works: VecDeque<Work> = VecDeque::new();
    let mut look_at = inner.clock.now().plus_millis(AGE_PERIOD_MS);
    let mut looked_at = IntegrationKey(i64::MIN);
    let mut rest_until = Time::default();
    while !*stop.borrow_and_update() {
        let room = works.len() < CHORES_MAX;
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            Some(chore) = chores.recv(), if room => {
                works.push_back(Work::new(chore));
                continue;
            }
            () = inner.clock.sleep_until(rest_until), if !works.is_empty() => {}
            () = inner.clock.sleep_until(look_at) => {
                look_at = inner.clock.now().plus_millis(AGE_PERIOD_MS);
                // There may be many, and whatever else is brought meanwhile has its place: they get half of them, and take turns.
                let room = (CHORES_MAX / 2).saturating_sub(works.len());
                for chore in too_old(&inner, &mut looked_at, room).await {
                    works.push_back(Work::new(chore));
                }
                continue;
            }
        }
        let Some(mut work) = works.pop_front() else { continue };
        match piece(&inner, &mut work).await {
            Ok(true) => works.push_back(work),
            Ok(false) => {}
            Err(failure) => {
                warn!(chore = ?work.chore, error = %failure, "a chore failed; it is tried again");
                rest_until = inner.clock.now().plus_millis(FAILURE_WAIT_MS);
                works.push_back(work);
            }
        }
    }
}

/// Works a piece of a chore off. `true`: there may be more of it.
async fn piece(inner: &Arc<Inner>, work: &mut Work) -> Result<bool, StoreError> {
    match work.chore {
        Chore::Cancel(integration, _) => {
            let taken = inner.lanes.look(|yard| yard.taken_runs(integration));
            let more = inner.store.cancel_some(integration, taken, ROWS_AT_ONCE).await?;
            if !more {
                inner.lanes.step(|yard| yard.forget(integration));
            }
            Ok(more)
        }
        Chore::Expire(integration, before) => {
            let taken = inner.lanes.look(|yard| yard.taken_runs(integration));
            inner.store.expire_some(integration, before, taken, ROWS_AT_ONCE).await
        }
        Chore::Resume(number, integration, organization) => {
            let taken = inner.lanes.look(|yard| yard.taken_runs(integration));
            match inner.store.resume_some(number, work.resumed, taken, ROWS_AT_ONCE).await? {
                ResumeProgress::UpTo(event, generation) => {
                    work.resumed = (event, generation);
                    Ok(true)
                }
                ResumeProgress::Finished => {
                    inner.lanes.step(|yard| yard.go_on(integration, organization));
                    Ok(false)
                }
            }
        }
        Chore::Remove(digest) => remove(inner, digest, work).await,
        Chore::Look => look(inner, work).await,
        Chore::LeaveDecoy(digest) => {
            let is_left = inner.store.leave_component(digest).await?;
            (work.chore, work.forgotten) = (Chore::Remove(digest), true);
            Ok(is_left)
        }
        Chore::Leave(digest) => {
            let is_left = inner.store.leave_component(digest).await?;
            work.chore = Chore::Remove(digest);
            Ok(is_left)
        }
        Chore::WakeHeld(integration, organization) => wake_held(inner, integration, organization, work).await,
    }
}

/// Looks through a piece of the components, or removes a piece of one that was found.
async fn look(inner: &Arc<Inner>, work: &mut Work) -> Result<bool, StoreError> {
    if let Some(digest) = work.leaving.front().copied() {
        if !remove(inner, digest, work).await? {
            work.leaving.pop_front();
            work.forgotten = false;
        }
        return Ok(true);
    }
    let (leaving, last) = inner.store.leaving_components(work.looked_at).await?;
    work.leaving.extend(leaving);
    work.looked_at = last.or(work.looked_at);
    Ok(last.is_some() || !work.leaving.is_empty())
}

/// What was compiled goes first: a start that finds bytes which are still to be removed removes it, too. Nothing goes of bytes that have been
/// uploaded again meanwhile.
async fn remove(inner: &Arc<Inner>, digest: Digest, work: &mut Work) -> Result<bool, StoreError> {
    if !work.forgotten {
        if inner.store.not_stored(vec![digest]).await?.is_empty() {
            return Ok(false);
        }
        if let Err(failure) = inner.plugins.forget(digest).await {
            warn!(component = %digest, error = %failure, "what was compiled of a component could not be removed; a later sweep does it");
        }
        work.forgotten = true;
    }
    inner.store.remove_component_some(digest).await
}

/// Makes a piece of what is held due, for targets that are there: each delivery once, since what is held again is so for a new reason.
async fn wake_held(
    inner: &Arc<Inner>,
    integration: IntegrationKey,
    organization: OrganizationKey,
    work: &mut Work,
) -> Result<bool, StoreError> {
    let targets = match &mut work.targets {
        Some(targets) => targets,
        None => {
            let reach = match inner.caches.reach(integration).await {
                Ok(reach) => reach,
                Err(LiveError::Store(failure)) => return Err(failure),
                // It was deleted, or can not be read: nothing can be sent.
                Err(LiveError::NotFound | LiveError::Sealed(_)) => return Ok(false),
            };
            let there = reach.live.targets.iter().filter(|target| !target.gone);
            work.targets.insert(there.map(|target| target.name.clone()).collect())
        }
    };
    let Some(target) = targets.front().cloned() else { return Ok(false) };
    let name = target.as_ref().map(ToString::to_string);
    let max = WindowMax {
        count: ROWS_AT_ONCE,
        bytes: usize::MAX,
    };
    let (woken, more) = inner.store.wake_held(integration, name, work.place, max).await?;
    if woken > 0 {
        let now = inner.clock.now();
        inner.lanes.step(|yard| yard.wake(integration, organization, false, Some(now)));
    }
    match more {
        Some(place) => work.place = place,
        None => {
            targets.pop_front();
            work.place = HELD_FIRST;
        }
    }
    Ok(!targets.is_empty())
}

/// Lanes that are not served, or that hold deliveries for targets which are not there: what is older than the age cap is given up. At most
/// `count` of them, from where it was looked the last time.
async fn too_old(inner: &Arc<Inner>, looked_at: &mut IntegrationKey, count: usize) -> Vec<Chore> {
    let age_ms = i64::try_from(inner.limits.delivery.age_ms_max).unwrap_or(i64::MAX);
    let before = Time::from_millis(inner.clock.now().millis().saturating_sub(age_ms));
    let before = Key::from_parts(before, 0, 0);
    let mut lanes = inner.lanes.look(|yard| yard.held());
    match inner.store.held_heads().await {
        Ok(held) => lanes.extend(held),
        Err(failure) => warn!(error = %failure, "what has grown too old could not be looked for; it is tried again"),
    }
    lanes.sort_unstable();
    lanes.dedup();
    let next = lanes.partition_point(|(integration, _)| integration <= looked_at);
    lanes.rotate_left(next);
    lanes.truncate(count);
    if let Some((last, _)) = lanes.last() {
        *looked_at = *last;
    }
    lanes
        .into_iter()
        .map(|(integration, _)| Chore::Expire(integration, before))
        .collect()
}
