//! What plugins may take of the disk that all share: a reserve that uploads leave alone, limits for each organization, and nothing that
//! stays of an upload which came to nothing.

use std::path::Path;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::names::PluginName;
use hookmill_flow::ChangeError;
use rusqlite::Connection;

use crate::parts::client::Answer;
use crate::parts::clock::HandClock;
use crate::parts::components::wat;
use crate::parts::disk::DatabaseLog;
use crate::parts::host::{Host, Options};
use crate::parts::looks::problem;
use crate::parts::receiver::PATIENCE;
use crate::parts::river::{close, limits, open, organization};

/// Components, whole or in pieces, of which no version has the bytes.
fn left_behind(folder: &Path) -> usize {
    let database = Connection::open(folder.join("hookmill.db")).expect("the database opens");
    database.busy_timeout(PATIENCE).expect("it waits");
    let count = "SELECT count(*) FROM (SELECT digest FROM component UNION SELECT digest FROM component_piece) AS stored
                 WHERE NOT EXISTS (SELECT 1 FROM plugin_version v WHERE v.digest = stored.digest AND v.deleted_at IS NULL)";
    database.query_row(count, [], |row| row.get(0)).expect("counted")
}

/// Nothing tells of the end of a removal but the rows themselves, so they are counted again whenever something was committed.
async fn nothing_is_left_behind(folder: &Path) {
    let mut log = DatabaseLog::watch(folder);
    let watch = async {
        while left_behind(folder) > 0 {
            log.written().await;
        }
    };
    tokio::time::timeout(PATIENCE, watch)
        .await
        .expect("what came to nothing is removed");
}

#[track_caller]
fn too_much(answer: &Answer, limit: &str) {
    let document = problem(answer, 429, "-");
    assert_eq!(document["limit"], limit, "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_leave_the_disks_reserve_alone() {
    let host = Host::start_with(Options::default().with("LIMITS__INTAKE__DISK_FREE_BYTES_MIN", "1000000000000000000"));
    let tenant = host.organization("contractfit1").await;
    for client in [&tenant, &host.operator] {
        let answer = client.upload("name=mine", wat("label", "1")).await;
        let document = problem(&answer, 503, "-");
        assert_eq!(document["limit"], "disk_free_bytes_min", "{document}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(left_behind(host.folder()), 0);
    let plugins = tenant.get("/plugins").await.expect(200);
    assert!(
        !plugins["items"].as_array().expect("a list").is_empty(),
        "what is built in is there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_so_many_plugins_and_each_of_them_so_many_versions() {
    let host = Host::start_with(
        Options::default()
            .with("LIMITS__INTAKE__PLUGINS_MAX", "1")
            .with("LIMITS__INTAKE__VERSIONS_MAX", "2"),
    );
    let tenant = host.organization("contractfit1").await;
    for label in ["1", "2"] {
        tenant.upload("name=mine", wat("label", label)).await.expect(201);
    }
    too_much(&tenant.upload("name=mine", wat("label", "3")).await, "versions_max");
    too_much(&tenant.upload("name=other", wat("label", "3")).await, "plugins_max");
    tenant.upload("name=mine", wat("label", "2")).await.expect(200);
    tenant.delete("/plugins/mine/versions/1").await.expect(204);
    tenant.upload("name=mine", wat("label", "3")).await.expect(201);
    assert_eq!(left_behind(host.folder()), 0);

    // A plugin whose versions are deleted is none, until one of them comes back.
    let second = host.organization("contractfit2").await;
    second.upload("name=short&activate=false", wat("label", "1")).await.expect(201);
    second.delete("/plugins/short/versions/1").await.expect(204);
    second.upload("name=long", wat("label", "1")).await.expect(201);
    too_much(&second.upload("name=short", wat("label", "1")).await, "plugins_max");

    // The host's own are the operator's affair.
    for (name, label) in [("all", "1"), ("all", "2"), ("all", "3"), ("more", "1")] {
        host.operator.upload(&format!("name={name}"), wat("label", label)).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizations_components_have_so_many_bytes() {
    let max = wat("label", "1").len() * 5 / 2;
    let host = Host::start_with(Options::default().with("LIMITS__INTAKE__COMPONENT_BYTES_MAX_PER_ORGANIZATION", &max.to_string()));
    let limit = "component_bytes_max_per_organization";
    let tenant = host.organization("contractfit1").await;
    for label in ["1", "2"] {
        tenant.upload("name=mine", wat("label", label)).await.expect(201);
    }
    too_much(&tenant.upload("name=mine", wat("label", "3")).await, limit);
    too_much(&tenant.upload("name=other", wat("label", "1")).await, limit);
    tenant.delete("/plugins/mine/versions/1").await.expect(204);
    tenant.upload("name=mine", wat("label", "3")).await.expect(201);
    too_much(&tenant.upload("name=mine", wat("label", "1")).await, limit);
    let second = host.organization("contractfit2").await;
    second.upload("name=mine", wat("label", "1")).await.expect(201);
    for label in ["1", "2", "3"] {
        host.operator.upload("name=all", wat("label", label)).await.expect(201);
    }
}

/// Both are asked for before either is there, so that the commit of the later one refuses it, when its bytes are stored already.
#[tokio::test(flavor = "multi_thread")]
async fn what_its_commit_refuses_leaves_no_bytes() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let mut limits = limits();
    limits.intake.plugins_max = 1;
    let river = open(folder.path(), &clock, limits).await;
    let owner = Some(organization(&river, "contractfit1").await);
    let upload = |name: &str| river.upload_plugin(owner, name.parse().expect("a name"), wat("label", name), true);
    let (first, second) = tokio::join!(upload("first"), upload("second"));
    let refused = match (first, second) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("{both:?}"),
    };
    assert!(
        matches!(
            refused,
            ChangeError::TooMany {
                limit: "plugins_max",
                max: 1
            }
        ),
        "{refused:?}"
    );
    nothing_is_left_behind(folder.path()).await;
    close(river).await;
}

/// As a kill leaves them: pieces without the row that says that they are all, and a whole component that no version came to have.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_removes_what_cut_off_uploads_left() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let river = open(folder.path(), &clock, limits()).await;
    let owner = Some(organization(&river, "contractfit1").await);
    let name: PluginName = "mine".parse().expect("a name");
    let kept = wat("label", "kept");
    river.upload_plugin(owner, name, kept.clone(), true).await.expect("uploaded");
    for byte in [1, 2] {
        // Of more pieces than are removed at once.
        let large = Bytes::from(vec![byte; 6 * 512 * 1024 + 1]);
        river
            .store()
            .put_component(Digest::of(&large), large, None, false)
            .await
            .expect("stored");
    }
    close(river).await;
    assert_eq!(left_behind(folder.path()), 2);
    let database = Connection::open(folder.path().join("hookmill.db")).expect("the database opens");
    let cut_off = Digest::of(&vec![1; 6 * 512 * 1024 + 1]);
    database
        .execute("DELETE FROM component WHERE digest = ?1", [cut_off.as_bytes()])
        .expect("changed");
    drop(database);

    let river = open(folder.path(), &clock, limits()).await;
    nothing_is_left_behind(folder.path()).await;
    let found = river.store().component(Digest::of(&kept)).await.expect("it reads");
    assert_eq!(found, Some(kept));
    close(river).await;
}
