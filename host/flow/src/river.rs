//! The river's handle: what it is made of, how it starts, and how it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hookmill_domain::address::AddressPolicy;
use hookmill_domain::api_key::ApiKey;
use hookmill_domain::clock::Clock;
use hookmill_domain::digest::Digest;
use hookmill_domain::event::Kinds;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::limits::Limits;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::time::Time;
use hookmill_egress::Client;
use hookmill_plugin_room::Plugins;
use hookmill_store::{Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::info;

use crate::backtest::{self, Backtests};
use crate::caches::Caches;
use crate::chores::{CHORES_MAX, Chore, do_chores};
use crate::compiled::keep_artifacts;
use crate::lanes::Lanes;
use crate::loader::{read_ahead, watch_clock};
use crate::{deliver, dispatch, trials};

/// Tasks that read ahead for lanes.
const READERS: usize = 2;

/// What the river is made of.
pub struct Parts {
    /// Where everything durable is.
    pub store: Store,
    /// The room that runs plugins.
    pub plugins: Plugins,
    /// What sends.
    pub client: Client,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// All limits.
    pub limits: Limits,
    /// The catalogue of event kinds.
    pub kinds: Kinds,
    /// What every organization's targets may reach beyond public addresses.
    pub policy: AddressPolicy,
    /// Threads that call plugins.
    pub plugin_threads: usize,
}

/// The river. Cheap to clone.
#[derive(Clone)]
pub struct River {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) plugins: Plugins,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) kinds: Kinds,
    pub(crate) caches: Caches,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) chores: mpsc::Sender<Chore>,
    pub(crate) uploads: Turns,
    pub(crate) judgements: Turns,
    pub(crate) trial_turns: Turns,
    pub(crate) trials: trials::Jobs,
    pub(crate) backtests: Backtests,
    pub(crate) deletions: Turns,
    /// The runtime of everything but the plugins' own threads.
    pub(crate) runtime: tokio::runtime::Handle,
    /// Turns true when the river is to end.
    pub(crate) stop: watch::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    tasks: Mutex<JoinSet<()>>,
}

/// Uploads, configurations or versions that are looked at, by whom. They wait in the plugin room's own queues; here it is seen to that one owner does
/// not fill them.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Option<OrganizationKey>, u32>>);

/// Turns of one owner at once.
const TURNS_MAX: u32 = 2;

impl Turns {
    /// A turn for an owner, until it is dropped; `None`: it has as many as it may have.
    pub(crate) fn turn(&self, owner: Option<OrganizationKey>) -> Option<Turn<'_>> {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = owners.entry(owner).or_default();
        if *count >= TURNS_MAX {
            return None;
        }
        *count += 1;
        Some(Turn { turns: self, owner })
    }
}

/// One thing that is looked at.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    owner: Option<OrganizationKey>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut owners = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = owners.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                owners.remove(&self.owner);
            }
        }
    }
}

impl River {
    /// Starts the river: what a start finds open goes into its queue, and the loops begin.
    pub async fn start(parts: Parts) -> anyhow::Result<River> {
        let Parts {
            store,
            plugins,
            client,
            clock,
            limits,
            kinds,
            policy,
            plugin_threads,
        } = parts;
        let threads = plugin_threads.max(1);
        let calls_max = u32::try_from(threads)
            .unwrap_or(1)
            .saturating_mul(limits.plugin.calls_at_once_per_thread)
            .max(2);
        let lanes = Arc::new(Lanes::new(limits.clone(), threads, calls_max, store.clone(), plugins.interrupter()));
        let sink = lanes.clone();
        store.set_sink(Box::new(move |committed| {
            sink.step_after(|yard, after| *after = yard.committed(committed))
        }));
        let (chores, waiting) = mpsc::channel(CHORES_MAX);
        let (trials, to_try) = trials::queue();
        let (backtests, to_compare) = Backtests::new();
        let inner = Arc::new(Inner {
            caches: Caches::new(store.clone(), policy),
            store,
            plugins,
            client,
            clock,
            limits,
            kinds,
            lanes,
            chores,
            uploads: Turns::default(),
            judgements: Turns::default(),
            trial_turns: Turns::default(),
            trials,
            backtests,
            deletions: Turns::default(),
            runtime: tokio::runtime::Handle::current(),
            stop: watch::channel(false).0,
            threads: Mutex::default(),
            tasks: Mutex::default(),
        });
        inner.caches.load_keys().await?;
        inner.find_open_work().await?;

        let mut tasks = JoinSet::new();
        inner.bring_open_chores(&mut tasks).await?;
        tasks.spawn(deliver::send_deliveries(inner.clone()));
        tasks.spawn(watch_clock(inner.clone()));
        tasks.spawn(do_chores(inner.clone(), waiting));
        tasks.spawn(keep_artifacts(inner.clone()));
        for _ in 0..READERS {
            tasks.spawn(read_ahead(inner.clone()));
        }
        trials::start(&inner, to_try)?;
        backtest::start(&inner, to_compare)?;
        *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        *inner.threads.lock().unwrap_or_else(PoisonError::into_inner) = dispatch::start(&inner, threads)?;
        Ok(River { inner })
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The catalogue of event kinds.
    pub fn kinds(&self) -> &Kinds {
        &self.inner.kinds
    }

    /// All limits.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// The present time.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// The API key with that text, if it holds.
    pub fn key_of(&self, text: &str) -> Option<Arc<ApiKey>> {
        let key = self.inner.caches.key(&Digest::of(text.as_bytes()))?;
        key.holds(self.inner.clock.now()).then_some(key)
    }

    /// The number of an organization; `None` if there is none of that name.
    pub async fn organization(&self, name: &OrganizationName) -> Result<Option<OrganizationKey>, StoreError> {
        self.inner.caches.organization(name).await
    }

    /// Takes nothing up any more; what is under way goes on, and events are still accepted. Backtests end, since nothing is owed to them.
    pub fn stop_taking(&self) {
        self.inner.backtests.end();
        self.inner.lanes.step(|yard| yard.close());
    }

    /// Ends the river: nothing is taken up any more, what is under way may end within `grace`, and what was recorded is put on disk. What
    /// did not end is made again from its events by the next start.
    pub async fn shut_down(&self, grace: Duration) {
        self.stop_taking();
        self.inner.stop.send_replace(true);
        self.inner.lanes.end();
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let drained = tokio::time::timeout(grace, async {
            self.drained().await;
            while tasks.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            let (calls, attempts) = self.inner.lanes.look(|yard| yard.under_way());
            info!(
                calls,
                attempts, "the grace period is over; what is under way is made again by the next start"
            );
        }
        tasks.shutdown().await;
        if let Some(mark) = self.inner.lanes.look(|yard| yard.mark()) {
            self.inner.store.save_mark(mark);
        }
        self.inner.store.close().await;
        self.inner.client.close().await;
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // A guest ends within its own limits; the process does not wait for it.
        drop(threads);
    }

    /// Waits until no call and no attempt is under way.
    async fn drained(&self) {
        loop {
            let ended = self.inner.lanes.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.inner.lanes.look(|yard| yard.under_way()) == (0, 0) {
                return;
            }
            ended.await;
        }
    }
}

impl Inner {
    /// Starts a task that ends by itself when the river stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are let go of here.
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
    }

    /// What a start finds: runs that only a memory knew, and the heads of all lanes.
    async fn find_open_work(&self) -> Result<(), StoreError> {
        let found = self.store.recover().await?;
        if found > 0 {
            info!(runs = found, "runs of the last process are taken up again");
        }
        for head in self.store.queue_heads().await? {
            self.lanes.step(|yard| yard.wake(head.integration, head.organization, true, None));
        }
        for head in self.store.due_heads().await? {
            self.lanes
                .step(|yard| yard.wake(head.integration, head.organization, false, head.due));
        }
        Ok(())
    }

    async fn bring_open_chores(&self, tasks: &mut JoinSet<()>) -> Result<(), StoreError> {
        let mut open = Vec::new();
        for (number, integration, organization) in self.store.open_resumes().await? {
            self.lanes.step_after(|yard, after| yard.suspend(integration, organization, after));
            open.push(Chore::Resume(number, integration, organization));
        }
        for (integration, organization) in self.store.deleted_with_open_rows().await? {
            open.push(Chore::Cancel(integration, organization));
        }
        for (integration, organization) in self.store.held_heads().await? {
            open.push(Chore::WakeHeld(integration, organization));
        }
        open.push(Chore::Look);
        let chores = self.chores.clone();
        tasks.spawn(async move {
            for chore in open {
                if chores.send(chore).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}
