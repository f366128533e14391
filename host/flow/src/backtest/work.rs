//! The thread that compares, and what it does for each backtest.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Weak};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::key::Key;
use hookmill_domain::matching::matches;
use hookmill_domain::time::Time;
use hookmill_plugin_room::{Component, stand_back};
use hookmill_store::{Event, HistoryPage, PageMax, StoreError};
use tokio::sync::{Semaphore, mpsc};
use tracing::error;

use super::{Backtest, First, Job, Line, Range, Summary};
use crate::calls::{Came, Subject, call, came_of};
use crate::river::Inner;

/// Events that are read at once: some of them are in memory, and a reader of the API's is theirs for a moment.
const PAGE_MAX: PageMax = PageMax {
    events: 64,
    bytes: 1024 * 1024,
    scanned: 500,
};
/// A line of progress follows so many events, and so much time.
const LINE_EVENTS: u64 = 100;
const LINE_MS: u64 = 1000;
/// The longest that an event waits for them: a host that is never idle ends its backtests, too.
const PAUSE_MS_MAX: u64 = 100;

/// Starts the thread. It ends with the river, which holds the way to it.
pub(crate) fn start(inner: &Arc<Inner>, jobs: mpsc::Receiver<Job>) -> std::io::Result<()> {
    let inner = Arc::downgrade(inner);
    std::thread::Builder::new().name("backtests".to_owned()).spawn(move || {
        stand_back();
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(serve(&inner, jobs)),
            Err(failure) => error!(error = %failure, "the thread for backtests can not start"),
        }
    })?;
    Ok(())
}

async fn serve(inner: &Weak<Inner>, mut jobs: mpsc::Receiver<Job>) {
    let turn = Semaphore::new(1);
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            job = jobs.recv() => {
                let (Some(job), Some(inner)) = (job, inner.upgrade()) else { return };
                under_way.push(guarded(inner, job, &turn));
            }
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
        }
    }
}

/// A panic is a fault of the house's: it ends the one backtest, whose answer is cut off.
async fn guarded(inner: Arc<Inner>, job: Job, turn: &Semaphore) {
    if AssertUnwindSafe(run(&inner, job, turn)).catch_unwind().await.is_err() {
        error!("a backtest panicked");
    }
}

async fn run(inner: &Arc<Inner>, job: Job, turn: &Semaphore) {
    let Job {
        backtest,
        old,
        new,
        lines,
        place,
    } = job;
    let mut stop = inner.backtests.end.subscribe();
    let run = Run {
        inner,
        backtest: &backtest,
        organization: place.organization,
        components: (&old, &new),
        turn,
        lines: &lines,
        told: RefCell::new(Told {
            summary: Summary::default(),
            last_line_at: inner.clock.now(),
        }),
    };
    run.say();
    let ended = {
        let mut work = pin!(run.compare_all());
        loop {
            let next_line_at = run.told.borrow().last_line_at.plus_millis(LINE_MS);
            tokio::select! {
                biased;
                // Whoever has gone away wants no answer: the call under way is dropped.
                () = lines.closed() => return,
                _ = stop.wait_for(|stop| *stop) => break Err(StoreError::Closed),
                ended = work.as_mut() => break ended,
                () = inner.clock.sleep_until(next_line_at) => run.say(),
            }
        }
    };
    let mut summary = run.told.into_inner().summary;
    let last = match ended {
        Ok(stopped_by) => {
            summary.stopped_by = stopped_by;
            Line::Summary(summary)
        }
        Err(failure) => Line::Failed(failure),
    };
    // Whoever has read the end may begin the next one.
    drop(place);
    // It waits for its reader, whose connection ends if nothing is read for long.
    let _ = lines.send(last).await;
}

fn at_most(max: usize, left: u64) -> usize {
    usize::try_from(left).map_or(max, |left| left.min(max))
}

/// A backtest under way.
struct Run<'a> {
    inner: &'a Arc<Inner>,
    backtest: &'a Backtest,
    organization: OrganizationKey,
    components: (&'a Component, &'a Component),
    /// One event or one page at a time, whichever backtest's it is: they take turns.
    turn: &'a Semaphore,
    lines: &'a mpsc::Sender<Line>,
    told: RefCell<Told>,
}

/// What has been found, and when something was last told of it.
struct Told {
    summary: Summary,
    last_line_at: Time,
}

impl Run<'_> {
    /// Tells how far it has come. A reader who is behind misses a line or two.
    fn say(&self) {
        let mut told = self.told.borrow_mut();
        told.last_line_at = self.inner.clock.now();
        let _ = self.lines.try_send(Line::Progress(told.summary.tally));
    }

    /// Compares from the newest event on. Gives the limit that ended it before the range did.
    async fn compare_all(&self) -> Result<Option<&'static str>, StoreError> {
        let limits = &self.inner.limits.backtest;
        let (wanted, bottom, at_the_end) = match self.backtest.range {
            Range::Last(count) if count <= limits.events_max => (count, Key::ZERO, None),
            Range::Last(_) => (limits.events_max, Key::ZERO, Some("events_max")),
            Range::Since(time) => (limits.events_max, Key::from_parts(time, 0, 0), Some("events_max")),
        };
        let until = self.inner.clock.now().plus_millis(limits.time_ms_max);
        let mut next = Some(Key::MAX);
        while let Some(top) = next {
            let tally = self.told.borrow().summary.tally;
            let left = wanted.saturating_sub(tally.done());
            if left == 0 {
                return Ok(at_the_end);
            }
            let scans = limits.scanned_events_max.saturating_sub(tally.scanned);
            if scans == 0 {
                return Ok(Some("scanned_events_max"));
            }
            // However many pages there are of which nothing is wanted.
            if self.inner.clock.now() >= until {
                return Ok(Some("time_ms_max"));
            }
            let max = PageMax {
                events: at_most(PAGE_MAX.events, left),
                scanned: at_most(PAGE_MAX.scanned, scans),
                ..PAGE_MAX
            };
            let page = self.page(top, bottom, max).await?;
            next = page.next;
            {
                let tally = &mut self.told.borrow_mut().summary.tally;
                tally.scanned += page.scanned;
                tally.payload_gone += page.gone;
            }
            for event in page.events {
                if self.inner.clock.now() >= until {
                    return Ok(Some("time_ms_max"));
                }
                self.compare(&event).await;
            }
        }
        Ok(None)
    }

    async fn page(&self, top: Key, bottom: Key, max: PageMax) -> Result<HistoryPage, StoreError> {
        let (store, organization, pinned) = (self.inner.store.clone(), self.organization, self.backtest.new.clone());
        self.give_way().await;
        let _turn = self.turn.acquire().await;
        // The other runtime's threads read: one that stands back, as this thread's would, holds a reader for as long as others compute.
        let read = self.inner.runtime.spawn(async move {
            store
                .history(organization, top, bottom, max, move |subject| matches(&pinned.facts, subject))
                .await
        });
        read.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn compare(&self, event: &Event) {
        self.give_way().await;
        let (old, new) = {
            let _turn = self.turn.acquire().await;
            (self.call(event, false).await, self.call(event, true).await)
        };
        let compared = {
            let mut told = self.told.borrow_mut();
            if let Some(verdict) = told.summary.tally.take(event, &old, &new) {
                let bytes_max = usize::try_from(self.inner.limits.backtest.diff_bytes_max).unwrap_or(usize::MAX);
                told.summary.firsts.push(First::new(verdict, event, old, new, bytes_max));
            }
            told.summary.tally.done()
        };
        if compared.is_multiple_of(LINE_EVENTS) {
            self.say();
        }
        // Small plugins never wait: the other backtests, and whoever ends this one, get their turn here.
        tokio::task::yield_now().await;
    }

    /// Waits while real runs keep the threads busy that call plugins.
    async fn give_way(&self) {
        let (clock, callers) = (&self.inner.clock, &self.inner.lanes.callers);
        if callers.are_busy() {
            tokio::select! {
                () = callers.one_sleeps() => {}
                () = clock.sleep_until(clock.now().plus_millis(PAUSE_MS_MAX)) => {}
            }
        }
    }

    /// One side. Both have the same event, integration and generation, and so the same ids, clock and random numbers.
    async fn call(&self, event: &Event, is_new: bool) -> Came {
        let (component, pinned) = match is_new {
            false => (self.components.0, &self.backtest.old),
            true => (self.components.1, &self.backtest.new),
        };
        let subject = Subject {
            event,
            organization: &self.backtest.organization,
            pinned,
            generation: 0,
        };
        let called = call(&self.inner.plugins, component, subject).await;
        came_of(called.outcome, &pinned.facts)
    }
}
