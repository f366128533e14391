//! What the room is told when it is opened.

use std::path::PathBuf;

use hookmill_domain::limits::PluginLimits;

use crate::process::CompilerCommand;

const MIB: u64 = 1024 * 1024;

/// How the room is furnished.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What components and calls may use.
    pub limits: PluginLimits,
    /// The folder of compiled artifacts: the room's own, made with mode 0700 if it is not there. It may be deleted while no host runs.
    pub artifacts_dir: PathBuf,
    /// What that folder may hold.
    pub artifacts_bytes_max: u64,
    /// How the compiling child process is started.
    pub compiler: CompilerCommand,
    /// Child processes that compile at once.
    pub compiles_at_once: usize,
    /// What the loaded components may weigh: their mapped artifacts, and a little each.
    pub loaded_bytes_max: u64,
    /// Warm slots for small components: two to four times as many as there are plugins in use together. Each keeps at most 1 MiB of
    /// memory resident.
    pub hot_slots: u32,
    /// The threads that poll [`Plugins::transform`](crate::Plugins::transform): with `calls_at_once_per_thread` of the limits it gives
    /// the calls under way at once.
    pub threads: u32,
}

/// Calls beside those of the threads: dry runs and backtests. Uploads are called by as many as compile.
const SIDE_CALLS: u32 = 8;

impl Settings {
    /// The defaults, for a folder and a child process.
    pub fn new(artifacts_dir: impl Into<PathBuf>, compiler: CompilerCommand) -> Settings {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            limits: PluginLimits::default(),
            artifacts_dir: artifacts_dir.into(),
            artifacts_bytes_max: 8 * 1024 * MIB,
            compiler,
            compiles_at_once: (cores / 2).max(1),
            loaded_bytes_max: 1024 * MIB,
            hot_slots: 256,
            threads: u32::try_from(cores).unwrap_or(u32::MAX),
        }
    }

    /// Why the folder of artifacts can not be used.
    pub(crate) fn no_artifacts(&self, source: std::io::Error) -> OpenError {
        OpenError::Artifacts {
            dir: self.artifacts_dir.clone(),
            source,
        }
    }

    /// Calls of both kinds of components: who gives out turns at the threads gives them out among all calls, so here none of them waits.
    pub(crate) fn calls_at_once(&self) -> u32 {
        self.threads
            .saturating_mul(self.limits.calls_at_once_per_thread)
            .saturating_add(SIDE_CALLS)
            .saturating_add(u32::try_from(self.compiles_at_once).unwrap_or(u32::MAX))
    }
}

/// Why the room can not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine can not be made; mostly because its slots do not fit the address space.
    #[error("the plugin engine can not be made; fewer hot slots may fit")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder of artifacts can not be used.
    #[error("the folder {} can not be used for compiled plugins", dir.display())]
    Artifacts {
        /// The folder.
        dir: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
    /// There is no thread to be had.
    #[error("the plugin ticker can not be started")]
    Thread(#[source] std::io::Error),
}

impl OpenError {
    pub(crate) fn engine(error: wasmtime::Error) -> OpenError {
        OpenError::Engine(error.into_boxed_dyn_error())
    }
}

/// How many components may be loaded: each keeps a file open, and a quarter of the process's may be theirs.
pub(crate) fn loaded_count_max() -> usize {
    const COUNT_MIN: u64 = 64;
    const COUNT_MAX: u64 = 16 * 1024;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX);
    usize::try_from((files / 4).clamp(COUNT_MIN, COUNT_MAX)).expect("at most COUNT_MAX")
}
