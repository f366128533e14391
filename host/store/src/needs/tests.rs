//! A version's deletion against the commits that it may come between.

use bytes::Bytes;
use hookmill_domain::ids::PluginId;
use hookmill_domain::names::OrganizationName;

use super::*;
use crate::plugins::{Activate, NewVersion, PluginsMax, Uploaded};
use crate::store::tests::open;

const MAX: PluginsMax = PluginsMax {
    plugins: 10,
    versions: 10,
    component_bytes: 10_000,
};

fn now() -> Time {
    Time::from_millis(1_790_000_000_000)
}

async fn upload(store: &Store, owner: OrganizationKey, name: &PluginName, bytes: &'static [u8]) {
    let digest = Digest::of(bytes);
    store
        .put_component(digest, Bytes::from_static(bytes), None, false)
        .await
        .expect("it writes");
    let new = NewVersion {
        id: PluginId::from_bytes([7; 16]),
        name: name.clone(),
        digest,
        contract: "1.0.0".to_owned(),
        schema: None,
        activate: Activate::Yes,
    };
    let added = store.add_plugin_version(Some(owner), new, MAX, now()).await.expect("it writes");
    assert!(matches!(added, Uploaded::Done { new: true, .. }), "{added:?}");
}

/// Whatever was read of how the plugin stands, and when: the commit looks for itself.
#[tokio::test]
async fn the_active_version_is_never_deleted() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = open(folder.path());
    let name: OrganizationName = "contractfit1".parse().expect("a name");
    let (organization, _) = store.create_organization(name, Vec::new(), now()).await.expect("it writes");
    let (owner, name) = (organization.key, "mine".parse::<PluginName>().expect("a name"));
    upload(&store, owner, &name, b"1").await;
    upload(&store, owner, &name, b"2").await;
    let begun = store.begin_deletion(Some(owner), name.clone(), 1).await.expect("it reads");
    let Withdrawal::Begun(deletion) = begun else { panic!("{begun:?}") };
    store.activate_version(Some(owner), name.clone(), 1, None).await.expect("it writes");
    let (stand, _) = store.plugin_stand(Some(owner), name.clone()).await.expect("it reads");
    let late = Deletion { stand, ..deletion };
    assert_eq!(store.delete_version(late, now()).await.expect("it writes"), Deleted::Moved);
    assert!(store.plugin_version(Some(owner), name, 1).await.expect("it reads").is_some());
    store.close().await;
}
