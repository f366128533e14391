//! The plugin room for one command: the host's engine with a host's limits, in a temporary folder.

use std::process::ExitCode;

use anyhow::Context as _;
use hookmill_domain::limits::PluginLimits;
use hookmill_plugin_room::{Plugins, Settings};

use crate::commands::INTERRUPTED;
use crate::house;

/// One component at a time is called.
const THREADS: u32 = 1;
/// Warm slots cost address space, and one component needs no more.
const HOT_SLOTS: u32 = 2;

/// Lets `work` use a room with these limits. Ctrl-C ends it, and the temporary folder goes with it.
pub(crate) fn with(limits: &PluginLimits, work: impl AsyncFnOnce(Plugins) -> anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("hookmill-plugin-").tempdir();
    let folder = folder.context("a temporary folder can not be made")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut settings = Settings::new(folder.path().join("artifacts"), house::compiler()?);
    settings.limits = limits.clone();
    settings.threads = THREADS;
    settings.hot_slots = HOT_SLOTS;
    let plugins = Plugins::open(settings)?;
    let worked = runtime.block_on(async {
        tokio::select! {
            worked = work(plugins) => worked,
            asked = tokio::signal::ctrl_c() => {
                asked?;
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    });
    runtime.shutdown_background();
    folder.close().context("the temporary folder can not be removed")?;
    worked
}
