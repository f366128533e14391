//! Misbehaves, or behaves, as its configuration asks: `{"do": "loop"}`.
//!
//! It is built like any tenant's plugin, with the SDK, and exports no configuration schema: a test may hand it anything.

mod deliver;

use std::collections::HashMap;
use std::hint::black_box;

use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result, json, log};
use serde::Deserialize;

use deliver::Wanted;

/// What to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Probe {
    /// Loops for ever.
    Loop,
    /// Calls itself for ever.
    Recurse,
    /// Allocates and touches memory: so many MiB, or without end.
    Memory { mib: Option<usize> },
    /// Executes `unreachable`, without a word.
    Trap,
    /// Panics, and says so.
    Panic { message: String },
    /// Logs so many lines of so many bytes, and then skips.
    Log { lines: usize, line_bytes: usize },
    /// Logs this as a warning, and then skips.
    Say { message: String },
    /// Answers with so many requests of so many bytes each.
    Output { requests: usize, body_bytes: usize },
    /// Answers with these requests.
    Deliver { requests: Vec<Wanted> },
    /// Skips.
    Skip { reason: String },
    /// Rejects.
    Reject { reason: String },
    /// Answers with all that it was given.
    Echo,
    /// Does what the event's data say under `probe`; where they say nothing, it passes the payload on, as `passthrough` does.
    AsTold,
    /// Answers with what may differ from process to process: hash order, addresses, the bits of a NaN.
    Chance,
}

/// What an event tells to do.
#[derive(Debug, Deserialize)]
struct Told {
    probe: Option<Probe>,
}

struct Guest;

impl Plugin for Guest {
    fn transform(event: Event, integration: Integration) -> Result<Outcome> {
        Guest::obey(integration.config.parse()?, &event, &integration)
    }
}

impl Guest {
    fn obey(probe: Probe, event: &Event, integration: &Integration) -> Result<Outcome> {
        match probe {
            Probe::Loop => loop {
                black_box(());
            },
            Probe::Recurse => Ok(Outcome::skip(recurse(0).to_string())),
            Probe::Memory { mib } => Ok(Outcome::skip(format!("took {} MiB", take(mib.unwrap_or(usize::MAX))))),
            Probe::Trap => std::process::abort(),
            Probe::Panic { message } => panic!("{message}"),
            Probe::Log { lines, line_bytes } => {
                (0..lines).for_each(|_| log::info("l".repeat(line_bytes)));
                Ok(Outcome::skip("it is all said"))
            }
            Probe::Say { message } => {
                log::warn(&message);
                Ok(Outcome::skip("it is all said"))
            }
            Probe::Output { requests, body_bytes } => Ok((0..requests)
                .map(|_| Request::text("o".repeat(body_bytes)))
                .collect::<Vec<_>>()
                .into()),
            Probe::Deliver { requests } => Ok(requests.into_iter().map(Wanted::request).collect::<Result<Vec<_>>>()?.into()),
            Probe::Skip { reason } => Ok(Outcome::skip(reason)),
            Probe::Reject { reason } => Err(reason.into()),
            Probe::Echo => Ok(Request::json(&echo(event, integration))?.into()),
            Probe::AsTold => match event.parse::<Told>()?.probe {
                Some(told) => Guest::obey(told, event, integration),
                None => Ok(Request::raw_json(payload(event)).into()),
            },
            Probe::Chance => Ok(Request::json(&chance())?.into()),
        }
    }
}

hookmill_plugin::export!(Guest);

#[expect(unconditional_recursion, reason = "that is what it is asked for")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    black_box(recurse(depth + 1)) + frame[0]
}

/// Allocates so many blocks of 1 MiB, writes to each page of them, and keeps them.
fn take(mib: usize) -> usize {
    let mut kept = Vec::new();
    for _ in 0..mib {
        let mut block = vec![0_u8; 1 << 20];
        block.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        kept.push(black_box(block));
    }
    kept.len()
}

/// The documented payload of an event that belongs to no inbox and no project.
fn payload(event: &Event) -> String {
    let (kind, organization, data) = (&event.kind, &event.organization, &event.data);
    format!(r#"{{"event": "{kind}", "organization": "{organization}", "data": {data}}}"#)
}

fn echo(event: &Event, integration: &Integration) -> hookmill_plugin::Value {
    json!({
        "event": {
            "id": event.id, "kind": event.kind, "organization": event.organization, "inbox": event.inbox,
            "project": event.project, "accepted_at": event.accepted_at, "data": event.data,
        },
        "integration": {
            "id": integration.id, "targets": integration.targets, "config": integration.config.as_str(),
        },
    })
}

fn chance() -> hookmill_plugin::Value {
    let map: HashMap<u32, ()> = (0..64).map(|number| (number, ())).collect();
    let nan = black_box(0.0_f64) / black_box(0.0_f64);
    let heap = Box::new(0_u8);
    json!({
        "hash_order": map.keys().collect::<Vec<_>>(),
        "nan_bits": nan.to_bits(),
        "heap_address": &raw const *heap as usize,
    })
}
