//! Backtests: two versions of a plugin side by side on an organization's stored events, to see what the new one would do differently.
//! Nothing is sent and nothing is stored.
//!
//! They keep no event waiting. All of them have one thread, which stands back behind everything else; on it one call runs at a time, or one
//! page of events is read, by a short read of its own: so at most one of the plugin room's places and one of the store's readers is theirs.
//! Before each event it waits while real runs keep the threads busy that call plugins. A backtest ends at its limits, with the host, and as
//! soon as nobody reads its answer.

mod tally;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::limits::BacktestLimits;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::revision::Pinned;
use hookmill_domain::time::Time;
use hookmill_plugin_room::Component;
use hookmill_store::StoreError;
use tokio::sync::{mpsc, watch};

use crate::calls::component;
use crate::changes::ChangeError;
use crate::river::{Inner, River};

pub use tally::{First, Side, Tally, Verdict};
pub(crate) use work::start;

/// Lines that wait for their reader. Of more, those that tell of progress are left out.
const LINES_MAX: usize = 4;
/// Backtests that wait for the thread to look at them; it does so at once.
const JOBS_MAX: usize = 16;

/// What is compared, and on which events.
#[derive(Debug, Clone)]
pub struct Backtest {
    /// The organization's name, as payloads have it.
    pub organization: OrganizationName,
    /// The integration with the version that it has.
    pub old: Arc<Pinned>,
    /// The same integration with the version that is tried.
    pub new: Arc<Pinned>,
    /// How far back it goes.
    pub range: Range,
}

/// How far back a backtest goes, from the newest event on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// So many events that the integration matches.
    Last(u64),
    /// All that it matches since then.
    Since(Time),
}

/// What a backtest tells, one after the other. After a summary or a failure there is nothing more.
#[derive(Debug)]
pub enum Line {
    /// How far it has come.
    Progress(Tally),
    /// What it came to.
    Summary(Summary),
    /// It could not go on.
    Failed(StoreError),
}

/// What a backtest came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// The counts.
    pub tally: Tally,
    /// The first event of each verdict but [`Verdict::Same`], in the order in which they were found.
    pub firsts: Vec<First>,
    /// The limit that ended it before the range did.
    pub stopped_by: Option<&'static str>,
}

/// A backtest with what it needs, on its way to the thread.
pub(crate) struct Job {
    backtest: Backtest,
    old: Component,
    new: Component,
    lines: mpsc::Sender<Line>,
    place: Place,
}

/// The way to the thread, and who has a place there.
pub(crate) struct Backtests {
    jobs: mpsc::Sender<Job>,
    places: Arc<Mutex<HashMap<OrganizationKey, u32>>>,
    /// Turns true when they are to end.
    end: watch::Sender<bool>,
}

impl Backtests {
    /// The way to a thread that is to be started with the other end.
    pub(crate) fn new() -> (Backtests, mpsc::Receiver<Job>) {
        let (jobs, waiting) = mpsc::channel(JOBS_MAX);
        let backtests = Backtests {
            jobs,
            places: Arc::default(),
            end: watch::channel(false).0,
        };
        (backtests, waiting)
    }

    /// Ends those that are under way, and those to come.
    pub(crate) fn end(&self) {
        self.end.send_replace(true);
    }

    fn place(&self, organization: OrganizationKey, limits: &BacktestLimits) -> Result<Place, ChangeError> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let max = limits.at_once_max_per_organization;
        if places.get(&organization).is_some_and(|taken| *taken >= max) {
            let limit = "at_once_max_per_organization";
            return Err(ChangeError::TooMany { limit, max: max.into() });
        }
        if places.values().sum::<u32>() >= limits.at_once_max {
            return Err(ChangeError::Busy);
        }
        *places.entry(organization).or_default() += 1;
        Ok(Place {
            places: self.places.clone(),
            organization,
        })
    }
}

/// A backtest's place among those under way, until it is dropped.
struct Place {
    places: Arc<Mutex<HashMap<OrganizationKey, u32>>>,
    organization: OrganizationKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = places.get_mut(&self.organization) {
            *taken -= 1;
            if *taken == 0 {
                places.remove(&self.organization);
            }
        }
    }
}

impl River {
    /// Begins a backtest, which ends when its lines are not read any more.
    pub async fn backtest(&self, organization: OrganizationKey, backtest: Backtest) -> Result<mpsc::Receiver<Line>, ChangeError> {
        let inner = &self.inner;
        let place = inner.backtests.place(organization, &inner.limits.backtest)?;
        // Both are held until the end: a version that is deleted meanwhile is compared all the same.
        let ready = async |pinned: &Pinned| ready(inner, organization, pinned).await;
        let (old, new) = (ready(&backtest.old).await?, ready(&backtest.new).await?);
        let (lines, answer) = mpsc::channel(LINES_MAX);
        let job = Job {
            backtest,
            old,
            new,
            lines,
            place,
        };
        let sent = inner.backtests.jobs.send(job).await;
        sent.map_err(|_| ChangeError::Store(StoreError::Closed))?;
        Ok(answer)
    }
}

/// A version's component. One whose version has been deleted since it was looked up is not there, also where others have its bytes.
async fn ready(inner: &Arc<Inner>, organization: OrganizationKey, pinned: &Pinned) -> Result<Component, ChangeError> {
    let found = component(inner, organization, pinned).await;
    if !inner.store.has_version_of(organization, pinned.digest).await? {
        return Err(ChangeError::NotFound);
    }
    found.map_err(|fault| ChangeError::Conflict {
        message: format!(
            "{}@{} can not be called: {}",
            pinned.facts.plugin.name, pinned.version, fault.message
        ),
    })
}
