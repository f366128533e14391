//! Compiling children are this program again.
#![no_main]

use std::sync::OnceLock;

use hookmill_plugin_room::{CompilerCommand, Plugins, Settings};
use tokio::runtime::Runtime;

#[path = "../targets/uploads.rs"]
mod target;

const COMPILE_CHILD: &str = "compile-child";

struct Room {
    plugins: Plugins,
    runtime: Runtime,
    _artifacts: tempfile::TempDir,
}

fn room() -> &'static Room {
    static ROOM: OnceLock<Room> = OnceLock::new();
    ROOM.get_or_init(|| {
        let artifacts = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            limits: target::limits(),
            hot_slots: 16,
            artifacts_bytes_max: 64 * 1024 * 1024,
            ..Settings::new(
                artifacts.path().join("artifacts"),
                CompilerCommand::this_program([COMPILE_CHILD]).expect("a program"),
            )
        };
        Room {
            plugins: Plugins::open(settings).expect("a room"),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime"),
            _artifacts: artifacts,
        }
    })
}

fn be_a_child() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(COMPILE_CHILD) {
        let code = hookmill_plugin_room::compile_child(args);
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
}

libfuzzer_sys::fuzz_target!(init: be_a_child(), |input: &[u8]| {
    let room = room();
    target::run(&room.plugins, &room.runtime, input);
});
