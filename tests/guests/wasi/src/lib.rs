//! Asks WASI for everything that a guest may find there, and answers with what it got.
//!
//! A host that keeps its promises gives the same answer for the same event, integration and revision in every process:
//! a clock that stands at the event's acceptance, seeded random numbers, and nothing else. With `{"sleep": "for ever"}`
//! as its configuration it sleeps in a loop.

use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result, Value, json};

use wasi::cli::{environment, stderr, stdout};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::filesystem::preopens;
use wasi::random::{insecure, insecure_seed, random};

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "asks", generate_all });
}
use bindings::wasi;

struct Guest;

/// How long it sleeps, in nanoseconds: an hour.
const SLEEP_NS: u64 = 3_600_000_000_000;

impl Plugin for Guest {
    fn transform(_: Event, integration: Integration) -> Result<Outcome> {
        if integration.config.parse::<Value>()?["sleep"] == "for ever" {
            loop {
                monotonic_clock::subscribe_duration(SLEEP_NS).block();
            }
        }
        say(&stdout::get_stdout(), "said on stdout\n");
        say(&stderr::get_stderr(), "said on stderr\n");
        let (wall, monotonic) = (wall_clock::now(), monotonic_clock::now());
        monotonic_clock::subscribe_duration(SLEEP_NS).block();
        let (wall_after, monotonic_after) = (wall_clock::now(), monotonic_clock::now());
        let answer = json!({
            "wall": [wall.seconds, wall.nanoseconds],
            "wall_after_an_hour": [wall_after.seconds, wall_after.nanoseconds],
            "monotonic_hour_ns": monotonic_after - monotonic,
            "random": random::get_random_bytes(16),
            "random_number": random::get_random_u64(),
            "insecure": insecure::get_insecure_random_bytes(16),
            "insecure_seed": insecure_seed::insecure_seed(),
            "environment": environment::get_environment(),
            "arguments": environment::get_arguments(),
            "folder": environment::initial_cwd(),
            "folders": preopens::get_directories().len(),
        });
        Ok(Request::json(&answer)?.into())
    }
}

hookmill_plugin::export!(Guest);

/// Writes to a stream; whether anybody listens is the host's affair.
fn say(stream: &wasi::io::streams::OutputStream, text: &str) {
    // A closed stream is as good an answer as any.
    let _ = stream.blocking_write_and_flush(text.as_bytes());
}
