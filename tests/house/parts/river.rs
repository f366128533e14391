//! A river in this process, for tests that turn the clock by hand.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmill_api::ApiSettings;
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::event::{Envelope, Kinds, Posted, parse};
use hookmill_domain::integration::{Draft, LiveTarget, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::limits::Limits;
use hookmill_domain::names::PluginName;
use hookmill_domain::target::{TargetUrl, check_integration_headers};
use hookmill_egress::{Client, ClientConfig};
use hookmill_flow::{Parts, River};
use hookmill_plugin_room::{CompilerCommand, Plugins, Settings};
use hookmill_store::{EventView, Store, StoreError, StoreSettings};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::Client as ApiClient;
use super::clock::HandClock;
use super::disk::DatabaseLog;
use super::hookmill;
use super::receiver::PATIENCE;

/// The built-in passthrough, as it stands in the repository.
pub const PASSTHROUGH: &[u8] = include_bytes!("../../../plugins/passthrough/passthrough.wasm");

/// Limits for tests.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.intake.disk_free_bytes_min = 1_000_000;
    limits
}

/// The binary under test as the one that compiles.
pub fn compiler() -> CompilerCommand {
    CompilerCommand {
        program: hookmill(),
        args: vec!["compile-component".into()],
        env: vec![("MIMALLOC_ARENA_RESERVE".into(), "32MiB".into())],
    }
}

/// The same after a line of shell, in which `$1` is the job: `compile`, or another.
pub fn compiler_after(line: &str) -> CompilerCommand {
    let script = format!("{line}; exec '{}' compile-component \"$@\"", hookmill().display());
    CompilerCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into(), "sh".into()],
        ..compiler()
    }
}

/// Opens a river on a folder.
pub async fn open(folder: &Path, clock: &HandClock, limits: Limits) -> River {
    open_with(folder, clock, limits, compiler()).await
}

/// Opens a river that has that compile its components.
pub async fn open_with(folder: &Path, clock: &HandClock, limits: Limits, compiler: CompilerCommand) -> River {
    open_room(folder, clock, limits, Settings::new(folder.join("artifacts"), compiler)).await
}

/// Opens a river with that room for its plugins.
pub async fn open_room(folder: &Path, clock: &HandClock, limits: Limits, mut room: Settings) -> River {
    let settings = StoreSettings {
        folder: folder.to_owned(),
        host: 1,
        disk_free_bytes_min: limits.intake.disk_free_bytes_min,
        keyring: None,
    };
    let store = Store::open(settings, Arc::new(clock.clone())).expect("the folder opens");
    room.limits = limits.plugin.clone();
    room.hot_slots = 16;
    let river = River::start(Parts {
        store,
        plugins: Plugins::open(room).expect("the room opens"),
        client: Client::new(ClientConfig::new(&limits.delivery)),
        clock: Arc::new(clock.clone()),
        limits,
        kinds: Kinds::default(),
        policy: AddressPolicy::parse(["loopback"]).expect("a network"),
        plugin_threads: 2,
    })
    .await
    .expect("the river starts");
    river
        .ensure_built_in([("passthrough".parse().expect("a name"), Bytes::from_static(PASSTHROUGH))])
        .await
        .expect("the passthrough is a plugin");
    river
}

/// Ends a river as if it had been told to.
pub async fn close(river: River) {
    river.shut_down(Duration::from_secs(5)).await;
}

/// The API of a river in this process.
pub struct Api {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Api {
    /// Serves a river on a port of its own.
    pub async fn serve(river: &River) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (end, ends) = oneshot::channel();
        let ends = async { ends.await.unwrap_or_default() };
        let task = tokio::spawn(hookmill_api::serve(listener, river.clone(), ApiSettings::default(), ends));
        Api { address, end, task }
    }

    pub fn client(&self, key: &str) -> ApiClient {
        ApiClient {
            address: self.address,
            key: key.to_owned(),
        }
    }

    pub async fn end(self) {
        self.end.send(()).expect("it serves");
        self.task.await.expect("joined").expect("it has served");
    }
}

pub async fn organization(river: &River, name: &str) -> OrganizationKey {
    let (organization, _) = river
        .create_organization(name.parse().expect("a name"), Vec::new())
        .await
        .expect("made");
    organization.key
}

/// An integration that sends these kinds to that URL.
pub fn draft(kinds: &[&str], url: &str) -> Draft {
    Draft {
        events: kinds.iter().map(|kind| kind.parse().expect("a kind")).collect(),
        inboxes: None,
        projects: None,
        enabled: true,
        paused: false,
        plugin: None,
        config: "null".into(),
        targets: vec![target(None, url, &[])],
        retry: None,
        timeout_ms: None,
        description: None,
        metadata: None,
    }
}

pub fn target(name: Option<&str>, url: &str, headers: &[(&str, &str)]) -> LiveTarget {
    LiveTarget {
        name: name.map(|name| name.parse().expect("a name")),
        url: TargetUrl::parse(url).expect("a URL"),
        headers: check_integration_headers(headers.iter().copied()).expect("headers"),
        gone: false,
    }
}

/// Posts a body as it is; gives the event's key.
pub async fn post(river: &River, organization: OrganizationKey, body: &str) -> Key {
    let Ok(Posted::One(envelope)) = parse(body.as_bytes(), &Kinds::default(), 1) else {
        panic!("not one event: {body}")
    };
    let envelopes: Vec<Envelope> = vec![envelope];
    let receipts = river
        .post_events(organization, Bytes::from(body.to_owned()), envelopes)
        .await
        .expect("accepted");
    receipts[0].id.parts().expect("an id of this house").0
}

/// The event as it stands, once it stands so.
pub async fn wait_until(river: &River, folder: &Path, event: Key, so: impl Fn(&EventView) -> bool) -> EventView {
    once(folder, async || river.store().event(event).await, so).await
}

/// The host's plugin of that name, once that version is the active one.
pub async fn wait_for_active(river: &River, folder: &Path, name: &str, version: u32) {
    let name: PluginName = name.parse().expect("a name");
    let plugin = async || river.store().plugin(None, name.clone()).await;
    once(folder, plugin, |plugin| plugin.active == Some(version)).await;
}

/// What a read gives, once it is so: it is read again whenever something was committed to the river's folder.
pub async fn once<T: Debug>(folder: &Path, read: impl AsyncFn() -> Result<Option<T>, StoreError>, so: impl Fn(&T) -> bool) -> T {
    let mut log = DatabaseLog::watch(folder);
    let watch = async {
        loop {
            match read().await.expect("the store reads") {
                Some(found) if so(&found) => return found,
                _ => log.written().await,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, watch).await {
        Ok(found) => found,
        Err(_) => panic!("it never stood so: {:?}", read().await),
    }
}
