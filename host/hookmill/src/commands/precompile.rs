//! `hookmill precompile`: compiles for this binary's engine what a host will need, before this binary takes the host's place.
//!
//! The host goes on meanwhile, of whatever release it is: its database is read as it stands, without its lock; its artifacts, and what it is
//! just writing, stay as they are.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use futures_util::StreamExt as _;
use hookmill_plugin_room::{Ahead, LoadError, Precompiler, Settings};
use hookmill_store::{Beside, ComponentInUse};

use super::plugin::size;
use crate::config::{self, Flags};
use crate::house;
use crate::screen::{Screen, bad, faint, good, plain, strong};

/// Lines of progress are so far apart.
const PROGRESS_PERIOD: Duration = Duration::from_secs(1);
/// The most components that are compiled at once.
const JOBS_MAX: u16 = 256;

/// Compiles the components in use for this binary, beside the host that it is to replace. Ends with 1 if some could not be compiled.
#[derive(Debug, Args)]
pub(crate) struct Precompile {
    /// The host's data folder [default: ./hookmill-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A configuration file in TOML
    #[arg(long, value_name = "FILE", env = "HOOKMILL_CONFIG")]
    config: Option<OsString>,
    /// Components that are compiled at once [default: one for two cores]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    jobs: Option<u16>,
}

/// What was made of the components so far.
#[derive(Debug, Default)]
struct Totals {
    compiled: usize,
    artifact_bytes: u64,
    were_there: usize,
    failed: usize,
    /// For want of room in the folder of artifacts.
    left: usize,
    /// Deleted before their turn.
    gone: usize,
}

impl Totals {
    fn count(&self) -> usize {
        self.compiled + self.were_there + self.failed + self.left + self.gone
    }
}

impl Precompile {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let flags = Flags {
            data: self.data,
            ..Flags::default()
        };
        let config = config::load(config::named(self.config), &flags)?;
        let beside = Beside::open(&config.data)?;
        let mut settings = Settings::new(config.data.join(house::ARTIFACTS), house::compiler()?);
        settings.limits = config.limits.plugin.clone();
        if let Some(jobs) = self.jobs {
            settings.compiles_at_once = usize::from(jobs);
        }
        let precompiler = Precompiler::open(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let worked = runtime.block_on(async {
            tokio::select! {
                worked = work(&beside, &precompiler, settings.compiles_at_once) => worked,
                asked = tokio::signal::ctrl_c() => {
                    asked?;
                    Ok(ExitCode::from(super::INTERRUPTED))
                }
            }
        });
        runtime.shutdown_background();
        worked
    }
}

async fn work(beside: &Beside, precompiler: &Precompiler, jobs: usize) -> anyhow::Result<ExitCode> {
    let components = beside.components_in_use().await.context("the database can not be read")?;
    let count = components.len();
    let mut screen = Screen::stdout();
    let begun = Instant::now();
    let (mut totals, mut told) = (Totals::default(), begun);
    // The most used come first, and so does what is compiled if there is no room for all.
    let compiles = components.into_iter().map(|component| compile(beside, precompiler, component));
    let mut compiles = futures_util::stream::iter(compiles).buffer_unordered(jobs);
    while let Some((component, done)) = compiles.next().await {
        match done {
            Some(Ok(Ahead::Compiled { artifact_bytes })) => {
                totals.compiled += 1;
                totals.artifact_bytes += artifact_bytes;
            }
            Some(Ok(Ahead::WasThere)) => totals.were_there += 1,
            Some(Ok(Ahead::NoRoom | Ahead::GaveWay)) => totals.left += 1,
            None => totals.gone += 1,
            Some(Err(failure)) => {
                totals.failed += 1;
                let why = format!(": {:#}", anyhow::Error::from(failure));
                screen.line(&[bad("not compiled "), strong(name(&component)), plain(why)])?;
                screen.flush()?;
            }
        }
        if told.elapsed() >= PROGRESS_PERIOD {
            told = Instant::now();
            screen.line(&[faint(format!("{} of {count}", totals.count()))])?;
            screen.flush()?;
        }
    }
    screen.line(&[
        plain(format!("{count} components in use: ")),
        good(format!("{} compiled", totals.compiled)),
        plain(format!(
            " to {} in {:.1} s, {} were compiled already",
            size(totals.artifact_bytes),
            begun.elapsed().as_secs_f64(),
            totals.were_there
        )),
    ])?;
    if totals.left > 0 {
        let told = format!("{} are left: the folder of artifacts is full", totals.left);
        screen.line(&[bad(told)])?;
    }
    if totals.failed > 0 {
        screen.line(&[bad(format!("{} could not be compiled", totals.failed))])?;
    }
    screen.flush()?;
    Ok(if totals.failed + totals.left == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `None`: it was deleted meanwhile.
async fn compile(
    beside: &Beside,
    precompiler: &Precompiler,
    component: ComponentInUse,
) -> (ComponentInUse, Option<Result<Ahead, LoadError>>) {
    let digest = component.digest;
    let mut is_gone = false;
    let fetch = async || {
        let found = beside.component(digest).await;
        is_gone = matches!(found, Ok(None));
        let bytes = found.map_err(|failure| std::io::Error::other(failure.to_string()))?;
        bytes.ok_or_else(|| std::io::Error::other("the component is not stored"))
    };
    let done = precompiler.compile(digest, fetch).await;
    (component, (!is_gone).then_some(done))
}

/// As an operator knows it: whose plugin it is, its name and version.
fn name(component: &ComponentInUse) -> String {
    let ComponentInUse {
        organization,
        plugin,
        version,
        ..
    } = component;
    match organization {
        Some(organization) => format!("{plugin}@{version} of {organization}"),
        None => format!("{plugin}@{version}"),
    }
}
