//! `hookmill plugin bench`: what is told of many calls. How long they took is the machine's affair.

use serde_json::Value;

use super::{Files, plugin};
use crate::parts::components::{PASSTHROUGH, probe};

const EVENTS: &str =
    "{\"event\": \"document_text\", \"data\": {\"id\": \"5e7a\"}}\n{\"event\": \"document_text\", \"data\": {\"id\": \"5e7b\"}}\n";

#[test]
fn calls_are_counted_and_told() {
    let files = Files::new();
    let (component, events) = (files.write("it.wasm", PASSTHROUGH), files.write("events.ndjson", EVENTS));
    let bench = |component: &std::path::Path, more: &[&str]| {
        let given = [component, &events].map(|path| path.to_str().expect("plain"));
        plugin([&["bench", given[0], "--event", given[1]][..], more].concat())
    };
    let said = bench(&component, &["--calls", "51", "--json"]);
    said.expect(0);
    let [told]: [Value; 1] = said.json().try_into().expect("one object");
    assert_eq!((told["calls"].as_u64(), told["parked"].as_u64()), (Some(51), Some(0)), "{told}");
    let us = ["min_us", "p50_us", "p99_us", "max_us"].map(|field| told[field].as_f64().expect("a number"));
    assert!(us[0] > 0.0 && us.is_sorted(), "{told}");
    assert!(told["memory_bytes"].as_u64() > Some(0), "{told}");
    let shown = bench(&component, &["--calls", "3"]);
    assert!(shown.expect(0).contains("called 3 times, on 2 events in turn"), "{}", shown.out);

    let rejecting = files.write("probe.wasm", probe());
    let rejects = ["--plugin-config", r#"{"do": "reject", "reason": "no"}"#, "--calls", "5"];
    let said = bench(&rejecting, &rejects);
    assert!(said.expect(1).contains("5 of them parked their run"), "{}", said.out);
    bench(&component, &["--calls", "0"]).expect(2);
}
