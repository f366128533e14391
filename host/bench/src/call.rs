//! The plugin call beside a bare wasmtime loop: the same component, the same event, a fresh instance each time.
//!
//! `bare` is the least that wasmtime can do for it: synchronous, on its own engine with warm slots, no interruption, no
//! limits, no clock to stop, no log. `hookmill` is the product's plugin room as the river uses it, with its look-up.
//! Both must give back the event's bytes, for the component is the passthrough and the event stands in its payload's
//! form.

mod bare;
mod room;

use crate::stats::{Spread, percentile};
use crate::{event, machine, report};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The product's default plugin, as it is built into the host.
const PASSTHROUGH: &[u8] = include_bytes!("../../../plugins/passthrough/passthrough.wasm");
/// The largest number of different plugins: as many as the product keeps warm by default.
const PLUGINS_MAX: u32 = 256;

/// Its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Rounds of each
    #[arg(long, default_value_t = Settings::default().rounds, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Calls of a round
    #[arg(long, default_value_t = Settings::default().calls, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    calls: u32,
    /// Different plugins that are called in turn
    #[arg(long, value_delimiter = ',', default_values_t = Settings::default().plugins, value_parser = clap::value_parser!(u32).range(1..=i64::from(PLUGINS_MAX)))]
    plugins: Vec<u32>,
    /// Where the compiled components lie for this run; beside this program if not given
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            rounds: 5,
            calls: 20_000,
            plugins: vec![1, 64],
            folder: None,
        }
    }
}

/// Both loops over the same plugins, ready to be called.
pub struct Loops {
    bare: bare::Bare,
    room: room::Room,
}

impl Loops {
    /// Makes so many different plugins ready; compiled ones lie in a folder below this one as long as the loops live.
    ///
    /// # Errors
    /// When an engine or a component can not be made ready.
    pub fn open(plugins: u32, folder: &Path) -> Result<Loops> {
        let components = different(plugins);
        Ok(Loops {
            bare: bare::Bare::open(&components).context("make the bare loop ready")?,
            room: room::Room::open(&components, folder).context("make the product's room ready")?,
        })
    }

    /// Calls by wasmtime alone, the plugins in turn: how long all these calls took.
    ///
    /// # Errors
    /// When a call fails, or does not give back its event.
    pub fn bare(&self, calls: u32) -> Result<Duration> {
        self.bare.call(calls).map(sum)
    }

    /// The same by the product's room.
    ///
    /// # Errors
    /// When a call fails, or does not give back its event.
    pub fn room(&self, calls: u32) -> Result<Duration> {
        self.room.call(calls).map(sum)
    }
}

fn sum(took_ns: Vec<u64>) -> Duration {
    Duration::from_nanos(took_ns.iter().sum())
}

/// How long the calls of one round took.
struct Round {
    p50_us: f64,
    p99_us: f64,
}

/// Runs all rounds and prints their table.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("find the folder of this program")?;
    let folder = settings.folder.as_deref().unwrap_or(beside);
    println!("A plugin call beside a bare wasmtime loop\n");
    machine::print(folder)?;
    println!(
        "  method    the passthrough on an event of {} bytes, a fresh instance each call, one call at a time;",
        event::EVENT_BYTES
    );
    println!(
        "            {} rounds each, in turns; {} calls of a round after a tenth of that to warm up",
        settings.rounds, settings.calls
    );
    for &plugins in &settings.plugins {
        let Loops { bare, room } = Loops::open(plugins, folder)?;
        let (mut of_bare, mut of_room) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            of_bare.push(round(settings.calls, |calls| bare.call(calls))?);
            of_room.push(round(settings.calls, |calls| room.call(calls))?);
        }
        print(plugins, &of_bare, &of_room);
    }
    Ok(())
}

/// So many components that differ in their digest alone.
fn different(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(numbered).collect()
}

/// The passthrough with a number in a custom section at the end.
pub(crate) fn numbered(number: u32) -> Vec<u8> {
    let name = b"number";
    let mut content = vec![name.len() as u8];
    content.extend_from_slice(name);
    content.extend_from_slice(&number.to_le_bytes());
    [PASSTHROUGH, &[0, content.len() as u8], content.as_slice()].concat()
}

/// Warms up, then measures. `call` gives each call's nanoseconds.
fn round(calls: u32, call: impl Fn(u32) -> Result<Vec<u64>>) -> Result<Round> {
    call(calls / 10)?;
    let mut took_ns = call(calls)?;
    took_ns.sort_unstable();
    let us = |per_cent| percentile(&took_ns, per_cent) as f64 / 1e3;
    Ok(Round {
        p50_us: us(50),
        p99_us: us(99),
    })
}

fn nanoseconds_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The answer that both must give.
fn check(body: &[u8], event: &[u8]) -> Result<()> {
    ensure!(body == event, "the passthrough answered {}", String::from_utf8_lossy(body));
    Ok(())
}

fn print(plugins: u32, bare: &[Round], room: &[Round]) {
    match plugins {
        1 => println!("\nOne plugin"),
        _ => println!("\n{plugins} plugins in turn"),
    }
    println!("                  p50, µs               p99, µs");
    println!("              median    min    max       median");
    for (name, rounds) in [("bare", bare), ("hookmill", room)] {
        let p50_us = Spread::of(rounds.iter().map(|round| round.p50_us));
        let p99_us = Spread::of(rounds.iter().map(|round| round.p99_us));
        if let (Some(p50), Some(p99)) = (p50_us, p99_us) {
            println!("  {name:10}{:>8.2}{:>7.2}{:>7.2}{:>13.2}", p50.median, p50.min, p50.max, p99.median);
        }
    }
    let p50_us = |rounds: &[Round]| rounds.iter().map(|round| round.p50_us).collect::<Vec<f64>>();
    report::ratios("p50", "the bare loop", &p50_us(bare), &p50_us(room));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_loop_gives_back_the_event_through_each_of_several_plugins() {
        let components = different(3);
        let bare = bare::Bare::open(&components).expect("the passthrough needs no host");
        assert_eq!(bare.call(7).expect("it answers with the event").len(), 7);
        assert!(check(b"{}", b"{} ").is_err());
    }
}
