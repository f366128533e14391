//! Guests in Rust, JavaScript (in both of its engines), Python and C, as their tools make them, with WASI imported and with traps in its
//! place: what they print, what they find, how they fail, that the same event gives the same bytes, and how they say what configuration they
//! take.

mod configuration;
mod same_bytes;
mod stubbed;
mod surroundings;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::parts::client::Client;
use crate::parts::components::{probe, wasi};
use crate::parts::host::{Host, Options, copy, text};
use crate::parts::languages::foreign;

/// All of them by name.
fn guests() -> Vec<(&'static str, Bytes)> {
    let rust = [("rust", probe()), ("rust-wasi", wasi())];
    rust.into_iter().chain(foreign().iter().cloned()).collect()
}

/// A data folder to which all guests were uploaded, and a key of its tenant: compiling two interpreters takes its time, so each test has a copy.
async fn uploaded() -> &'static (PathBuf, String) {
    static UPLOADED: OnceCell<(PathBuf, String)> = OnceCell::const_new();
    let upload = async || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("it is the tests' own");
        }
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut host = Host::open(&folder, Options::default());
        let tenant = host.organization("contractfit1").await;
        for (name, component) in guests() {
            let uploaded = tenant.plugin(name, component).await;
            assert_eq!(uploaded["version"], 1);
            // The slots of what is called most are not taken by what needs a hundred times as much.
            let slots = if ["rust", "rust-wasi", "c"].contains(&name) {
                "small"
            } else {
                "large"
            };
            assert_eq!(uploaded["report"]["needs"]["slots"], slots, "{name}");
        }
        host.kill();
        (folder, tenant.key)
    };
    UPLOADED.get_or_init(upload).await
}

/// A host that has all guests, and its tenant.
async fn host() -> (Host, Client, TempDir) {
    let (uploaded, key) = uploaded().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(uploaded, folder.path());
    let host = Host::open(folder.path(), Options::default());
    let tenant = host.operator.with_key(key);
    (host, tenant, folder)
}

const DATA: &str = r#"{"id": "5e7a", "n": [1.10, {"a/b": "\u00e9\"", "~": null}], "e": {}, "twice": 1, "twice" : 2 }"#;

/// What a guest makes of an event with this configuration.
async fn tried(tenant: &Client, guest: &str, config: &Value) -> Value {
    let integration = json!({"type": "webhook", "events": ["document_text"], "target": "https://example.org/", "plugin_config": config});
    let body = format!(r#"{{"event": {{"event": "document_text", "data": {DATA}}}, "integration": {integration}}}"#);
    tenant
        .call("POST", &format!("/plugins/{guest}/versions/1/run"), body)
        .await
        .expect(200)
}

/// The body of the one request that came of it.
fn body(shown: &Value) -> Value {
    assert_eq!(shown["outcome"], "deliver", "{shown}");
    serde_json::from_str(text(shown, "/requests/0/body")).unwrap_or_else(|error| panic!("{error}: {shown}"))
}
