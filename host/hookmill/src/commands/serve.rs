//! `hookmill serve`

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::INTERRUPTED;
use crate::config::{self, Egress, Flags};
use crate::house::House;
use crate::signals::Signals;
use crate::telemetry;

/// Its flags, and what stands in the environment alone.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The data folder, made if it is not there [default: ./hookmill-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// A configuration file in TOML
    #[arg(long, value_name = "FILE", env = "HOOKMILL_CONFIG")]
    config: Option<OsString>,
    /// Lets targets reach a network that is not public: a CIDR, `loopback` or `private`; can be given several times
    #[arg(long, value_name = "NETWORK")]
    allow_network: Vec<String>,
    /// An operator's API key for scripts; without it the first start makes one and writes it to a file
    #[arg(long, value_name = "KEY", env = "HOOKMILL_OPERATOR_KEY", hide = true, hide_env_values = true)]
    operator_key: Option<String>,
    /// The keyring's text, in place of the file in the data folder
    #[arg(long, value_name = "TEXT", env = "HOOKMILL_KEYRING", hide = true, hide_env_values = true)]
    keyring: Option<String>,
}

impl Serve {
    /// Serves until it is told to end.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let egress = (!self.allow_network.is_empty()).then_some(Egress {
            allow_networks: self.allow_network,
        });
        let config = config::load(
            config::named(self.config),
            &Flags {
                data: self.data,
                listen: self.listen,
                egress,
            },
        )?;
        telemetry::start(&config.log)?;
        open_more_files();
        // On one core, too, signals are heard while a start waits for the disk.
        let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            let grace = Duration::from_millis(config.limits.delivery.shutdown_grace_ms);
            // As a task of its own: some of it waits for the disk, and signals are heard meanwhile.
            let mut opening = tokio::spawn(async move { House::open(&config, self.operator_key, self.keyring).await });
            let opened = tokio::select! {
                opened = &mut opening => Some(opened??),
                () = signals.next() => None,
            };
            if let Some(house) = &opened {
                tell(house);
                signals.next().await;
            }
            let told_at = Instant::now();
            let house = match opened {
                Some(house) => house,
                // What a start has taken up is drained like anything else.
                None => tokio::select! {
                    opened = opening => opened??,
                    () = tokio::time::sleep(grace) => {
                        tracing::warn!("the grace period is over before the start was; what it has begun is done by the next one");
                        std::process::exit(0)
                    }
                    () = signals.again() => std::process::exit(INTERRUPTED.into()),
                },
            };
            tokio::select! {
                closed = house.close(told_at) => closed?,
                () = signals.again() => std::process::exit(INTERRUPTED.into()),
            }
            anyhow::Ok(())
        })?;
        // A guest that is still running ends with the process.
        runtime.shutdown_background();
        Ok(ExitCode::SUCCESS)
    }
}

/// Thousands of connections and mapped components need as many files: the limit is raised as far as the system lets it.
fn open_more_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        tracing::warn!("the limit of open files can not be raised");
    }
}

/// Says where the host is. It serves all the same if nobody listens to that.
fn tell(house: &House) {
    let mut out = std::io::stdout().lock();
    let mut told = writeln!(out, "hookmill listens on http://{}", house.address);
    if let Some(file) = &house.operator_key_file {
        told = told.and_then(|()| writeln!(out, "the operator's API key is in {}", file.display()));
    }
    if let Err(error) = told.and_then(|()| out.flush()) {
        tracing::warn!(%error, "nobody reads the standard output");
    }
}
