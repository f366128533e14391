//! `hookmill demo`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use futures_util::FutureExt as _;
use tempfile::TempDir;

use super::INTERRUPTED;
use crate::config::{Config, Log};
use crate::demo::{self, Played, Receiver};
use crate::house::House;
use crate::screen::Screen;
use crate::signals::Signals;
use crate::telemetry;

/// Where the host listens if nobody else does.
const PORT: u16 = 8080;
/// What is left on the disk of the temporary folder: the demonstration needs little, and small disks are to see it too.
const DISK_FREE_BYTES_MIN: u64 = 32 * 1024 * 1024;
/// How long the end may take: nothing here is worth waiting for.
const GRACE_MS: u64 = 2000;
/// Random bytes of the operator's key.
const KEY_BYTES: usize = 24;

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
        let mut screen = Screen::stdout();
        let shown = runtime.block_on(self.show(&mut screen, &folder));
        runtime.shutdown_background();
        let removed = folder.close().context("the temporary folder can not be removed");
        let code = shown?;
        removed?;
        if !self.exit {
            demo::ending(&mut screen)?;
        }
        Ok(code)
    }

    async fn show(&self, screen: &mut Screen, folder: &TempDir) -> anyhow::Result<ExitCode> {
        let mut stop = Signals::listen()?;
        let mut receiver = Receiver::start().await?;
        let operator_key = operator_key()?;
        // Opening is not cut short: what it began in the folder has to be over when the folder is removed.
        let house = match open(folder.path(), &operator_key).await {
            Ok(house) => house,
            // Ctrl-C ends a component's compiling child as well.
            Err(_) if stop.next().now_or_never().is_some() => return Ok(ExitCode::from(INTERRUPTED)),
            Err(error) => return Err(error),
        };
        let shown = tokio::select! {
            shown = perform(screen, house.address, operator_key, &mut receiver) => shown.map(Some),
            () = stop.next() => Ok(None),
        };
        let code = match shown {
            Ok(None) => Ok(ExitCode::from(INTERRUPTED)),
            Ok(Some((played, is_well))) => {
                let ended = if self.exit {
                    Ok(())
                } else {
                    stay(screen, house.address, &played, &mut receiver, &mut stop).await
                };
                ended.map(|()| if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Err(error) => Err(error),
        };
        let closed = tokio::select! {
            closed = house.close(Instant::now()) => closed,
            () = stop.again() => Ok(()),
        };
        closed.and(code)
    }
}

/// Plays and tells. Answers whether all is as it should be.
async fn perform(screen: &mut Screen, host: SocketAddr, operator_key: String, receiver: &mut Receiver) -> anyhow::Result<(Played, bool)> {
    demo::opening(screen, host, receiver.address)?;
    let played = demo::play(host, operator_key, receiver).await?;
    let is_well = demo::sections(screen, &played)?;
    Ok((played, is_well))
}

/// Tells how to go on, and of what arrives, until it is asked to stop or nobody reads any more.
async fn stay(screen: &mut Screen, host: SocketAddr, played: &Played, receiver: &mut Receiver, stop: &mut Signals) -> anyhow::Result<()> {
    demo::closing(screen, host, played)?;
    while !screen.is_closed() {
        let arrival = tokio::select! {
            arrival = receiver.next() => arrival,
            () = stop.next() => break,
        };
        let Some(arrival) = arrival else { return Ok(()) };
        demo::arrived(screen, &arrival)?;
    }
    Ok(())
}

/// Opens the host at the usual port, or at any other where somebody else listens there already.
async fn open(folder: &Path, operator_key: &str) -> anyhow::Result<House> {
    // Each has a folder of its own: what could not be opened may not have let go of the first one yet.
    let at = async |name: &str, port: u16| {
        let config = config(folder.join(name), SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        House::open(&config, Some(operator_key.to_owned()), None).await
    };
    match at("usual", PORT).await {
        Err(error) if is_in_use(&error) => at("other", 0).await,
        opened => opened,
    }
}

fn is_in_use(error: &anyhow::Error) -> bool {
    let in_use = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::AddrInUse;
    error.chain().filter_map(|cause| cause.downcast_ref()).any(in_use)
}

/// No setting of the environment or of a file counts here: a demonstration is the same everywhere.
fn config(data: PathBuf, listen: SocketAddr) -> Config {
    let mut config = Config {
        data,
        listen,
        ..Config::default()
    };
    config.egress.allow_networks = vec!["loopback".to_owned()];
    config.limits.intake.disk_free_bytes_min = DISK_FREE_BYTES_MIN;
    config.limits.delivery.shutdown_grace_ms = GRACE_MS;
    config
}

fn operator_key() -> anyhow::Result<String> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).context("the system has no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
