//! The room with real components, in real instances, compiled by real child processes.

mod ahead;
mod artifacts;
mod calls;
mod config;
mod contracts;
mod corpus;
mod fuel;
mod guests;
mod hostile;
mod limits;
#[cfg(target_os = "linux")]
mod sealed;
mod uploads;
mod wasi;

use std::path::PathBuf;

use bytes::Bytes;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::{Fault, Outcome, ParkCode};
use hookmill_domain::time::Time;
use hookmill_plugin_room::{Call, Called, CompilerCommand, Component, Plugins, Settings};
use tempfile::TempDir;

/// A room of its own for a test.
struct House {
    plugins: Plugins,
    dir: TempDir,
}

impl House {
    fn new() -> House {
        House::with(PluginLimits::default())
    }

    fn with(limits: PluginLimits) -> House {
        let dir = tempfile::tempdir().expect("a folder");
        House {
            plugins: open(dir.path().join("artifacts"), limits),
            dir,
        }
    }

    /// Uploads a component that must be accepted.
    async fn upload(&self, bytes: Vec<u8>) -> Component {
        let inspection = self
            .plugins
            .inspect(None, Bytes::from(bytes))
            .await
            .expect("an acceptable component");
        self.plugins.loaded(&inspection.digest).expect("an accepted component is loaded")
    }

    async fn call(&self, component: &Component) -> Called {
        self.plugins.transform(component, &an_event()).await
    }

    /// Uploads and calls.
    async fn run(&self, bytes: Vec<u8>) -> Called {
        let component = self.upload(bytes).await;
        self.call(&component).await
    }
}

fn open(artifacts_dir: PathBuf, limits: PluginLimits) -> Plugins {
    let settings = Settings {
        limits,
        hot_slots: 16,
        ..Settings::new(artifacts_dir, child())
    };
    Plugins::open(settings).expect("a room")
}

/// The child is an example of this crate, which Cargo builds along with its tests.
fn child() -> CompilerCommand {
    let tests = std::env::current_exe().expect("this program");
    let target = tests.ancestors().nth(2).expect("target/<profile>/deps/<this program>");
    let program = target.join("examples").join("compile_child");
    assert!(
        program.exists(),
        "run the tests by `cargo test -p hookmill-plugin-room`, which builds {}",
        program.display()
    );
    CompilerCommand {
        program,
        args: Vec::new(),
        env: Vec::new(),
    }
}

const DATA: &str = r#"{"id":  "doc_1", "n": 1.10, "e": 1e400, "u": "\u00e9", "a": 1, "a": 2}"#;

/// 2026-09-21T14:13:20.120Z.
const ACCEPTED_AT_MS: i64 = 1_790_000_000_120;

fn an_event() -> Call<'static> {
    Call {
        event_id: "evt_1",
        kind: "document_text",
        organization: "contractfit1",
        inbox: None,
        project: None,
        accepted_at: Time::from_millis(ACCEPTED_AT_MS),
        data: DATA,
        integration_id: "int_1",
        targets: &["review", "archive"],
        config: "null",
        seed: [7; 32],
    }
}

#[track_caller]
fn fault(called: Called, code: ParkCode) -> Fault {
    match called.outcome {
        Err(fault) if fault.code == code => {
            println!("{code:?} after {} µs", called.facts.duration_us);
            fault
        }
        other => panic!("{other:?}, not {code:?}"),
    }
}

/// The bodies of what is to be delivered, as text.
#[track_caller]
fn bodies(called: &Called) -> Vec<String> {
    match &called.outcome {
        Ok(Outcome::Deliver(requests)) => requests
            .iter()
            .map(|request| String::from_utf8(request.body.bytes().to_vec()).expect("text"))
            .collect(),
        other => panic!("{other:?}, not requests"),
    }
}
