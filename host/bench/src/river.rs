//! The river against its floor: the rounds, in turns, and what each of them gave.

use crate::ledger::Ledger;
use crate::receiver::Receiver;
use crate::server::{Server, System, calls_us};
use crate::stats::percentile;
use crate::{load, machine, process, report};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The longest a round may take before what is missing is named and the benchmark ends.
const ROUND_MAX: Duration = Duration::from_secs(180);
/// Events before the measured ones: connections open, caches and files warm.
const WARM_UP_EVENTS: u32 = 2_000;
const WARM_UP_EVENTS_SLOW: u32 = 100;
/// The newest of a round's calls that the API is asked for.
const CALLS_MAX: usize = 5_000;
/// Rounds of each system at the slow rate.
const SLOW_ROUNDS: u32 = 2;

/// Its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Rounds of each system at each number of connections: single ones differ by a quarter where a machine has neighbours
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Events of a round; in few of them the start of a fresh process weighs more than the river
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(100..=500_000))]
    events: u32,
    /// Connections that post at once
    #[arg(long, value_delimiter = ',', default_values_t = [32, 48], value_parser = clap::value_parser!(u32).range(1..=512))]
    connections: Vec<u32>,
    /// Events a second of the slow rounds, which show latency without a queue
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    slow_rate: u32,
    /// Seconds of a slow round; 0 leaves them out
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=60))]
    slow_seconds: u32,
    /// Where the databases lie, on the disk that is meant; beside this program if not given
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The product's binary; beside this program if not given
    #[arg(long, value_name = "FILE")]
    hookmill: Option<PathBuf>,
    /// Measure the floor alone
    #[arg(long)]
    floor_only: bool,
}

/// What one round gave.
pub(crate) struct Round {
    pub(crate) events_per_second: f64,
    /// CPU time of the server process, for one event.
    pub(crate) cpu_us: f64,
    /// CPU time of load and receiver, for one event.
    pub(crate) load_cpu_us: f64,
    pub(crate) memory_mib: f64,
    /// Medians and 99th percentiles, in milliseconds, from the post on.
    pub(crate) answer_ms: [f64; 2],
    pub(crate) delivery_ms: [f64; 2],
    /// The same of the plugin's calls, in microseconds, as the host recorded them; of none where there is no plugin.
    pub(crate) call_us: Option<[f64; 2]>,
    pub(crate) duplicates: usize,
}

/// How a round's events come.
#[derive(Clone, Copy)]
enum Pace {
    Full { connections: u32 },
    Slow { per_second: u32 },
}

/// Runs all rounds and prints their tables.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure(settings))
}

async fn measure(settings: &Settings) -> Result<()> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("find the folder of this program")?;
    let folder = settings.folder.as_deref().unwrap_or(beside);
    let mut systems = vec![System::Floor];
    if !settings.floor_only {
        let product = crate::server::product(settings.hookmill.as_deref(), beside)?;
        systems.push(System::Hookmill(product));
    }
    println!("Hookmill against its floor\n");
    machine::print(folder)?;
    report::method(settings.rounds, settings.events, WARM_UP_EVENTS, &systems)?;
    for &connections in &settings.connections {
        let pace = Pace::Full { connections };
        let rounds = take_turns(&systems, settings.rounds, WARM_UP_EVENTS, settings.events, pace, folder).await?;
        report::full(connections, &systems, &rounds);
    }
    if settings.slow_seconds > 0 {
        let (per_second, events) = (settings.slow_rate, settings.slow_rate * settings.slow_seconds);
        let pace = Pace::Slow { per_second };
        let rounds = take_turns(&systems, SLOW_ROUNDS, WARM_UP_EVENTS_SLOW, events, pace, folder).await?;
        report::slow(per_second, events, &systems, &rounds);
    }
    Ok(())
}

/// The rounds of each system, in the order of the systems.
async fn take_turns(systems: &[System], rounds: u32, warm_up: u32, events: u32, pace: Pace, folder: &Path) -> Result<Vec<Vec<Round>>> {
    let mut taken: Vec<Vec<Round>> = systems.iter().map(|_| Vec::new()).collect();
    for number in 1..=rounds {
        let mut both: Vec<_> = systems.iter().zip(&mut taken).collect();
        // Whoever comes second finds the machine as the first left it: they take turns at that, too.
        if number % 2 == 0 {
            both.reverse();
        }
        for (system, taken) in both {
            let name = system.name();
            let round = play(system, warm_up..warm_up + events, pace, folder).await;
            let round = round.with_context(|| format!("round {number} of {name}"))?;
            eprintln!("  round {number} of {rounds}: {name} {:.0} events/s", round.events_per_second);
            taken.push(round);
        }
    }
    Ok(taken)
}

/// One round: a fresh server, `0..events.start` to warm it up, then the events that count.
async fn play(system: &System, events: Range<u32>, pace: Pace, folder: &Path) -> Result<Round> {
    let ledger = Arc::new(Ledger::open(events.end));
    let receiver = Receiver::open(ledger.clone()).await?;
    let server = system.start(folder, receiver.address).await?;
    let round = timeout(ROUND_MAX, count(&server, events.clone(), pace, &ledger)).await;
    let round = round.unwrap_or_else(|_| {
        bail!(
            "only {} of {} documents have arrived after {ROUND_MAX:?}",
            ledger.arrived(),
            events.end
        )
    });
    let round = round.map_err(|error| match server.complaints().as_str() {
        "" => error,
        complaints => anyhow!("{error:#}; the end of its standard error:\n{complaints}"),
    });
    let calls = match (&round, system) {
        (Ok(_), System::Hookmill(_)) => Some(calls_us(&server.door, CALLS_MAX.min(events.len())).await),
        _ => None,
    };
    server.leave().await?;
    let mut round = round?;
    if let Some(calls) = calls.transpose()? {
        round.call_us = Some([50, 99].map(|per_cent| percentile(&calls, per_cent) as f64));
    }
    Ok(round)
}

async fn count(server: &Server, events: Range<u32>, pace: Pace, ledger: &Arc<Ledger>) -> Result<Round> {
    pass(server, 0..events.start, pace, ledger).await?;
    let (cpu_before, load_cpu_before) = (server.cpu()?, process::cpu(std::process::id())?);
    pass(server, events.clone(), pace, ledger).await?;
    let (cpu, load_cpu) = (server.cpu()? - cpu_before, process::cpu(std::process::id())? - load_cpu_before);

    let ids = ledger.webhook_ids();
    ensure!(ids == events.end as usize, "{ids} webhook-ids for {} documents", events.end);
    let account = ledger.account(events.clone());
    let count = f64::from(events.end - events.start);
    let of_each = |total: Duration| total.as_secs_f64() * 1e6 / count;
    let both_ms = |sorted_ns: &[u64]| [50, 99].map(|per_cent| percentile(sorted_ns, per_cent) as f64 / 1e6);
    Ok(Round {
        events_per_second: count / account.elapsed.as_secs_f64(),
        cpu_us: of_each(cpu),
        load_cpu_us: of_each(load_cpu),
        memory_mib: server.memory_peak_bytes()? as f64 / 1024.0 / 1024.0,
        answer_ms: both_ms(&account.answers_ns),
        delivery_ms: both_ms(&account.deliveries_ns),
        call_us: None,
        duplicates: ledger.duplicates(),
    })
}

/// Posts these events and waits until all have arrived.
async fn pass(server: &Server, events: Range<u32>, pace: Pace, ledger: &Arc<Ledger>) -> Result<()> {
    match pace {
        Pace::Full { connections } => load::pour(&server.door, events.clone(), connections, ledger).await?,
        Pace::Slow { per_second } => load::drip(&server.door, events.clone(), per_second, ledger).await?,
    }
    ledger.arrivals(events.end).await;
    Ok(())
}
