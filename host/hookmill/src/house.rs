//! Joining the rooms: a running host, from its configuration to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hookmill_api::ApiSettings;
use hookmill_domain::api_key::Role;
use hookmill_domain::clock::Clock;
use hookmill_domain::digest::Digest;
use hookmill_domain::event::Kinds;
use hookmill_domain::integration::OrganizationKey;
use hookmill_egress::{Client, ClientConfig};
use hookmill_flow::{NewApiKey, Parts, River};
use hookmill_plugin_room::{CompilerCommand, Plugins, Settings};
use hookmill_store::seal::Keyring;
use hookmill_store::{Store, StoreSettings};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::clock::SystemClock;
use crate::config::{self, Config};

/// Where the compiled artifacts are, in the data folder.
pub(crate) const ARTIFACTS: &str = "artifacts";

/// The hidden command that compiles a component in a process of its own.
pub(crate) const COMPILE_COMMAND: &str = "compile-component";

/// What the compiling child finds in its environment. Its address space is limited, and the allocator would take a gigabyte of it at once.
const COMPILER_ENV: [(&str, &str); 1] = [("MIMALLOC_ARENA_RESERVE", "32MiB")];

/// The plugins that every host has.
const BUILT_IN: [(&str, &[u8]); 4] = [
    ("passthrough", include_bytes!("../../../plugins/passthrough/passthrough.wasm")),
    ("flatten", include_bytes!("../../../plugins/flatten/flatten.wasm")),
    ("filter", include_bytes!("../../../plugins/filter/filter.wasm")),
    ("redact", include_bytes!("../../../plugins/redact/redact.wasm")),
];

/// The shortest text of an operator's key that is chosen by hand.
const OPERATOR_KEY_BYTES_MIN: usize = 20;

/// A host that is open and serves.
pub(crate) struct House {
    /// Where the API listens in fact.
    pub(crate) address: SocketAddr,
    /// Where the operator's key was written to, if it was made by this start.
    pub(crate) operator_key_file: Option<PathBuf>,
    river: River,
    grace: Duration,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl House {
    /// Opens the rooms of a data folder and begins to serve.
    pub(crate) async fn open(config: &Config, operator_key: Option<String>, keyring: Option<String>) -> anyhow::Result<House> {
        let clock = SystemClock::new();
        let keyring = keyring.map(|text| Keyring::parse(&text, "HOOKMILL_KEYRING")).transpose()?;
        let settings = StoreSettings {
            folder: config.data.clone(),
            host: config.host,
            disk_free_bytes_min: config.limits.intake.disk_free_bytes_min,
            keyring,
        };
        let store = Store::open(settings, Arc::new(clock.clone()))?;
        clock.go_on_from(store.newest_time().await?);
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("can not listen on {}", config.listen))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let threads = config
            .plugin_threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2));

        let mut settings = Settings::new(config.data.join(ARTIFACTS), compiler()?);
        settings.limits = config.limits.plugin.clone();
        settings.threads = u32::try_from(threads).unwrap_or(1);
        let plugins = Plugins::open(settings)?;
        let client = Client::new(ClientConfig::new(&config.limits.delivery));
        client.set_own_listeners(vec![address]);
        let kinds = Kinds::default().with(config.kinds.iter().cloned());
        let river = River::start(Parts {
            store,
            plugins,
            client,
            clock: Arc::new(clock.clone()),
            limits: config.limits.clone(),
            kinds,
            policy: config::policy(config)?,
            plugin_threads: threads,
        })
        .await?;
        let built_in = BUILT_IN.map(|(name, bytes)| {
            let name = name.parse().expect("built-in plugins have names");
            (name, bytes::Bytes::from_static(bytes))
        });
        river
            .ensure_built_in(built_in)
            .await
            .context("a built-in plugin can not be made ready")?;
        let operator_key_file = operator_key_file(&river, &config.data, operator_key, &clock).await?;

        let (stop, stopped) = watch::channel(false);
        let grace = Duration::from_millis(config.limits.delivery.shutdown_grace_ms);
        let drain_ms = config.limits.delivery.shutdown_grace_ms / 2;
        let serving = tokio::spawn(hookmill_api::serve(
            listener,
            river.clone(),
            ApiSettings { drain_ms },
            until_true(stopped),
        ));
        Ok(House {
            address,
            operator_key_file,
            river,
            grace,
            stop,
            serving,
        })
    }

    /// Drains: no new work, what is under way ends or is due again, all within the grace period, which began when the host was told to end.
    pub(crate) async fn close(self, told_at: Instant) -> anyhow::Result<()> {
        let end = told_at + self.grace;
        let grace = end.saturating_duration_since(Instant::now());
        info!("draining: what is under way may end within {} ms", grace.as_millis());
        self.river.stop_taking();
        self.stop.send_replace(true);
        // Requests under way get half of the time; they end long before that, unless their clients do not read.
        let served = tokio::time::timeout(grace / 2, self.serving).await;
        // Attempts leave a tenth of it for the last commit.
        let left = || end.saturating_duration_since(Instant::now());
        let closing = self.river.shut_down(left().saturating_sub(grace / 10));
        match tokio::time::timeout(left(), closing).await {
            Ok(()) => info!("closed"),
            Err(_) => warn!("the grace period is over before the database is closed; the next start reads what its log has"),
        }
        match served {
            Ok(served) => served?,
            Err(_) => Ok(()),
        }
    }
}

/// How this program compiles components: in a child process of itself.
pub(crate) fn compiler() -> anyhow::Result<CompilerCommand> {
    let mut compiler = CompilerCommand::this_program([COMPILE_COMMAND]).context("this program can not be found")?;
    compiler.env = COMPILER_ENV.map(|(name, value)| (name.into(), value.into())).into();
    Ok(compiler)
}

async fn until_true(mut flag: watch::Receiver<bool>) {
    // A sender that is gone means the end as well.
    let _ = flag.wait_for(|flag| *flag).await;
}

/// The operator's key: the one that the environment names, or at a first start a new one, written to a file for its owner alone.
async fn operator_key_file(river: &River, folder: &Path, given: Option<String>, clock: &SystemClock) -> anyhow::Result<Option<PathBuf>> {
    let new = |description: &str| NewApiKey {
        role: Role::Operator,
        organization: None::<(OrganizationKey, _)>,
        inboxes: None,
        description: Some(description.to_owned()),
        expires_at: None,
    };
    if let Some(text) = given {
        anyhow::ensure!(
            text.len() >= OPERATOR_KEY_BYTES_MIN && text.bytes().all(|byte| byte.is_ascii_graphic()),
            "HOOKMILL_OPERATOR_KEY must be at least {OPERATOR_KEY_BYTES_MIN} printable ASCII characters"
        );
        let known = river
            .store()
            .api_keys()
            .await?
            .into_iter()
            .any(|(digest, _)| digest == Digest::of(text.as_bytes()));
        if !known {
            river.keep_api_key(&text, new("HOOKMILL_OPERATOR_KEY")).await?;
        }
        return Ok(None);
    }
    let now = clock.now();
    if river
        .store()
        .api_keys()
        .await?
        .into_iter()
        .any(|(_, key)| key.role == Role::Operator && key.holds(now))
    {
        return Ok(None);
    }
    // The file first: a key that is kept and was never told would lock its operator out.
    let text = river.new_key_text();
    let path = folder.join("operator.key");
    write_private(&path, &text).with_context(|| format!("the operator's key can not be written to {}", path.display()))?;
    river.keep_api_key(&text, new("made at the first start")).await?;
    Ok(Some(path))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
