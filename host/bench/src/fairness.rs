//! What becomes of one organization's deliveries while all plugins of another loop to their limit on every event.

use crate::event::KIND;
use crate::ledger::Ledger;
use crate::load::{self, Door};
use crate::receiver::Receiver;
use crate::server::{JSON, Server, System, post};
use crate::stats::percentile;
use crate::{event, guests, machine, report};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The longest that a round may take.
const ROUND_MAX: Duration = Duration::from_secs(180);
/// Events of the looping organization. Each of its integrations is stopped after ten faults: so many keep all of them looping.
const LOUD_EVENTS: u32 = 20;
const LOUD: &str = "loud";

/// Its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Rounds, each of a fresh process: quiet first, then beside the looping organization. A round's p99 is made by its ten slowest events,
    /// among them whatever the disk kept waiting
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Seconds of each half
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Events a second of the organization that is measured
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Integrations whose plugin loops
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    integrations: u32,
    /// Where the databases lie; beside this program if not given
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The product's binary; beside this program if not given
    #[arg(long, value_name = "FILE")]
    hookmill: Option<PathBuf>,
}

/// From post to delivery of each event, in nanoseconds, sorted.
struct Round {
    quiet_ns: Vec<u64>,
    beside_ns: Vec<u64>,
}

/// A median and a 99th percentile, in milliseconds.
fn figures_ms(sorted_ns: &[u64]) -> [f64; 2] {
    [50, 99].map(|per_cent| percentile(sorted_ns, per_cent) as f64 / 1e6)
}

/// Runs all rounds and prints their table.
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
    let product = crate::server::product(settings.hookmill.as_deref(), beside)?;
    println!("One organization beside another whose plugins loop\n");
    machine::print(folder)?;
    println!(
        "  method    {} rounds of a fresh process; {} events a second of {} bytes through the passthrough for {} s, all on loopback:",
        settings.rounds,
        settings.rate,
        event::EVENT_BYTES,
        settings.seconds
    );
    println!(
        "            alone, and then while {} integrations of another organization owe {LOUD_EVENTS} loops to the CPU limit each",
        settings.integrations
    );
    let system = System::Hookmill(product);
    let mut rounds = Vec::new();
    for number in 1..=settings.rounds {
        let round = timeout(ROUND_MAX, play(&system, settings, folder))
            .await
            .context("a round took too long")?;
        let round = round.with_context(|| format!("round {number}"))?;
        eprintln!(
            "  round {number} of {}: p99 {:.2} ms and {:.2} ms",
            settings.rounds,
            figures_ms(&round.quiet_ns)[1],
            figures_ms(&round.beside_ns)[1]
        );
        rounds.push(round);
    }
    print(&rounds);
    Ok(())
}

async fn play(system: &System, settings: &Settings, folder: &Path) -> Result<Round> {
    let events = settings.rate * settings.seconds;
    let warm_up = settings.rate;
    let half = warm_up + events;
    let ledger = Arc::new(Ledger::open(half * 2));
    let receiver = Receiver::open(ledger.clone()).await?;
    let server = system.start(folder, receiver.address).await?;
    let measured = async {
        let quiet_ns = drip(&server, 0, warm_up, half, settings.rate, &ledger).await?;
        make_noise(&server.door, settings.integrations)
            .await
            .context("set the looping organization up")?;
        let beside_ns = drip(&server, half, warm_up, half * 2, settings.rate, &ledger).await?;
        ensure!(still_loops(&server.door).await?, "the loops ended before the measurement did");
        Ok(Round { quiet_ns, beside_ns })
    };
    let round = measured.await;
    server.leave().await?;
    round
}

/// Posts a stretch of documents at the rate, of which those after the warm-up count.
async fn drip(server: &Server, first: u32, warm_up: u32, end: u32, rate: u32, ledger: &Arc<Ledger>) -> Result<Vec<u64>> {
    load::drip(&server.door, first..end, rate, ledger).await?;
    ledger.arrivals(end).await;
    Ok(ledger.account(first + warm_up..end).deliveries_ns)
}

/// An organization whose integrations all have a plugin that never ends, and events for all of them.
async fn make_noise(door: &Door, integrations: u32) -> Result<()> {
    post(door, "/organizations", JSON, format!(r#"{{"name": "{LOUD}"}}"#).as_bytes()).await?;
    let component = wat::parse_str(guests::wat("loop", ""))?;
    post(
        door,
        &format!("/plugins?name=loop&organization={LOUD}"),
        "application/wasm",
        &component,
    )
    .await?;
    for _ in 0..integrations {
        let integration = format!(
            r#"{{"organization": "{LOUD}", "type": "webhook", "events": ["{KIND}"], "target": "http://127.0.0.1:9/", "plugin": "loop"}}"#
        );
        post(door, "/integrations", JSON, integration.as_bytes()).await?;
    }
    for number in 0..LOUD_EVENTS {
        let event = format!(r#"{{"organization": "{LOUD}", "event": "{KIND}", "data": {{"id": "{number:024x}"}}}}"#);
        post(door, "/events", JSON, event.as_bytes()).await?;
    }
    Ok(())
}

/// Whether runs of the looping organization still wait for their turn.
async fn still_loops(door: &Door) -> Result<bool> {
    let waiting = crate::server::get(door, &format!("/runs?organization={LOUD}&state=pending&limit=1")).await?;
    Ok(String::from_utf8_lossy(&waiting).contains("\"state\""))
}

fn print(rounds: &[Round]) {
    let halves = [
        ("alone", (|round| &round.quiet_ns) as fn(&Round) -> &Vec<u64>),
        ("beside", |round| &round.beside_ns),
    ];
    println!("\n                p50, ms               p99, ms             of all rounds' events");
    println!("             median    min    max   median    min    max      p50    p99");
    let [alone, beside] = halves.map(|(name, half)| {
        let of_rounds: Vec<[f64; 2]> = rounds.iter().map(|round| figures_ms(half(round))).collect();
        let [p50, p99] = [0, 1].map(|at| report::spread(of_rounds.iter().map(|figures| figures[at])));
        let mut all_ns: Vec<u64> = rounds.iter().flat_map(half).copied().collect();
        all_ns.sort_unstable();
        let of_all = figures_ms(&all_ns);
        println!(
            "  {name:9}{:>8.2}{:>7.2}{:>7.2}{:>9.2}{:>7.2}{:>7.2}{:>9.2}{:>7.2}",
            p50.median, p50.min, p50.max, p99.median, p99.min, p99.max, of_all[0], of_all[1]
        );
        (of_rounds.iter().map(|figures| figures[1]).collect::<Vec<f64>>(), of_all[1])
    });
    report::ratios("p99", "it alone", &alone.0, &beside.0);
    println!("  of all rounds' events together{:>10.2} of it alone", beside.1 / alone.1);
}
