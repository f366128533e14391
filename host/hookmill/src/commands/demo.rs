//! `hookmill demo`

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use futures_util::FutureExt as _;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, Log};
use crate::demo::{self, Played, Receiver, Screen};
use crate::house::House;
use crate::telemetry;

/// Where the host listens if nobody else does.
const PORT: u16 = 8080;
/// What is left on the disk of the temporary folder: the demonstration needs little, and small disks are to see it too.
const DISK_FREE_BYTES_MIN: u64 = 32 * 1024 * 1024;
/// How long the end may take: nothing here is worth waiting for.
const GRACE_MS: u64 = 2000;
/// Random bytes of the operator's key.
const KEY_BYTES: usize = 24;
/// The status of a process that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Starts a host on loopback with a temporary folder and a receiver of its own, posts the documented events, and shows what arrives.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leaves when all is delivered: with 0, or with 1 if anything was not as it should be
    #[arg(long)]
    exit: bool,
}

impl Demo {
    /// Shows all of it.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let log = Log {
            filter: "warn".to_owned(),
            ..Log::default()
        };
        telemetry::start(&log)?;
        let folder = tempfile::Builder::new().prefix("hookmill-demo-").tempdir();
        let folder = folder.context("a temporary folder can not be made")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let shown = runtime.block_on(self.show(&folder));
        runtime.shutdown_background();
        folder.close().context("the temporary folder can not be removed")?;
        shown
    }

    async fn show(&self, folder: &TempDir) -> anyhow::Result<ExitCode> {
        let mut stop = Stop::listen()?;
        let mut screen = Screen::stdout();
        let mut receiver = Receiver::start().await?;
        let operator_key = operator_key()?;
        // Opening is not cut short: what it began in the folder has to be over when the folder is removed.
        let house = match House::open(&config(folder.path()), Some(operator_key.clone()), None).await {
            Ok(house) => house,
            // Ctrl-C ends a component's compiling child as well.
            Err(_) if stop.asked().now_or_never().is_some() => return Ok(ExitCode::from(INTERRUPTED)),
            Err(error) => return Err(error),
        };
        let shown = tokio::select! {
            faults = perform(&mut screen, house.address, operator_key, &mut receiver) => faults.map(Some),
            () = stop.asked() => Ok(None),
        };
        let code = match shown {
            Ok(None) => Ok(ExitCode::from(INTERRUPTED)),
            Ok(Some((played, faults))) => {
                let ended = if self.exit {
                    Ok(())
                } else {
                    stay(&mut screen, house.address, &played, &mut receiver, &mut stop).await
                };
                ended.map(|()| if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Err(error) => Err(error),
        };
        let closed = tokio::select! {
            closed = house.close() => closed,
            () = stop.asked() => Ok(()),
        };
        closed.and(code)
    }
}

/// Plays and tells. Answers what does not hold.
async fn perform(
    screen: &mut Screen,
    host: SocketAddr,
    operator_key: String,
    receiver: &mut Receiver,
) -> anyhow::Result<(Played, Vec<String>)> {
    demo::opening(screen, host, receiver.address)?;
    let played = demo::play(host, operator_key, receiver).await?;
    let faults = demo::sections(screen, &played)?;
    Ok((played, faults))
}

/// Tells how to go on, and of what arrives, until it is asked to stop or nobody reads any more.
async fn stay(screen: &mut Screen, host: SocketAddr, played: &Played, receiver: &mut Receiver, stop: &mut Stop) -> anyhow::Result<()> {
    demo::closing(screen, host, played)?;
    while !screen.is_closed() {
        let arrival = tokio::select! {
            arrival = receiver.next() => arrival,
            () = stop.asked() => break,
        };
        let Some(arrival) = arrival else { return Ok(()) };
        demo::arrived(screen, &arrival)?;
    }
    demo::ending(screen)?;
    Ok(())
}

/// Ctrl-C and SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> anyhow::Result<Stop> {
        Ok(Stop {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Ends when one of them has come since the last time.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// No setting of the environment or of a file counts here: a demonstration is the same everywhere.
fn config(folder: &Path) -> Config {
    let mut config = Config {
        data: folder.to_owned(),
        listen: address(),
        ..Config::default()
    };
    config.egress.allow_networks = vec!["loopback".to_owned()];
    config.limits.intake.disk_free_bytes_min = DISK_FREE_BYTES_MIN;
    config.limits.delivery.shutdown_grace_ms = GRACE_MS;
    config
}

/// The usual port if it is free, else any: the address is printed.
fn address() -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

fn operator_key() -> anyhow::Result<String> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).context("the system has no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
