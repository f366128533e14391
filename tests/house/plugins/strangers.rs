//! Whether somebody else has a component already is nobody's business: its upload takes as much work, and is answered alike.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::OrganizationKey;
use hookmill_flow::River;
use hookmill_plugin_room::CompilerCommand;
use serde_json::Value;

use crate::parts::clock::HandClock;
use crate::parts::components::wat;
use crate::parts::river::{PASSTHROUGH, close, compiler_after, limits, open, open_with, organization};

/// A compiler that writes a line for each job that it is given.
fn counting(count: &Path) -> CompilerCommand {
    compiler_after(&format!("echo \"$1\" >> '{}'", count.display()))
}

/// Uploads a component under a name; gives the report of its inspection, without the time that compiling took, and whether it took any.
async fn upload(river: &River, owner: OrganizationKey, name: &str, component: Bytes) -> (Value, bool) {
    let upload = river
        .upload_plugin(Some(owner), name.parse().expect("a name"), component, true)
        .await;
    let mut report = serde_json::to_value(upload.expect("a plugin").report).expect("JSON");
    let compile_ms = report["compile_ms"].take();
    (report, !compile_ms.is_null())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_is_compiled_again() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let count = folder.path().join("compiled");
    let begun = || {
        fs::read_to_string(&count)
            .expect("something was compiled")
            .lines()
            .filter(|job| *job == "compile")
            .count()
    };
    let river = open_with(folder.path(), &clock, limits(), counting(&count)).await;
    let (first, second) = (organization(&river, "first").await, organization(&river, "second").await);
    let before = begun();
    let component = wat("label", "1");

    let report = upload(&river, first, "mine", component.clone()).await;
    assert!(report.1);
    assert_eq!(begun(), before + 1);
    assert_eq!(upload(&river, second, "yours", component.clone()).await, report);
    assert_eq!(begun(), before + 2, "another has it, and it is loaded");
    // Of what the plugin has itself there is nothing to learn.
    assert_eq!(upload(&river, second, "yours", component.clone()).await, (report.0.clone(), false));
    assert_eq!(begun(), before + 2);
    assert!(upload(&river, second, "passing", Bytes::from_static(PASSTHROUGH)).await.1);
    assert_eq!(begun(), before + 3, "the host has it");
    let both = wat("label", "2");
    let (one, other) = tokio::join!(upload(&river, first, "mine", both.clone()), upload(&river, second, "yours", both));
    assert!(one.1);
    assert_eq!(one, other);
    assert_eq!(begun(), before + 5, "another is uploading it");
    close(river).await;

    let river = open_with(folder.path(), &clock, limits(), counting(&count)).await;
    let third = organization(&river, "third").await;
    assert_eq!(upload(&river, third, "its", component).await, report);
    assert_eq!(begun(), before + 6, "its artifact is on the disk");
    close(river).await;
}

/// A large component is many pages, and the answer waits until they are on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_is_stored_again() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let river = open(folder.path(), &clock, limits()).await;
    let large = Bytes::from(vec![7; 1_500_000]);
    let written = || {
        fs::metadata(folder.path().join("hookmill.db-wal"))
            .expect("the database's log")
            .len()
    };
    let put = async |decoy: &str| {
        let before = written();
        let decoy = Some(Digest::of(decoy.as_bytes()));
        let put = river.store().put_component(Digest::of(&large), large.clone(), decoy, false).await;
        put.expect("stored");
        written() - before
    };
    let (new, known) = (put("one's").await, put("another's").await);
    assert!(new > large.len() as u64, "{new} bytes");
    assert!(known.abs_diff(new) < new / 20, "{known} bytes, {new} for the first one");
    assert_eq!(
        river.store().component(Digest::of(&large)).await.expect("it reads"),
        Some(large.clone())
    );
    close(river).await;
}
