//! Trials side by side: one that waits for its component to be compiled keeps nobody's but its own organization's waiting.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::event::{Kinds, Posted, parse};
use hookmill_domain::integration::{OrganizationKey, PluginOwner, PluginRef};
use hookmill_flow::{Came, ChangeError, River, Trial, Tried};
use hookmill_plugin_room::CompilerCommand;
use rustix::fs::{CWD, Mode, mkfifoat};
use tokio::task::JoinHandle;

use crate::parts::clock::HandClock;
use crate::parts::components::wat;
use crate::parts::receiver::PATIENCE;
use crate::parts::river::{close, compiler_after, draft, limits, open, open_with, organization};

const BODY: &str = r#"{"event": "document_text", "data": {"id": "d"}}"#;

/// Begins to try the plugin `mine` of an organization.
async fn begin(river: &River, owner: OrganizationKey, name: &str) -> JoinHandle<Result<Tried, ChangeError>> {
    let plugin = PluginRef {
        owner: PluginOwner::Organization,
        name: "mine".parse().expect("a name"),
        version: Some(1),
    };
    let version = river
        .store()
        .meant_version(owner, plugin.clone())
        .await
        .expect("it reads")
        .expect("it is there");
    let draft = draft(&["document_text"], "http://127.0.0.1:9/");
    let pinned = river.integration_to_try(owner, &draft, None, &version, plugin, "");
    let Ok(Posted::One(envelope)) = parse(BODY.as_bytes(), &Kinds::default(), 1) else {
        panic!("not one event")
    };
    let trial = Trial {
        generation: 0,
        event: river.event_to_try(owner, &Bytes::from_static(BODY.as_bytes()), &envelope),
        organization: name.parse().expect("a name"),
        pinned: pinned.await.expect("it can be tried"),
    };
    let river = river.clone();
    tokio::spawn(async move { river.trial_turn(owner)?.try_out(trial).await })
}

async fn ended(trial: JoinHandle<Result<Tried, ChangeError>>) -> Result<Tried, ChangeError> {
    let ended = tokio::time::timeout(PATIENCE, trial).await.expect("it waits for nobody");
    ended.expect("no trial panics")
}

/// A compiler that waits until somebody opens the gate.
fn gated(gate: &Path) -> CompilerCommand {
    compiler_after(&format!("read -r _ < '{}'", gate.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_component_stops_its_own_organization_alone() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let river = open(folder.path(), &clock, limits()).await;
    let mut owners = Vec::new();
    for name in ["cold", "warm"] {
        let owner = organization(&river, name).await;
        let plugin = "mine".parse().expect("a name");
        river
            .upload_plugin(Some(owner), plugin, wat("label", name), true)
            .await
            .expect("uploaded");
        owners.push(owner);
    }
    close(river).await;
    let artifacts = folder.path().join("artifacts");
    let cold = Digest::of(&wat("label", "cold")).to_string();
    for file in fs::read_dir(&artifacts).expect("a folder").map(|file| file.expect("a file").path()) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&cold)) {
            fs::remove_file(file).expect("it was there");
        }
    }
    let gate = folder.path().join("gate");
    mkfifoat(CWD, &gate, Mode::RUSR | Mode::WUSR).expect("made");
    let river = open_with(folder.path(), &clock, limits(), gated(&gate)).await;

    let first = begin(&river, owners[0], "cold").await;
    // A pipe can be opened for writing once somebody reads from it: the compiler runs, and waits.
    let opened = async || {
        let gate = gate.clone();
        let opened = tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(gate));
        let opened = tokio::time::timeout(PATIENCE, opened).await.expect("it compiles").expect("joined");
        opened.expect("opened")
    };
    let mut through = opened().await;
    let second = begin(&river, owners[0], "cold").await;
    for _ in 0..3 {
        let tried = ended(begin(&river, owners[1], "warm").await).await.expect("it is tried");
        assert!(matches!(tried.came, Came::Requests(_)), "{tried:?}");
    }
    assert!(!first.is_finished() && !second.is_finished());
    // The one that waited may have been compiling ahead, and have given its turn up to the trial: then that one comes.
    while let Err(failure) = through.write_all(b"go\n") {
        assert_eq!(failure.kind(), ErrorKind::BrokenPipe, "{failure}");
        through = opened().await;
    }
    for trial in [first, second] {
        let tried = ended(trial).await.expect("it is tried");
        assert!(matches!(tried.came, Came::Requests(_)), "{tried:?}");
    }
    close(river).await;
}
