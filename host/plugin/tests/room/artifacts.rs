//! Components come back from their artifacts, are compiled again where these are damaged, and are loaded once.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::Outcome;
use hookmill_plugin_room::{LoadError, Plugins, Settings};

use crate::guests::{Guest, SKIP};
use crate::{House, an_event, child, open};

async fn nothing_to_fetch() -> io::Result<Bytes> {
    Err(io::Error::other("nobody has its bytes"))
}

fn artifact(house: &House) -> PathBuf {
    let entries = fs::read_dir(house.dir.path().join("artifacts")).expect("the folder");
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .find(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
        .expect("an artifact")
}

#[tokio::test]
async fn a_restarted_host_finds_what_was_compiled() {
    let house = House::new();
    let digest = *house.upload(Guest::of(SKIP).build()).await.digest();
    let again = open(house.dir.path().join("artifacts"), PluginLimits::default());
    assert!(again.loaded(&digest).is_none());
    let component = again.load(None, digest, nothing_to_fetch).await.expect("from its artifact");
    assert!(matches!(
        again.transform(&component, &an_event()).await.outcome,
        Ok(Outcome::Skip(_))
    ));
    assert_eq!(again.loaded(&digest).map(|component| *component.digest()), Some(digest));
}

#[tokio::test]
async fn a_damaged_artifact_is_compiled_again() {
    let house = House::new();
    let bytes = Guest::of(SKIP).build();
    let digest = *house.upload(bytes.clone()).await.digest();
    // Damaged in place, as a failing disk does it: the running host has it mapped and is not asked again.
    let path = artifact(&house);
    let mut damaged = fs::read(&path).expect("its bytes");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::remove_file(&path).expect("removed");
    fs::write(&path, damaged).expect("written");
    let again = open(house.dir.path().join("artifacts"), PluginLimits::default());
    assert!(
        matches!(again.load(None, digest, nothing_to_fetch).await, Err(LoadError::Fetch(_))),
        "it is not trusted"
    );
    let fetched = again
        .load(None, digest, || async { io::Result::Ok(Bytes::from(bytes)) })
        .await
        .expect("compiled again");
    assert!(matches!(again.transform(&fetched, &an_event()).await.outcome, Ok(Outcome::Skip(_))));
    let third = open(house.dir.path().join("artifacts"), PluginLimits::default());
    third
        .load(None, digest, nothing_to_fetch)
        .await
        .expect("the artifact is sound again");
}

#[tokio::test]
async fn other_bytes_are_not_taken_for_a_component() {
    let house = House::new();
    let digest = Digest::of(b"what was asked for");
    let error = house
        .plugins
        .load(None, digest, async || io::Result::Ok(Bytes::from_static(b"something else")))
        .await
        .expect_err("other bytes");
    assert!(matches!(error, LoadError::WrongBytes { wanted, .. } if wanted == digest));
    assert!(!error.is_passing());
}

#[tokio::test]
async fn however_many_ask_it_is_loaded_once() {
    let house = House::new();
    let bytes = Bytes::from(Guest::of(SKIP).build());
    let digest = Digest::of(&bytes);
    let fetched = AtomicUsize::new(0);
    let load = || {
        house.plugins.load(None, digest, async || {
            fetched.fetch_add(1, SeqCst);
            io::Result::Ok(bytes.clone())
        })
    };
    let loads: Vec<_> = (0..20).map(|_| load()).collect();
    for loaded in futures_util::future::join_all(loads).await {
        loaded.expect("loaded");
    }
    assert_eq!(fetched.load(SeqCst), 1);
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_waited_and_forgotten() {
    let house = House::new();
    let bytes = Bytes::from(Guest::of(SKIP).build());
    let digest = Digest::of(&bytes);
    let fetched = AtomicUsize::new(0);
    let fail = || {
        house.plugins.load(None, digest, async || {
            fetched.fetch_add(1, SeqCst);
            // Until all of them wait: the look at the disk may have ended before it was waited for.
            tokio::task::yield_now().await;
            nothing_to_fetch().await
        })
    };
    let loads: Vec<_> = (0..20).map(|_| fail()).collect();
    for loaded in futures_util::future::join_all(loads).await {
        assert!(loaded.expect_err("nothing to fetch").is_passing());
    }
    assert_eq!(fetched.load(SeqCst), 1);
    house
        .plugins
        .load(None, digest, async || io::Result::Ok(bytes.clone()))
        .await
        .expect("it can be had now");
}

/// As a disk full of another host's files has it: the digest beside it is right, and the code is nobody's.
#[tokio::test]
async fn an_artifact_that_no_engine_takes_is_made_anew() {
    let house = House::new();
    let bytes = Bytes::from(Guest::of(SKIP).build());
    let digest = *house.upload(bytes.to_vec()).await.digest();
    let artifact = artifact(&house);
    let replace = || {
        let rubbish = b"\x7fELF, and nothing that an engine takes";
        fs::remove_file(&artifact).expect("removed");
        fs::write(&artifact, rubbish).expect("written");
        fs::write(artifact.with_extension("sha256"), format!("{}\n", Digest::of(rubbish))).expect("written");
    };
    replace();
    let loading = open(house.dir.path().join("artifacts"), PluginLimits::default());
    let component = loading.load(None, digest, async || io::Result::Ok(bytes.clone())).await;
    let component = component.expect("compiled anew");
    assert!(loading.transform(&component, &an_event()).await.outcome.is_ok());

    replace();
    let inspecting = open(house.dir.path().join("artifacts"), PluginLimits::default());
    let inspection = inspecting.inspect_again(None, bytes.clone()).await.expect("compiled anew");
    assert!(inspection.compile_ms.is_some());
    let inspection = inspecting.inspect_again(None, bytes).await.expect("it is there");
    assert_eq!(inspection.compile_ms, None);
}

#[tokio::test]
async fn one_who_gives_up_leaves_the_turn_to_the_next() {
    let house = House::new();
    let bytes = Bytes::from(Guest::of(SKIP).build());
    let digest = Digest::of(&bytes);
    let (begun, begins) = tokio::sync::oneshot::channel();
    let given_up = house.plugins.load(None, digest, async move || {
        begun.send(()).expect("somebody waits");
        std::future::pending::<io::Result<Bytes>>().await
    });
    let next = house.plugins.load(None, digest, async || io::Result::Ok(bytes.clone()));
    let (_, loaded) = tokio::join!(
        async {
            tokio::select! {
                _ = given_up => panic!("it waits for ever"),
                begun = begins => begun.expect("begun"),
            }
        },
        next
    );
    loaded.expect("loaded by the next");
}

#[tokio::test]
async fn loaded_components_are_bounded_and_those_in_use_stay() {
    let dir = tempfile::tempdir().expect("a folder");
    // Room for about three.
    let settings = Settings {
        loaded_bytes_max: 350 * 1024,
        hot_slots: 16,
        ..Settings::new(dir.path(), child())
    };
    let plugins = Plugins::open(settings).expect("a room");
    let mut digests = Vec::new();
    for letter in 0..8 {
        let transform = format!("(drop (i32.const {letter})) {SKIP}");
        let bytes = Guest::of(&transform).build();
        digests.push(plugins.inspect(None, bytes.into()).await.expect("a plugin").digest);
        // The first is used all the time.
        assert!(plugins.loaded(&digests[0]).is_some());
    }
    assert!((1..=3).contains(&plugins.loaded_count()), "{} loaded", plugins.loaded_count());
    assert!(
        (1..=350 * 1024).contains(&plugins.loaded_bytes()),
        "{} bytes",
        plugins.loaded_bytes()
    );
    assert!(plugins.loaded(&digests[1]).is_none());
    let component = plugins.load(None, digests[1], nothing_to_fetch).await.expect("from its artifact");
    assert!(plugins.transform(&component, &an_event()).await.outcome.is_ok());
}

#[tokio::test]
async fn a_component_that_can_not_be_compiled_any_more_is_refused_with_its_reason() {
    let house = House::new();
    let bytes = Bytes::from_static(b"\0asm\x0d\0\x01\0rubbish");
    let loaded = house
        .plugins
        .load(None, Digest::of(&bytes), async || io::Result::Ok(bytes.clone()))
        .await;
    let Err(LoadError::Refused(refusal)) = loaded else {
        panic!("{loaded:?}")
    };
    assert!(refusal.to_string().contains("can not be compiled"), "{refusal}");
    // The next event does not have it compiled again.
    let loaded = house.plugins.load(None, Digest::of(&bytes), nothing_to_fetch).await;
    assert!(
        matches!(&loaded, Err(LoadError::Refused(again)) if again.to_string() == refusal.to_string()),
        "{loaded:?}"
    );
}
