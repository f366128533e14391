//! Who may have a child process, when, and what is made of what comes out of it.
//!
//! At most half of the cores compile at a time, or the one that there is, and one component of an organization's. Uploads and loads, which a
//! waiting event needs, wait in a queue each, and are served in turns; in each, so are organizations. What is compiled ahead, for
//! nobody yet, begins where no upload and no load could, and gives its turn up when one of them could have it. Judging a configuration
//! takes milliseconds and does not wait for compiling. A child is killed when whoever waits for it stops waiting.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::artifacts::Artifacts;
use crate::child::{ChildLimits, Job, NICENESS, NICENESS_AHEAD};
use crate::engine::Metering;
use crate::process::{CompilerCommand, Hashing, run};
use crate::refusal::Refusal;
use crate::schema::{Question, Verdict};
use crate::settings::Settings;
use crate::turns::{Lane, Party, Turn, Turns};

/// The largest artifact that is kept; StarlingMonkey compiles to 37 MB.
const ARTIFACT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Clients that wait for their turn, with uploads or with configurations to judge; an upload is in memory while it waits.
const WAITING_MAX: usize = 16;
/// Loads that wait for their turn, a few of each organization. One that waits takes some hundred bytes, since a component is read in its
/// turn; if there were more of them, they would be told to come again.
const LOADS_WAITING_MAX: usize = 16 * 1024;
/// How many times its CPU time a component gets that is compiled with the counting of fuel in it: there is more to compile, and what a host
/// takes can be counted.
const CPU_FACTOR_FUEL: u64 = 2;
/// What judging a configuration may use.
const JUDGE_LIMITS: ChildLimits = ChildLimits {
    cpu_seconds: 2,
    memory_bytes: 1024 * 1024 * 1024,
    input_bytes_max: 4 * 1024 * 1024,
    niceness: NICENESS,
};
/// The longest verdict.
const VERDICT_BYTES_MAX: u64 = 64 * 1024;

/// An artifact as it came out of a child, in memory. Nothing else makes one.
#[derive(Debug)]
pub(crate) struct Fresh(Vec<u8>);

impl Fresh {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A test's own, compiled as a child would.
    #[cfg(test)]
    pub(crate) fn by(engine: &wasmtime::Engine, component: &[u8]) -> Fresh {
        Fresh(engine.precompile_component(component).expect("a component"))
    }
}

/// Starts the children.
#[derive(Debug)]
pub(crate) struct Compiler {
    command: CompilerCommand,
    compile: ChildLimits,
    compiles: Turns,
    judges: Queue,
}

/// So many at once, and so many that wait.
#[derive(Debug)]
struct Queue {
    turns: Semaphore,
    waiting: AtomicUsize,
}

/// A place among those that wait, given back when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Compiler {
    pub(crate) fn new(settings: &Settings) -> Compiler {
        let limits = &settings.limits;
        let at_once = settings.compiles_at_once.max(1);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Compiler {
            command: settings.compiler.clone(),
            compile: ChildLimits {
                cpu_seconds: limits.compile_cpu_seconds,
                memory_bytes: limits.compile_memory_bytes,
                input_bytes_max: limits.component_bytes_max,
                niceness: NICENESS,
            },
            compiles: Turns::new(at_once, WAITING_MAX, LOADS_WAITING_MAX),
            judges: Queue::new(cores),
        }
    }

    /// A turn at compiling, unless too many wait for one.
    pub(crate) async fn turn(&self, party: Party, lane: Lane) -> Result<Turn, Refusal> {
        self.compiles.turn(party, lane).await.ok_or(Refusal::Busy)
    }

    /// Compiles a component, in a turn, and keeps its artifact, for which others go where there is no room.
    pub(crate) async fn compile(&self, _turn: &Turn, component: Digest, bytes: Bytes, artifacts: &Arc<Artifacts>) -> Result<(), Refusal> {
        self.make(component, bytes, &self.compile, artifacts).await?;
        let artifacts = Arc::clone(artifacts);
        blocking(move || artifacts.make_room(&component)).await.map_err(host)
    }

    /// Does work that nobody waits for in a turn that nobody wants. `None`: it was given up for something that somebody waits for.
    pub(crate) async fn spare<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.compiles.spare(work).await
    }

    /// Compiles a component that nobody waits for. Answers the artifact's size.
    pub(crate) async fn compile_ahead(&self, component: Digest, bytes: Bytes, artifacts: &Arc<Artifacts>) -> Result<u64, Refusal> {
        let limits = ChildLimits {
            niceness: NICENESS_AHEAD,
            ..self.compile
        };
        self.make(component, bytes, &limits, artifacts).await
    }

    async fn make(&self, component: Digest, bytes: Bytes, limits: &ChildLimits, artifacts: &Arc<Artifacts>) -> Result<u64, Refusal> {
        let artifact = artifacts.begin().map_err(host)?;
        let file = artifact.reopen().map_err(host)?;
        let mut file = Hashing {
            file: tokio::fs::File::from_std(file),
            hash: Sha256::new(),
        };
        let compile = Job::Compile(Metering::Epochs);
        let size = run(&self.command, compile, limits, &bytes, &mut file, ARTIFACT_BYTES_MAX).await?;
        file.file.flush().await.map_err(host)?;
        let digest = Digest::from_bytes(file.hash.finalize().into());
        let artifacts = Arc::clone(artifacts);
        blocking(move || artifacts.keep(&component, artifact, &digest))
            .await
            .map_err(host)?;
        Ok(size)
    }

    /// Compiles a component for an engine that counts fuel. What comes out lies in no folder, where another engine might look for its own.
    pub(crate) async fn compile_with_fuel(&self, bytes: Bytes) -> Result<Fresh, Refusal> {
        let _turn = self.turn(None, Lane::Upload).await?;
        let mut artifact = Vec::new();
        let limits = ChildLimits {
            cpu_seconds: self.compile.cpu_seconds.saturating_mul(CPU_FACTOR_FUEL),
            ..self.compile
        };
        let compile = Job::Compile(Metering::Fuel);
        run(&self.command, compile, &limits, &bytes, &mut artifact, ARTIFACT_BYTES_MAX).await?;
        Ok(Fresh(artifact))
    }

    /// Judges a schema, and a configuration by it.
    pub(crate) async fn judge(&self, question: &Question) -> Result<Verdict, Refusal> {
        let _judge = self.judges.turn().await?;
        let question = serde_json::to_vec(question).map_err(|error| host(error.into()))?;
        let mut verdict = Vec::new();
        run(&self.command, Job::Judge, &JUDGE_LIMITS, &question, &mut verdict, VERDICT_BYTES_MAX).await?;
        serde_json::from_slice(&verdict).map_err(|error| host(error.into()))
    }
}

impl Queue {
    fn new(at_once: usize) -> Queue {
        Queue {
            turns: Semaphore::new(at_once),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a turn, unless too many do.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let before = self.waiting.fetch_add(1, SeqCst);
        let _place = Place(&self.waiting);
        if before >= WAITING_MAX {
            return Err(Refusal::Busy);
        }
        Ok(self.turns.acquire().await.expect(NEVER_CLOSED))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

const NEVER_CLOSED: &str = "nobody closes the semaphores";

/// The host's own failure, as a refusal.
pub(crate) fn host(error: io::Error) -> Refusal {
    Refusal::Host(Arc::new(error))
}

/// Runs what waits for a disk on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the work was given up")))
}
