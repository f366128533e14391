//! Components are compiled before anybody needs them, behind those that somebody needs, and for a binary that is not serving yet.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::Outcome;
use hookmill_plugin_room::{Ahead, LoadError, Plugins, Precompiler, Refusal, Settings, Swept};
use tempfile::TempDir;

use crate::guests::{Guest, SKIP, slow_guest};
use crate::{House, an_event, child, open};

/// How long anything may take here, unless it has gone wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A guest that skips; each number makes another component.
fn guest(number: u32) -> Bytes {
    let transform = format!("(drop (i32.const {number})) {SKIP}");
    Guest::of(&transform).build().into()
}

async fn nothing_to_fetch() -> io::Result<Bytes> {
    Err(io::Error::other("nobody has its bytes"))
}

async fn ahead(plugins: &Plugins, bytes: &Bytes) -> Ahead {
    let compiled = plugins
        .compile_ahead(Digest::of(bytes), async || io::Result::Ok(bytes.clone()))
        .await;
    compiled.expect("it can be compiled")
}

/// A room in which so many components are compiled at a time.
fn room_with(compiles_at_once: usize) -> (TempDir, Plugins) {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        hot_slots: 16,
        compiles_at_once,
        ..Settings::new(dir.path(), child())
    };
    let plugins = Plugins::open(settings).expect("a room");
    (dir, plugins)
}

/// Ends once a component is being compiled.
async fn is_compiling(dir: &Path) {
    let watch = async {
        while fs::read_dir(dir.join("new")).expect("the folder").next().is_none() {
            // What is waited for is a file; nothing tells of it but the file itself.
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.expect("it is being compiled");
}

fn artifact(dir: &Path, component: &Bytes) -> PathBuf {
    let beginning = format!("{}-", Digest::of(component));
    let entries = fs::read_dir(dir).expect("the folder");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let is_its = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.starts_with(&beginning) && name.ends_with(".cwasm")
    };
    paths.find(is_its).expect("an artifact")
}

#[tokio::test]
async fn what_is_compiled_ahead_needs_no_compiling_when_it_is_called() {
    let house = House::new();
    let bytes = guest(1);
    assert!(house.plugins.compiled().await.expect("readable").is_empty());
    assert!(matches!(ahead(&house.plugins, &bytes).await, Ahead::Compiled { artifact_bytes } if artifact_bytes > 1000));
    assert_eq!(ahead(&house.plugins, &bytes).await, Ahead::WasThere);
    assert_eq!(house.plugins.loaded_count(), 0);
    let digest = Digest::of(&bytes);
    assert_eq!(house.plugins.compiled().await.expect("readable"), [digest].into());
    let component = house.plugins.load(None, digest, nothing_to_fetch).await.expect("from its artifact");
    assert!(matches!(house.call(&component).await.outcome, Ok(Outcome::Skip(_))));
}

#[tokio::test]
async fn an_upload_goes_before_what_nobody_waits_for() {
    let (dir, plugins) = room_with(1);
    let slow = slow_guest();
    let upload = async {
        is_compiling(dir.path()).await;
        plugins.inspect(None, guest(1)).await.expect("a plugin")
    };
    let (given_up, _) = tokio::join!(ahead(&plugins, &slow), upload);
    assert_eq!(given_up, Ahead::GaveWay);
    assert_eq!(plugins.compiled().await.expect("readable"), [Digest::of(&guest(1))].into());
}

#[tokio::test]
async fn a_call_goes_before_what_nobody_waits_for() {
    let (dir, plugins) = room_with(1);
    let slow = slow_guest();
    let bytes = guest(1);
    let load = async {
        is_compiling(dir.path()).await;
        let loaded = plugins.load(None, Digest::of(&bytes), async || io::Result::Ok(bytes.clone())).await;
        loaded.expect("loaded")
    };
    let (given_up, component) = tokio::join!(ahead(&plugins, &slow), load);
    assert_eq!(given_up, Ahead::GaveWay);
    assert!(plugins.transform(&component, &an_event()).await.outcome.is_ok());
}

#[tokio::test]
async fn one_component_of_an_organization_is_compiled_at_a_time() {
    let (a, b) = (Some(OrganizationKey(1)), Some(OrganizationKey(2)));
    let (dir, plugins) = room_with(2);
    let order = Mutex::new(Vec::new());
    let note = |what| order.lock().expect("nobody panics with it").push(what);
    let first = async {
        plugins.inspect(a, slow_guest()).await.expect("a plugin");
        note("the first of a");
    };
    let second = async {
        is_compiling(dir.path()).await;
        let bytes = guest(1);
        let fetch = async || {
            note("the bytes of the second of a");
            io::Result::Ok(bytes.clone())
        };
        plugins.load(a, Digest::of(&bytes), fetch).await.expect("loaded");
    };
    let other = async {
        is_compiling(dir.path()).await;
        plugins.inspect(b, guest(2)).await.expect("a plugin");
        note("that of b");
    };
    tokio::join!(first, second, other);
    let order = order.into_inner().expect("nobody panicked with it");
    assert_eq!(order, ["that of b", "the first of a", "the bytes of the second of a"]);
}

/// Two have uploaded the same bytes, or one has uploaded what the host has itself.
#[tokio::test]
async fn one_who_waits_for_a_turn_keeps_nobody_elses_from_the_same_component() {
    let a = Some(OrganizationKey(1));
    let (dir, plugins) = room_with(2);
    let order = Mutex::new(Vec::new());
    let note = |what| order.lock().expect("nobody panics with it").push(what);
    let bytes = guest(1);
    let load = async |party, what| {
        is_compiling(dir.path()).await;
        let loaded = plugins
            .load(party, Digest::of(&bytes), async || io::Result::Ok(bytes.clone()))
            .await;
        loaded.expect("loaded");
        note(what);
    };
    let first = async {
        plugins.inspect(a, slow_guest()).await.expect("a plugin");
        note("the first of a");
    };
    tokio::join!(first, load(a, "the second of a"), load(None, "the same of the host"));
    let order = order.into_inner().expect("nobody panicked with it");
    assert_eq!(order, ["the same of the host", "the first of a", "the second of a"]);
}

#[tokio::test]
async fn another_binary_compiles_beside_a_host() {
    let house = House::new();
    let dir = house.dir.path().join("artifacts");
    let components = [1, 2, 3].map(guest);
    for bytes in &components[..2] {
        house.upload(bytes.to_vec()).await;
    }
    let half_written = dir.join("new").join("half-written");
    fs::write(&half_written, "half").expect("written");
    let precompiler = Precompiler::open(&Settings::new(&dir, child())).expect("a folder");
    let precompile = async |bytes: &Bytes| {
        let compiled = precompiler.compile(Digest::of(bytes), async || io::Result::Ok(bytes.clone())).await;
        compiled.expect("it can be compiled")
    };
    let is_compiled = |ahead| matches!(ahead, Ahead::Compiled { .. });
    assert_eq!(precompile(&components[0]).await, Ahead::WasThere);
    assert!(is_compiled(precompile(&components[2]).await));

    // Damaged as a failing disk does it: by other bytes, and by fewer. What a host has mapped stays as it was.
    let flipped = artifact(&dir, &components[0]);
    let mut bytes = fs::read(&flipped).expect("its bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let cut = artifact(&dir, &components[1]);
    let sound = fs::read(&cut).expect("its bytes");
    for (path, bytes) in [(&flipped, &bytes[..]), (&cut, &sound[..1000])] {
        fs::remove_file(path).expect("removed");
        fs::write(path, bytes).expect("written");
    }
    assert!(is_compiled(precompile(&components[0]).await));
    assert!(is_compiled(precompile(&components[1]).await));
    assert_eq!(fs::read(&cut).expect("its bytes"), sound);
    assert!(half_written.exists(), "what a host is writing stays");

    let later = open(dir, PluginLimits::default());
    for bytes in &components {
        later
            .load(None, Digest::of(bytes), nothing_to_fetch)
            .await
            .expect("from its artifact");
    }
    assert!(!half_written.exists());
}

#[tokio::test]
async fn what_can_not_be_compiled_is_told() {
    let house = House::new();
    let bytes = Bytes::from_static(b"\0asm\x0d\0\x01\0rubbish");
    let compiled = house
        .plugins
        .compile_ahead(Digest::of(&bytes), async || io::Result::Ok(bytes.clone()))
        .await;
    let Err(LoadError::Refused(refusal)) = compiled else {
        panic!("{compiled:?}")
    };
    assert!(matches!(*refusal, Refusal::CompileFailed { .. }), "{refusal}");
    let compiled = house.plugins.compile_ahead(Digest::of(b"another"), nothing_to_fetch).await;
    assert!(matches!(compiled, Err(LoadError::Fetch(_))), "{compiled:?}");
    // Neither it nor an event that needs it has it compiled again.
    let compiled = house.plugins.compile_ahead(Digest::of(&bytes), nothing_to_fetch).await;
    assert!(matches!(compiled, Err(LoadError::Refused(_))), "{compiled:?}");
    let loaded = house.plugins.load(None, Digest::of(&bytes), nothing_to_fetch).await;
    assert!(matches!(loaded, Err(LoadError::Refused(_))), "{loaded:?}");
}

#[tokio::test]
async fn nothing_goes_for_what_nobody_waits_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        hot_slots: 16,
        artifacts_bytes_max: 1,
        ..Settings::new(dir.path(), child())
    };
    let plugins = Plugins::open(settings.clone()).expect("a room");
    let uploaded = plugins.inspect(None, guest(1)).await.expect("a plugin").digest;
    assert_eq!(ahead(&plugins, &guest(2)).await, Ahead::NoRoom);
    // It is loaded, and so it stays although the folder is over its bound.
    assert_eq!(plugins.compiled().await.expect("readable"), [uploaded].into());
    assert_eq!(plugins.sweep().await.expect("swept"), Swept::default());
    drop(plugins);
    let later = Plugins::open(settings).expect("a room");
    assert_eq!(later.sweep().await.expect("swept").artifacts, 1);
}

#[tokio::test]
async fn a_component_that_is_forgotten_is_neither_loaded_nor_compiled() {
    let house = House::new();
    let component = house.upload(guest(1).to_vec()).await;
    let digest = *component.digest();
    house.plugins.forget(digest).await.expect("removed");
    assert!(house.plugins.loaded(&digest).is_none());
    assert_eq!((house.plugins.loaded_count(), house.plugins.loaded_bytes()), (0, 0));
    assert!(house.plugins.compiled().await.expect("readable").is_empty());
    assert!(
        matches!(house.call(&component).await.outcome, Ok(Outcome::Skip(_))),
        "whoever has it goes on"
    );
}
