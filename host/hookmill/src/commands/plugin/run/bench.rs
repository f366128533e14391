//! `hookmill plugin bench`: how long a component takes on events, called as a host calls it.

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::given::Given;
use super::{Callee, Task, call, check_config};
use crate::commands::plugin::component::{self, size};
use crate::commands::plugin::workshop;
use crate::screen::{Screen, bad, faint, plain, strong};

/// Whatever is asked for, nobody waits longer.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Calls of a component are timed, one at a time, each in a fresh instance, after one of each event to warm up. Ends with 0 where none of
/// them parked its run, else with 1.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    given: Given,
    /// How many calls are timed, over the events in turn; no more than a minute's
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
}

/// What they took. Its form as JSON is for programs: fields are added, not changed.
#[derive(Debug, Serialize)]
struct Took {
    /// Fewer than were asked for where a minute was over.
    calls: usize,
    parked: usize,
    min_us: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    /// The most memory that a call had.
    memory_bytes: u64,
    /// The machine's, of which one was used.
    cores: usize,
    architecture: &'static str,
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let task = self.given.asked()?;
        let limits = task.limits.clone();
        workshop::with(&limits, async |plugins| {
            let mut screen = Screen::stdout();
            let bytes = component::read(&self.given.component, limits.component_bytes_max)?;
            let Some((found, component)) = self.given.take(&mut screen, &plugins, bytes).await? else {
                return Ok(ExitCode::FAILURE);
            };
            let Task { events, setting, .. } = task;
            check_config(&plugins, found.schema.as_deref(), &setting.facts.config).await?;
            let callee = Callee { component, fueled: None };
            for number in 0..events.len() {
                call(&plugins, &callee, &setting, &events, number).await?;
            }
            let (mut durations, mut parked, mut memory_bytes) = (Vec::new(), 0, 0);
            let begun = Instant::now();
            for number in (0..events.len()).cycle().take(self.calls as usize) {
                let call_begun = Instant::now();
                let told = call(&plugins, &callee, &setting, &events, number).await?;
                durations.push(call_begun.elapsed());
                parked += usize::from(told.is_parked());
                memory_bytes = told.tried.call.memory_bytes.max(memory_bytes);
                if begun.elapsed() > TIME_MAX {
                    break;
                }
            }
            let took = Took::of(durations, parked, memory_bytes);
            if self.given.json {
                screen.json(&took)?;
            } else {
                self.show(&mut screen, &took, events.len())?;
            }
            screen.flush()?;
            Ok(if parked == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }

    fn show<W: io::Write>(&self, screen: &mut Screen<W>, took: &Took, events: usize) -> io::Result<()> {
        let name = self.given.component.display().to_string();
        screen.line(&[
            strong(name),
            plain(format!(" called {} times, on {events} events in turn", took.calls)),
        ])?;
        for (what, us) in [
            ("median", took.p50_us),
            ("99 %", took.p99_us),
            ("least", took.min_us),
            ("most", took.max_us),
        ] {
            screen.line(&[faint(format!("  {what:<8}")), plain(format!("{us:>10.1} µs"))])?;
        }
        screen.line(&[faint("  memory  "), plain(format!("{:>13}", size(took.memory_bytes)))])?;
        let machine = format!("  one call at a time, on one of {} cores, {}", took.cores, took.architecture);
        screen.line(&[faint(machine)])?;
        if took.parked > 0 {
            screen.line(&[bad(format!("  {} of them parked their run: `plugin run` shows why", took.parked))])?;
        }
        if cfg!(debug_assertions) {
            screen.line(&[faint("  a debug build: these figures say nothing of a host")])?;
        }
        Ok(())
    }
}

impl Took {
    fn of(mut durations: Vec<Duration>, parked: usize, memory_bytes: u64) -> Took {
        durations.sort_unstable();
        // By nearest rank.
        let at = |per_cent: usize| {
            let rank = (durations.len() * per_cent).div_ceil(100).max(1);
            durations.get(rank - 1).map_or(0.0, |duration| duration.as_secs_f64() * 1e6)
        };
        Took {
            calls: durations.len(),
            parked,
            min_us: at(0),
            p50_us: at(50),
            p99_us: at(99),
            max_us: at(100),
            memory_bytes,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            architecture: std::env::consts::ARCH,
        }
    }
}
