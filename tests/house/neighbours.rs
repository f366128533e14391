//! One receiver's trouble is its own: what hangs, is gone or asks for patience delays nobody beside it. No test here measures time: what
//! hangs is let go only after all that must not wait for it has arrived.

mod gone;
mod hanging;
mod patience;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::parts::client::Client;
use crate::parts::components::probe;
use crate::parts::receiver::{Gate, Received, Receiver, Reply};

/// Longer than any test: what hangs is let go, and does not time out.
const TIMEOUT_MS: u64 = 60_000;

/// How many are owed to the target that hangs: more than may be in flight to it and wait for it in memory, so that the rest is on disk.
const OWED: usize = 500;

async fn gated() -> (Receiver, Gate) {
    let gate = Gate::closed();
    let passed = gate.clone();
    (Receiver::answering(move |_| Reply::Gated(passed.clone(), 200)).await, gate)
}

fn ids(received: &[Received]) -> BTreeSet<String> {
    received.iter().map(|got| got.id().to_owned()).collect()
}

/// An integration whose every event owes a request to each of two targets.
async fn two_targets(tenant: &Client, default: &Receiver, other: &Receiver) -> String {
    tenant.plugin("probe", probe()).await;
    let requests = json!([{"text": "to the default target"}, {"text": "to the other one", "target": "other"}]);
    let more = json!({
        "plugin": "probe", "plugin_config": {"do": "deliver", "requests": requests}, "timeout_ms": TIMEOUT_MS,
        "targets": {"other": {"target": other.url("/other")}},
    });
    tenant.integration(&default.url("/default"), more).await
}

fn batch(documents: std::ops::Range<usize>) -> String {
    let event = |number: usize| json!({"event": "document_text", "data": {"id": number.to_string(), "text": "some text"}});
    Value::from(documents.map(event).collect::<Vec<_>>()).to_string()
}
