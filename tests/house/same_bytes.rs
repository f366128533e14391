//! The same bytes: what was accepted under one configuration is made again to the byte under the same id, whatever has been changed since,
//! after a crash, and in another process.

mod crash;
mod processes;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::parts::receiver::Received;

/// A configuration with two requests, the second one to the further target.
fn version(number: u32) -> Value {
    json!({"do": "deliver", "requests": [
        {"json": format!("{{\"version\": {number}}}"), "path": format!("/v{number}"), "headers": [["x-mine", number.to_string()]]},
        {"text": format!("version {number}"), "target": "other", "query": [["v", number.to_string()]]},
    ]})
}

/// What of a request has to be the same each time.
fn frozen(received: &[Received]) -> BTreeMap<String, String> {
    let line = |got: &Received| {
        let path = got.path.split_once("/target").map_or(&*got.path, |(_, below)| below);
        format!(
            "{} {path} {:?} {:?} {:?}",
            got.method,
            got.header("content-type"),
            got.header("x-mine"),
            got.body
        )
    };
    received.iter().map(|got| (got.id().to_owned(), line(got))).collect()
}
