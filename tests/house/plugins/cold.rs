//! Runs whose component is to be compiled first, and the runs of others beside them.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::PluginName;
use hookmill_flow::River;
use hookmill_plugin_room::{CompilerCommand, Settings};
use tempfile::TempDir;

use super::label;
use crate::parts::clock::HandClock;
use crate::parts::components::{PASSTHROUGH, wat};
use crate::parts::gate::Gate;
use crate::parts::receiver::{PATIENCE, Receiver};
use crate::parts::river::{
    close, compiler, compiler_after, draft, limits, once, open, open_room, open_with, organization, post, wait_for_active,
};

const EVENT: &str = r#"{"event": "document_text", "data": {"id": "d"}}"#;

fn mine() -> PluginName {
    "mine".parse().expect("a name")
}

/// An organization with a plugin of its own, which says its organization's name, and an integration of it.
async fn tenant(river: &River, name: &str, receiver: &Receiver) -> OrganizationKey {
    let owner = organization(river, name).await;
    river
        .upload_plugin(Some(owner), mine(), wat("label", name), true)
        .await
        .expect("uploaded");
    let mut draft = draft(&["document_text"], &receiver.url("/"));
    draft.plugin = Some((mine(), None));
    river.create_integration(owner, draft).await.expect("made");
    owner
}

/// What a river has left that is opened again: tenants of these names, with what was compiled of their components, but for those whose name
/// begins with `cold-`.
struct Left {
    folder: TempDir,
    clock: HandClock,
    receiver: Receiver,
    owners: Vec<OrganizationKey>,
}

impl Left {
    async fn with(names: &[&str]) -> Left {
        let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
        let receiver = Receiver::start().await;
        let river = open(folder.path(), &clock, limits()).await;
        let mut owners = Vec::new();
        for name in names {
            owners.push(tenant(&river, name, &receiver).await);
        }
        close(river).await;
        for name in names.iter().filter(|name| name.starts_with("cold-")) {
            remove_compiled(folder.path(), &wat("label", name));
        }
        Left {
            folder,
            clock,
            receiver,
            owners,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The same compiler, killed where it works for nobody yet: then it stands back behind everything, as its last argument says.
fn never_ahead(mut compiler: CompilerCommand) -> CompilerCommand {
    let script = compiler.args[1].to_string_lossy();
    compiler.args[1] = format!("[ \"$5\" != 19 ] || kill -KILL $$; {script}").into();
    compiler
}

/// Removes what was compiled of a component.
fn remove_compiled(folder: &Path, component: &Bytes) {
    let digest = Digest::of(component).to_string();
    for file in fs::read_dir(folder.join("artifacts")).expect("a folder") {
        let file = file.expect("an entry").path();
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&digest)) {
            fs::remove_file(file).expect("it was there");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_the_compiler_keeps_no_others_from_their_calls() {
    let left = Left::with(&["cold-1", "cold-2", "cold-3", "warm"]).await;
    // Two threads, and one call on each.
    let mut limits = limits();
    limits.plugin.calls_at_once_per_thread = 1;
    let gate = Gate::new(left.path());
    let room = Settings::new(left.path().join("artifacts"), gate.compiler("cold-"));
    let river = open_room(left.path(), &left.clock, limits, room).await;
    for owner in &left.owners[..3] {
        for _ in 0..3 {
            post(&river, *owner, EVENT).await;
        }
    }
    let waits = gate.reached().await;
    for _ in 0..3 {
        post(&river, left.owners[3], EVENT).await;
    }
    for received in left.receiver.wait_for(3).await {
        assert_eq!(label(&received), "warm");
    }
    let _open = gate.open();
    drop(waits);
    let received = left.receiver.wait_for(12).await;
    for name in ["cold-1", "cold-2", "cold-3", "warm"] {
        assert_eq!(received.iter().filter(|received| label(received) == name).count(), 3, "{name}");
    }
    close(river).await;
}

/// The version of before serves until the new one is ready: a start with a new binary is not to stand still behind what tenants have compiled.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_built_in_plugin_is_waited_for_only_where_there_is_none() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let receiver = Receiver::start().await;
    let gate = Gate::new(folder.path());
    let room = Settings::new(folder.path().join("artifacts"), gate.compiler("new-"));
    let river = open_room(folder.path(), &clock, limits(), room).await;
    let ensure = async |label| {
        let built_in = [(mine(), wat("label", label))];
        let ensured = tokio::time::timeout(PATIENCE, river.ensure_built_in(built_in)).await;
        ensured.expect("it waits for nothing").expect("it is a plugin");
    };
    ensure("old").await;
    wait_for_active(&river, folder.path(), "mine", 1).await;
    let owner = organization(&river, "contractfit1").await;
    let mut draft = draft(&["document_text"], &receiver.url("/"));
    draft.plugin = Some((mine(), None));
    river.create_integration(owner, draft).await.expect("made");

    ensure("new-1").await;
    let waits = gate.reached().await;
    post(&river, owner, EVENT).await;
    assert_eq!(label(&receiver.wait_for(1).await[0]), "old");
    let _open = gate.open();
    drop(waits);
    wait_for_active(&river, folder.path(), "mine", 2).await;
    post(&river, owner, EVENT).await;
    assert_eq!(label(&receiver.wait_for(2).await[1]), "new-1");
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_activates_meanwhile_stays_active() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let gate = Gate::new(folder.path());
    let room = Settings {
        compiles_at_once: 2,
        ..Settings::new(folder.path().join("artifacts"), gate.compiler("new-"))
    };
    let river = open_room(folder.path(), &clock, limits(), room).await;
    let upload = async |label, activate| {
        let uploaded = river.upload_plugin(None, mine(), wat("label", label), activate).await;
        uploaded.expect("it is a plugin");
    };
    upload("old", true).await;
    upload("other", false).await;
    let built_in = [(mine(), wat("label", "new-1"))];
    river.ensure_built_in(built_in).await.expect("it is a plugin");
    let waits = gate.reached().await;
    river.activate_plugin(None, mine(), 2).await.expect("activated");
    drop(waits);
    let third = async || river.store().plugin_version(None, mine(), 3).await;
    once(folder.path(), third, |_| true).await;
    wait_for_active(&river, folder.path(), "mine", 2).await;
    close(river).await;
}

/// What ends the compiler from outside, as a kernel does that is short of memory, says nothing of the component.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_built_in_plugin_whose_compile_was_killed_is_tried_again() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let doomed = folder.path().join("doomed");
    let line = format!("[ ! -e '{0}' ] || {{ /bin/rm '{0}'; kill -KILL $$; }}", doomed.display());
    let river = open_with(folder.path(), &clock, limits(), compiler_after(&line)).await;
    let ensure = async |label| {
        let built_in = [(mine(), wat("label", label))];
        river.ensure_built_in(built_in).await.expect("it is a plugin");
    };
    ensure("old").await;
    fs::write(&doomed, "").expect("written");
    ensure("new").await;
    tokio::select! {
        () = wait_for_active(&river, folder.path(), "mine", 2) => {}
        () = clock.turn_to_sleeps_of(60_000) => {}
    }
    close(river).await;
}

/// Neither what was killed ahead of need nor its own compile parks a run.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_compile_was_killed_has_it_compiled_again() {
    let left = Left::with(&["cold-1"]).await;
    let spared = left.path().join("spared");
    let killed_once = compiler_after(&format!("[ -e '{0}' ] || {{ : >'{0}'; kill -KILL $$; }}", spared.display()));
    let river = open_with(left.path(), &left.clock, limits(), never_ahead(killed_once)).await;
    post(&river, left.owners[0], EVENT).await;
    tokio::select! {
        received = left.receiver.wait_for(1) => assert_eq!(label(&received[0]), "cold-1"),
        () = left.clock.turn_to_sleeps_of(1000) => {}
    }
    assert!(spared.exists(), "the first compile was killed");
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compile_that_a_run_waits_for_ends_with_the_river() {
    let left = Left::with(&["cold-1"]).await;
    let gate = Gate::new(left.path());
    let river = open_with(left.path(), &left.clock, limits(), never_ahead(gate.compiler("cold-"))).await;
    post(&river, left.owners[0], EVENT).await;
    let _waits = gate.reached().await;
    close(river).await;
    gate.left().await;
}

/// Each component that is loaded drives the one before it out, before that is called.
#[tokio::test(flavor = "multi_thread")]
async fn runs_go_on_where_one_component_alone_stays_loaded() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let receiver = Receiver::start().await;
    let mut limits = limits();
    limits.plugin.calls_at_once_per_thread = 1;
    let room = Settings {
        loaded_bytes_max: 1,
        ..Settings::new(folder.path().join("artifacts"), compiler())
    };
    let river = open_room(folder.path(), &clock, limits, room).await;
    let owner = organization(&river, "contractfit1").await;
    for name in ["mine-1", "mine-2", "mine-3", "mine-4", "mine-5", "mine-6"] {
        let plugin: PluginName = name.parse().expect("a name");
        let uploaded = river.upload_plugin(Some(owner), plugin.clone(), wat("label", name), true).await;
        uploaded.expect("it is a plugin");
        let mut draft = draft(&["document_text"], &receiver.url("/"));
        draft.plugin = Some((plugin, None));
        river.create_integration(owner, draft).await.expect("made");
    }
    for _ in 0..3 {
        post(&river, owner, EVENT).await;
    }
    receiver.wait_for(18).await;
    close(river).await;
}

/// All wait for the host's own plugins: so these are compiled beside what an organization has compiled, and not behind it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_hosts_own_is_compiled_in_the_hosts_turn() {
    let left = Left::with(&["cold-1"]).await;
    remove_compiled(left.path(), &Bytes::from_static(PASSTHROUGH));
    let gate = Gate::new(left.path());
    let room = Settings {
        compiles_at_once: 2,
        ..Settings::new(left.path().join("artifacts"), never_ahead(gate.compiler("cold-")))
    };
    let river = open_room(left.path(), &left.clock, limits(), room).await;
    let default = draft(&["document_text"], &left.receiver.url("/default"));
    river.create_integration(left.owners[0], default).await.expect("made");
    post(&river, left.owners[0], EVENT).await;
    let waits = gate.reached().await;
    assert_eq!(left.receiver.wait_for(1).await[0].path, "/default");
    let _open = gate.open();
    drop(waits);
    assert_eq!(label(&left.receiver.wait_for(2).await[1]), "cold-1");
    close(river).await;
}
