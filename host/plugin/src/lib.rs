//! The sealed room: runs tenants' components, and alone names wasmtime.
//!
//! Bytes come in at an upload and are inspected: scanned, compiled in a child process, tried under the limits. A call looks its
//! component up (or loads it from the folder of artifacts, or has it compiled again) and runs it on one event in an instance of its
//! own, which is dropped afterwards. What comes out is an outcome or a fault, and what the guest logged.
//!
//! What holds, whatever a guest does:
//! - Nothing it sends panics or stalls the host: CPU time, wall-clock time, memory, tables, stack, output, requests, log and handles are
//!   limited, and a running guest gives its thread away every millisecond or two.
//! - A call is a function of its component and of what it is given: clocks stand at the event's acceptance and move on by sleeping
//!   alone, random numbers come out of a seed, there are no files, sockets, environment or arguments, and NaNs have one shape.
//! - No credential comes in here: not a URL, header value or secret of any target.
//! - How much a call computes can be told by a number that is the same on every machine (`fuel.rs`), without a host's calls paying for it.
//! - No engine of this process can compile. What it runs was compiled by a child of the same binary and is verified by digest before
//!   it is mapped, unless it comes from the child at once.
//!
//! Nothing here knows organizations, the store, HTTP or the network. Fairness between tenants is the caller's affair: this room bounds
//! how many calls run at once, not whose they are.
//!
//! The methods that wait want a tokio runtime with its timers; loading and inspecting also want its I/O (child processes are awaited).
//! Wasmtime's features left out on purpose: concurrency and asynchronous components, garbage collection, threads, stack switching, the
//! baseline compiler, its own cache, and debugging.

mod ahead;
mod artifacts;
mod aside;
mod call;
mod child;
mod compiling;
mod contract;
mod engine;
mod fault;
mod findings;
mod fuel;
mod inspect;
mod interrupt;
mod linking;
mod loaded;
mod log;
mod manners;
mod mapping;
mod memory;
mod meter;
mod prescan;
mod process;
mod refusal;
mod report;
mod sandbox;
mod schema;
mod seal;
mod settings;
mod ticker;
mod turns;
mod wasi;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::limits::PluginLimits;
use tokio::sync::Semaphore;

pub use ahead::{Ahead, Precompiler};
pub use artifacts::Swept;
pub use call::{Call, Called};
pub use child::compile_child;
pub use contract::ContractVersion;
pub use fuel::{Fuel, Fueled, Uncounted};
pub use inspect::{Inspection, Needs};
pub use interrupt::Interrupter;
pub use loaded::Component;
pub use manners::{give_way, stand_back};
pub use process::CompilerCommand;
pub use refusal::{CompileLimit, LimitName, LoadError, Refusal, Stage};
pub use report::{Allowed, NeedsTold, Report};
pub use settings::{OpenError, Settings};

use artifacts::Artifacts;
use compiling::Compiler;
use engine::Tiers;
use findings::Findings;
use inspect::Known;
use loaded::Loaded;
use schema::{Question, Verdict};
use ticker::Ticker;
use turns::Lane;

/// The room. Cheap to clone; all clones are the same room.
#[derive(Clone)]
pub struct Plugins(Arc<Room>);

struct Room {
    limits: PluginLimits,
    tiers: Tiers,
    ticker: Ticker,
    artifacts: Arc<Artifacts>,
    compiler: Compiler,
    loaded: Arc<Loaded>,
    findings: Findings,
    /// Artifacts that are read at once: no more than there can be calls, however many components are waited for.
    reads: Semaphore,
}

/// A configuration that its plugin's schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{pointer}`: {message}")]
pub struct ConfigError {
    /// The JSON pointer to what is wrong; empty: the whole.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

/// Why a configuration is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CheckError {
    /// The schema does not allow it.
    #[error("the configuration does not fit the plugin's schema")]
    Config(#[from] ConfigError),
    /// The schema itself can not be used, or takes too long.
    #[error("the plugin's configuration schema can not be used: {message}")]
    Schema {
        /// Why.
        message: String,
    },
    /// Too many are being checked. Trying again later helps.
    #[error("too many configurations are being checked; try again later")]
    Busy,
    /// The host failed.
    #[error("the host could not check the configuration")]
    Host(#[source] Arc<std::io::Error>),
}

impl Plugins {
    /// Makes the room ready: engines with their slots, the folder of artifacts, the ticking thread.
    pub fn open(settings: Settings) -> Result<Plugins, OpenError> {
        let loaded = Arc::new(Loaded::new(settings.loaded_bytes_max, settings::loaded_count_max()));
        let of_artifacts = Arc::clone(&loaded);
        let in_use = Box::new(move |digest: &Digest| of_artifacts.has(digest));
        let artifacts = Artifacts::open(
            &settings.artifacts_dir,
            engine::own_compatibility()?,
            settings.artifacts_bytes_max,
            in_use,
        )
        .map_err(|source| settings.no_artifacts(source))?;
        let tiers = Tiers::open(&settings.limits, settings.calls_at_once(), settings.hot_slots).map_err(OpenError::engine)?;
        let reads_at_once = settings.calls_at_once();
        let ticker = Ticker::start(&[&tiers.small.engine, &tiers.large.engine]).map_err(OpenError::Thread)?;
        Ok(Plugins(Arc::new(Room {
            compiler: Compiler::new(&settings),
            loaded,
            limits: settings.limits,
            tiers,
            ticker,
            artifacts: Arc::new(artifacts),
            findings: Findings::default(),
            reads: Semaphore::new(reads_at_once as usize),
        })))
    }

    /// A component that is loaded. This is the way of the hot path: no I/O, no wait.
    pub fn loaded(&self, digest: &Digest) -> Option<Component> {
        self.0.loaded.get(digest)
    }

    /// How many components are loaded.
    pub fn loaded_count(&self) -> usize {
        self.0.loaded.len()
    }

    /// What the loaded components weigh, in bytes: their artifacts, and a little each.
    pub fn loaded_bytes(&self) -> u64 {
        self.0.loaded.bytes()
    }

    /// What interrupts running guests. It keeps nothing of the room alive.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        let Tiers { small, large } = &self.0.tiers;
        Interrupter::new([&small.engine, &large.engine])
    }

    /// A component, loaded from its artifact if it is not; if there is no sound artifact for this engine, `fetch` is asked for the
    /// component's bytes and they are compiled, when it is that organization's turn. However many ask for the same component at once, it is
    /// loaded once for each organization at most. `None` as the organization: the host.
    pub async fn load<F, Fut, E>(&self, organization: Option<OrganizationKey>, digest: Digest, fetch: F) -> Result<Component, LoadError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Bytes, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let room = &self.0;
        let refused = |refusal: Refusal| LoadError::Refused(Arc::new(refusal));
        room.loaded
            .get_or_load(organization, digest, async || {
                // The bytes are those that were kept, and no engine takes them: they may be another compiler's.
                let is_foreign = match inspect::from_disk(room, digest).await {
                    Ok(Some(component)) => return Ok(component),
                    Ok(None) => false,
                    Err(refusal) if refusal.is_passing() || room.findings.was_made_in_vain(&digest) => return Err(refused(refusal)),
                    Err(_) => true,
                };
                if let Some(refusal) = room.findings.refusal(&digest, Instant::now()) {
                    return Err(LoadError::Refused(refusal));
                }
                let turn = room.compiler.turn(organization, Lane::Load).await.map_err(refused)?;
                // Another organization that has the same bytes may have had its turn before.
                if let Some(component) = room.loaded.get(&digest) {
                    return Ok(component);
                }
                // An upload of the same bytes may have compiled them meanwhile, or somebody ahead of need.
                if !is_foreign && let Some(component) = inspect::from_disk(room, digest).await.map_err(refused)? {
                    return Ok(component);
                }
                // Not before: components are large, and many may wait.
                let bytes = ahead::fetched(digest, fetch).await?;
                if let Err(refusal) = room.compiler.compile(&turn, digest, bytes, &room.artifacts).await {
                    let refusal = Arc::new(refusal);
                    room.findings.refused(digest, &refusal, Instant::now());
                    return Err(LoadError::Refused(refusal));
                }
                let made = inspect::from_disk(room, digest).await;
                if made.as_ref().is_err_and(|refusal| !refusal.is_passing()) {
                    room.findings.made_in_vain(digest);
                }
                made.map_err(refused)?
                    .ok_or_else(|| refused(compiling::host(std::io::Error::other("the artifact is gone"))))
            })
            .await
    }

    /// Inspects an organization's upload: whether it is a plugin that this host can run. On success it is compiled and loaded. `None` as the
    /// organization: the host.
    ///
    /// The caller bounds how many uploads an organization has under way.
    pub async fn inspect(&self, organization: Option<OrganizationKey>, bytes: Bytes) -> Result<Inspection, Refusal> {
        inspect::inspect(&self.0, organization, bytes, Known::No).await
    }

    /// The same for bytes that the plugin has already: they are not compiled again.
    pub async fn inspect_again(&self, organization: Option<OrganizationKey>, bytes: Bytes) -> Result<Inspection, Refusal> {
        inspect::inspect(&self.0, organization, bytes, Known::Yes).await
    }

    /// Runs a component on one event, in an instance of its own, within the limits.
    ///
    /// It never panics and never fails but by a [`Fault`](hookmill_domain::outcome::Fault): with the code `unavailable` if the host
    /// could not give it what it needs, else by what the guest did. Dropping the future ends the call.
    pub async fn transform(&self, component: &Component, call: &Call<'_>) -> Called {
        call::transform(component, call, &self.0.limits, &self.0.ticker).await
    }

    /// Checks an integration's `plugin_config` (JSON text, `null` if there is none) by its plugin's schema.
    pub async fn check_config(&self, schema: &str, config: &str) -> Result<(), CheckError> {
        let question = Question {
            schema: schema.to_owned(),
            config: Some(config.to_owned()),
        };
        match self.0.compiler.judge(&question).await {
            Ok(Verdict::Valid) => Ok(()),
            Ok(Verdict::BadConfig { pointer, message }) => Err(ConfigError { pointer, message }.into()),
            Ok(Verdict::BadSchema { message }) => Err(CheckError::Schema { message }),
            Err(Refusal::Busy) => Err(CheckError::Busy),
            Err(Refusal::Host(error)) => Err(CheckError::Host(error)),
            Err(_) => Err(CheckError::Schema {
                message: "it takes too long to judge this configuration by it".to_owned(),
            }),
        }
    }
}
