//! What was looked at and has changed before it was acted on: the store's own guards, without the chance that it takes to meet them.

use std::path::Path;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{IntegrationId, PluginId};
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, SecretBytes};
use hookmill_domain::names::PluginName;
use hookmill_flow::River;
use hookmill_store::{
    Activate, Activated, Changed, Deleted, Deletion, Judged, NewIntegration, NewVersion, PluginsMax, Uploaded, Withdrawal,
};

use crate::parts::clock::HandClock;
use crate::parts::components::wat;
use crate::parts::river::{close, draft, limits, open, organization};

const MAX: PluginsMax = PluginsMax {
    plugins: 10,
    versions: 10,
    component_bytes: 100_000_000,
};

fn name() -> PluginName {
    "mine".parse().expect("a name")
}

/// A river with an organization that has two versions of a plugin, the second one active.
async fn scene(folder: &Path, clock: &HandClock) -> (River, OrganizationKey) {
    let river = open(folder, clock, limits()).await;
    let owner = organization(&river, "contractfit1").await;
    for label in ["1", "2"] {
        river
            .upload_plugin(Some(owner), name(), wat("label", label), true)
            .await
            .expect("uploaded");
    }
    (river, owner)
}

async fn begun(river: &River, owner: OrganizationKey, version: u32) -> Deletion {
    match river.store().begin_deletion(Some(owner), name(), version).await.expect("it reads") {
        Withdrawal::Begun(deletion) => deletion,
        other => panic!("{other:?}"),
    }
}

fn following(version: Option<u32>) -> hookmill_domain::integration::Draft {
    let mut draft = draft(&["document_text"], "http://127.0.0.1:9/");
    draft.plugin = Some((name(), version));
    draft
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_in_force_meanwhile_is_not_deleted() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let (river, owner) = scene(folder.path(), &clock).await;
    let now = clock.now_time();
    let deletion = begun(&river, owner, 1).await;
    for version in [1, 2] {
        river.activate_plugin(Some(owner), name(), version).await.expect("activated");
    }
    assert_eq!(
        river.store().delete_version(deletion, now).await.expect("it writes"),
        Deleted::Moved
    );

    let deletion = begun(&river, owner, 1).await;
    let pinned = river.create_integration(owner, following(Some(1))).await.expect("made");
    river
        .change_integration(owner, pinned.id, pinned.version, following(None), None)
        .await
        .expect("changed");
    assert_eq!(
        river.store().delete_version(deletion, now).await.expect("it writes"),
        Deleted::Moved
    );

    // Whoever comes to follow the plugin needs its active version alone.
    let deletion = begun(&river, owner, 1).await;
    river.create_integration(owner, following(None)).await.expect("made");
    let digest = Digest::of(&wat("label", "1"));
    let again = deletion.clone();
    assert_eq!(
        river.store().delete_version(deletion, now).await.expect("it writes"),
        Deleted::Done(Some(digest))
    );
    assert_eq!(
        river.store().delete_version(again, now).await.expect("it writes"),
        Deleted::Moved,
        "once"
    );
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn judgements_hold_for_what_was_judged() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let (river, owner) = scene(folder.path(), &clock).await;
    let (stand, schema) = river.store().plugin_stand(Some(owner), name()).await.expect("it reads");
    assert_eq!(schema, None);
    let activate = async || {
        river
            .store()
            .activate_version(Some(owner), name(), 1, Some(stand))
            .await
            .expect("it writes")
    };
    river.create_integration(owner, following(Some(1))).await.expect("made");
    assert!(
        matches!(activate().await, Activated::Done { .. }),
        "one that pins a version does not follow"
    );
    let (stand, _) = river.store().plugin_stand(Some(owner), name()).await.expect("it reads");
    let activate = async || {
        river
            .store()
            .activate_version(Some(owner), name(), 2, Some(stand))
            .await
            .expect("it writes")
    };
    river.create_integration(owner, following(None)).await.expect("made");
    assert!(matches!(activate().await, Activated::Moved), "somebody has come to follow it");
    let new = |activate| NewVersion {
        id: PluginId::from_bytes([7; 16]),
        name: name(),
        digest: Digest::of(&wat("label", "1")),
        contract: "1.0.0".to_owned(),
        schema: None,
        activate,
    };
    let added = river
        .store()
        .add_plugin_version(Some(owner), new(Activate::IfStill(stand)), MAX, clock.now_time())
        .await;
    assert!(matches!(added.expect("it writes"), Uploaded::Moved));

    // A configuration holds for the version that has judged it.
    for (by, holds) in [("2", false), ("1", true)] {
        let new = NewIntegration {
            id: IntegrationId::from_bytes([by.as_bytes()[0]; 16]),
            judged: Judged {
                draft: following(None),
                kept: None,
                by: Digest::of(&wat("label", by)),
            },
            secret: SecretBytes(vec![7; 32]),
            integrations_max: 10,
        };
        let changed = river
            .store()
            .create_integration(owner, new, clock.now_time())
            .await
            .expect("it writes");
        assert_eq!(matches!(changed, Changed::Done(_)), holds, "{changed:?}");
        assert_eq!(matches!(changed, Changed::JudgedByOther), !holds, "{changed:?}");
    }
    let followers = river
        .store()
        .followers(Some(owner), name(), IntegrationKey(0), 10)
        .await
        .expect("it reads");
    assert_eq!(followers.len(), 2);
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_being_removed_are_gone_or_there_again() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let (river, owner) = scene(folder.path(), &clock).await;
    let store = river.store().clone();
    // Of several pieces, more than are removed at once.
    let large = Bytes::from(vec![7; 6 * 512 * 1024 + 1]);
    let digest = Digest::of(&large);
    let new = NewVersion {
        id: PluginId::from_bytes([7; 16]),
        name: name(),
        digest,
        contract: "1.0.0".to_owned(),
        schema: None,
        activate: Activate::No,
    };
    let add = async || {
        store
            .add_plugin_version(Some(owner), new.clone(), MAX, clock.now_time())
            .await
            .expect("it writes")
    };
    assert!(matches!(add().await, Uploaded::NoComponent));
    store.put_component(digest, large.clone(), None, false).await.expect("stored");
    assert!(matches!(add().await, Uploaded::Done { new: true, .. }));
    assert_eq!(store.component(digest).await.expect("it reads"), Some(large.clone()));
    let other = organization(&river, "contractfit2").await;
    for (whose, is_read) in [(Some(owner), true), (Some(other), false), (None, false)] {
        let piece = store.component_piece(whose, digest, 0).await.expect("it reads");
        assert_eq!(piece.is_some(), is_read, "{whose:?} reads what is its own, or the host's");
    }

    let deletion = begun(&river, owner, 3).await;
    assert_eq!(
        store.delete_version(deletion, clock.now_time()).await.expect("it writes"),
        Deleted::Done(Some(digest))
    );
    assert_eq!(store.component(digest).await.expect("it reads"), None);
    assert!(
        matches!(add().await, Uploaded::NoComponent),
        "bytes that are being removed are not there"
    );
    // Uploaded again under way: what was removed is there again, and nothing of it is removed any more.
    assert!(store.remove_component_some(digest).await.expect("it writes"), "there is more");
    store.put_component(digest, large.clone(), None, false).await.expect("stored");
    assert!(!store.remove_component_some(digest).await.expect("it writes"));
    assert_eq!(store.component(digest).await.expect("it reads"), Some(large));
    assert!(matches!(add().await, Uploaded::Done { new: true, version, .. } if version.version == 3));

    // What a start finds to be removed.
    let deletion = begun(&river, owner, 3).await;
    assert_eq!(
        store.delete_version(deletion, clock.now_time()).await.expect("it writes"),
        Deleted::Done(Some(digest))
    );
    let leaving = async || store.leaving_components(None).await.expect("it reads").0;
    assert_eq!(leaving().await, [digest]);
    while store.remove_component_some(digest).await.expect("it writes") {}
    assert_eq!(leaving().await, []);
    assert_eq!(store.component_piece(Some(owner), digest, 0).await.expect("it reads"), None);
    close(river).await;
}
