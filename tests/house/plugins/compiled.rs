//! What is compiled and kept on disk: made again for a new engine, before it or after it takes over, and removed with its component.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use hookmill_domain::digest::Digest;
use serde_json::json;

use crate::parts::components::{FLATTEN, PASSTHROUGH, wat};
use crate::parts::disk::{Arrivals, Departures};
use crate::parts::hookmill;
use crate::parts::host::Host;
use crate::parts::receiver::{PATIENCE, Receiver};

/// The name of an engine that no binary has.
const OTHER_ENGINE: &str = "0123456789abcdef";
/// Built-in plugins: each is active, and so in use.
const BUILT_IN: usize = 4;

/// The artifacts of one engine, or of all but one, by their components' digests.
fn artifacts(folder: &Path, is_meant: impl Fn(&str) -> bool) -> HashMap<String, PathBuf> {
    let entries = fs::read_dir(folder.join("artifacts")).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let named = paths.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".cwasm")?;
        let (digest, engine) = name.split_once('-')?;
        is_meant(engine).then(|| (digest.to_owned(), path.clone()))
    });
    named.collect()
}

fn own(folder: &Path) -> HashMap<String, PathBuf> {
    artifacts(folder, |engine| engine != OTHER_ENGINE)
}

/// Makes all that is compiled another engine's, as an upgrade of the engine does.
fn change_engine(folder: &Path) {
    for path in own(folder).into_values() {
        for path in [path.with_extension("sha256"), path] {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let (digest, rest) = name.split_once('-').expect("digest and engine");
            let (_, extension) = rest.split_once('.').expect("an extension");
            fs::rename(&path, path.with_file_name(format!("{digest}-{OTHER_ENGINE}.{extension}"))).expect("renamed");
        }
    }
}

/// Waits until as many components are compiled for the present engine.
async fn all_compiled(folder: &Path, count: usize) -> HashMap<String, PathBuf> {
    let mut arrivals = Arrivals::watch(&folder.join("artifacts"));
    let watch = async {
        loop {
            let found = own(folder);
            if found.len() == count && found.values().all(|path| path.with_extension("sha256").exists()) {
                return found;
            }
            arrivals.some().await;
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.expect("all are compiled")
}

/// Waits until nothing is compiled of a component any more.
async fn is_removed(folder: &Path, digest: &str) {
    let mut departures = Departures::watch(&folder.join("artifacts"));
    let watch = async {
        while own(folder).contains_key(digest) {
            departures.some().await;
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.expect("it is removed");
}

async fn precompile(folder: &Path, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(hookmill());
    command.arg("precompile").arg("--data").arg(folder).args(["--jobs", "2"]);
    command.envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let Output { status, stdout, stderr } = output.expect("it does not panic").expect("the binary starts");
    let said = String::from_utf8([stdout, stderr].concat()).expect("it speaks UTF-8");
    (status.code(), said)
}

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_engine_compiles_behind_its_start_what_is_used_most_first() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    for name in ["once", "twice", "never", "called"] {
        tenant.plugin(name, wat("label", name)).await;
    }
    tenant.plugin("once", wat("label", "pinned")).await;
    // Neither active nor named by anybody.
    tenant
        .upload("name=never&activate=false", wat("label", "inactive"))
        .await
        .expect(201);
    for plugin in ["once", "twice", "twice", "once@1", "twice@1"] {
        tenant.integration(&receiver.url("/"), json!({"plugin": plugin})).await;
    }
    let of_deletions = json!({"plugin": "called", "events": ["document_delete"]});
    tenant.integration(&receiver.url("/"), of_deletions).await;
    tenant.event(r#"{"event": "document_delete", "data": {"id": "1"}}"#).await;
    receiver.wait_for(1).await;
    assert!(host.terminate().success());
    change_engine(host.folder());
    host.start_again();

    let compiled = all_compiled(host.folder(), BUILT_IN + 5).await;
    let at = |name: &str| -> SystemTime {
        let path = &compiled[&digest(&wat("label", name))];
        fs::metadata(path).and_then(|metadata| metadata.modified()).expect("it is there")
    };
    // One names it, and has called it.
    assert!(at("called") < at("twice"));
    // Three name it, by its name or its version; one each; none.
    assert!(at("twice") < at("once").min(at("pinned")));
    assert!(at("once").max(at("pinned")) < at("never"));
    assert!(
        !compiled.contains_key(&digest(&wat("label", "inactive"))),
        "its first call compiles it"
    );
    let kept = artifacts(host.folder(), |engine| engine == OTHER_ENGINE);
    assert_eq!(kept.len(), BUILT_IN + 6, "a binary that is rolled back finds its own");

    tenant.with_host(&host).text_event("1").await;
    assert_eq!(receiver.wait_for(6).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_binary_compiles_beside_the_host_that_it_replaces() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("label", wat("label", "1")).await;
    tenant.integration(&receiver.url("/"), json!({"plugin": "label"})).await;
    change_engine(host.folder());
    let half_written = host.folder().join("artifacts/new/half-written");
    fs::write(&half_written, "half").expect("written");

    let count = BUILT_IN + 1;
    let (code, said) = precompile(host.folder(), &[]).await;
    assert!(
        code == Some(0) && said.contains(&format!("{count} components in use: {count} compiled to ")),
        "{said}"
    );
    let compiled = own(host.folder());
    assert_eq!(compiled.len(), count);
    assert_eq!(artifacts(host.folder(), |engine| engine == OTHER_ENGINE).len(), count);
    assert!(half_written.exists(), "what the host is writing stays");
    tenant.text_event("1").await;
    assert_eq!(super::label(&receiver.wait_for(1).await[0]), "1");

    // Damaged ones are compiled again, and only they.
    let flipped = &compiled[&digest(PASSTHROUGH)];
    let mut bytes = fs::read(flipped).expect("its bytes");
    bytes[5000] ^= 1;
    fs::write(flipped, bytes).expect("written");
    fs::write(&compiled[&digest(FLATTEN)], "").expect("written");
    // A host that was killed has left its log, and nobody has the lock.
    host.kill();
    let (code, said) = precompile(host.folder(), &[]).await;
    let totals = format!("{count} components in use: 2 compiled to ");
    assert!(
        code == Some(0) && said.contains(&totals) && said.contains("3 were compiled already"),
        "{said}"
    );
    host.start_again();
    assert!(!half_written.exists());
    tenant.with_host(&host).text_event("2").await;
    assert_eq!(super::label(&receiver.wait_for(2).await[1]), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_compiled_is_named() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("label", wat("label", "1")).await;
    change_engine(host.folder());
    // The built-in plugins of Rust with a schema have more.
    let (code, said) = precompile(host.folder(), &[("HOOKMILL_LIMITS__PLUGIN__COMPONENT_BYTES_MAX", "100000")]).await;
    assert_eq!(code, Some(1), "{said}");
    for name in ["filter", "flatten", "redact"] {
        let line = format!("not compiled {name}@1: ");
        assert!(
            said.lines()
                .any(|told| told.starts_with(&line) && told.ends_with("more than 100000 bytes")),
            "{said}"
        );
    }
    assert!(
        said.contains("5 components in use: 2 compiled to ") && said.contains("3 could not be compiled"),
        "{said}"
    );

    let (code, said) = precompile(&host.folder().join("nothing"), &[]).await;
    assert!(code == Some(1) && said.contains("there is no database"), "{said}");
    assert!(!host.folder().join("nothing").exists());
    assert!(host.terminate().success());
    let database = rusqlite::Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    database.pragma_update(None, "user_version", 1000).expect("it is set");
    drop(database);
    let (code, said) = precompile(host.folder(), &[]).await;
    assert!(code == Some(1) && said.contains("schema 1000"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_compiled_goes_with_its_component() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let is_there = |host: &Host, name: &str| own(host.folder()).contains_key(&digest(&wat("label", name)));
    for name in ["1", "2", "3"] {
        tenant.plugin("label", wat("label", name)).await;
    }
    tenant.plugin("other", wat("label", "2")).await;
    for version in [1, 2] {
        tenant.delete(&format!("/plugins/label/versions/{version}")).await.expect(204);
    }
    is_removed(host.folder(), &digest(&wat("label", "1"))).await;
    assert!(is_there(&host, "2") && is_there(&host, "3"), "another plugin has these bytes");

    // What no component stands behind, a day later: as if a crash had come between.
    assert!(host.terminate().success());
    let left = own(host.folder());
    let strays = ["4".repeat(64), "5".repeat(64)];
    for (stray, days) in strays.iter().zip([2, 0]) {
        let of_another = &left[&digest(&wat("label", "3"))];
        let name = of_another
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .replace(&digest(&wat("label", "3")), stray);
        let path = of_another.with_file_name(name);
        fs::copy(of_another, &path).expect("copied");
        let time = SystemTime::now() - std::time::Duration::from_secs(days * 24 * 60 * 60);
        fs::File::open(&path).expect("there").set_modified(time).expect("set");
    }
    host.start_again();
    is_removed(host.folder(), &strays[0]).await;
    assert!(
        own(host.folder()).contains_key(&strays[1]),
        "it may be of an upload that is under way"
    );
    assert!(is_there(&host, "3"));
}
