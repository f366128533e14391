//! What plugins do and ask for that they may not, each with the code that its run is parked with.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Scene, tell};
use crate::parts::calls::one;
use crate::parts::components::{probe, wasi, wat};
use crate::parts::host::text;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn each_misdeed_parks_its_run_with_its_own_code() {
    let scene = Scene::new().await;
    scene.attacker.plugin("probe", probe()).await;
    let deliver = |second: Value| json!({"do": "deliver", "requests": [{"text": "well"}, second]});
    let header = |name: &str, value: &str| deliver(json!({"headers": [["x-well", "yes"], [name, value]]}));
    let path = |path: &str| deliver(json!({"path": path}));
    let mut cases = vec![
        (json!({"do": "loop"}), "cpu_limit", "CPU time of 250 ms"),
        (json!({"do": "memory"}), "memory_limit", "bytes"),
        (json!({"do": "trap"}), "trap", "unreachable"),
        (json!({"do": "panic", "message": "the total is off"}), "trap", "the total is off"),
        (json!({"do": "recurse"}), "trap", "at probe::recurse"),
        (
            json!({"do": "output", "requests": 1, "body_bytes": 104_857_600}),
            "memory_limit",
            "bytes",
        ),
        (
            json!({"do": "output", "requests": 20, "body_bytes": 1_000_000}),
            "output_limit",
            "handed over more than",
        ),
        (
            json!({"do": "output", "requests": 1, "body_bytes": 4_194_305}),
            "output_limit",
            "4194304 bytes",
        ),
        (
            json!({"do": "output", "requests": 65, "body_bytes": 0}),
            "output_limit",
            "64 requests",
        ),
        (
            json!({"do": "output", "requests": 1000, "body_bytes": 1}),
            "output_limit",
            "64 requests",
        ),
        (
            json!({"do": "log", "lines": 100_000, "line_bytes": 10}),
            "output_limit",
            "flooded its log",
        ),
        (json!({"do": "reject", "reason": "never mind"}), "rejected", "never mind"),
        (
            deliver(json!({"target": "elsewhere"})),
            "invalid_request",
            "request 2: target: the integration has no target `elsewhere`",
        ),
        (
            deliver(json!({"target": "http://evil.example/"})),
            "invalid_request",
            "request 2: target: ",
        ),
        (
            deliver(json!({"query": [["token", "mine"]]})),
            "invalid_request",
            "request 2: query: the query key \"token\" is set",
        ),
        (
            deliver(json!({"query": [["TOKEN[]", "mine"]]})),
            "invalid_request",
            "request 2: query: ",
        ),
        (
            deliver(json!({"content_type": "text/plain\r\nx-evil: yes"})),
            "invalid_request",
            "request 2: content-type: ",
        ),
        (
            deliver(json!({"content_type": "no type"})),
            "invalid_request",
            "request 2: content-type: ",
        ),
        (
            header("x-a", "a\r\nx-evil: yes"),
            "invalid_request",
            "request 2: headers: the value of the header \"x-a\"",
        ),
        (
            header("x a", "a"),
            "invalid_request",
            "request 2: headers: \"x a\" is not a valid header name",
        ),
        (
            header("Authorization", "mine"),
            "invalid_request",
            "request 2: headers: the header \"Authorization\" is set by the target",
        ),
        (
            header("x_token", "mine"),
            "invalid_request",
            "request 2: headers: the header \"x_token\" is set by the target",
        ),
    ];
    for name in [
        "Host",
        "content-length",
        "Content-Type",
        "user-agent",
        "expect",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "connection",
    ] {
        cases.push((header(name, "1"), "invalid_request", "is set by the host"));
    }
    for name in [
        "keep-alive",
        "proxy-authorization",
        "webhook-id",
        "Webhook_Signature",
        "webhook-timestamp",
    ] {
        cases.push((header(name, "1"), "invalid_request", "is set by the host"));
    }
    for bad in [
        "/..",
        "/a/../../b",
        "/%2e%2E/b",
        "/.%2e",
        "/..;/b",
        "/a//b",
        "/a/",
        "//evil.example/",
        "b",
        "",
        "http://evil.example/",
        "@evil.example",
    ] {
        cases.push((path(bad), "invalid_request", "request 2: path: "));
    }
    for bad in [
        "/a%2fb",
        "/a%5C..",
        "/a?b",
        "/a#b",
        "/a%00",
        "/a%0d%0ab",
        "/a\r\nb",
        "/%c0%ae%c0%ae/",
        "/%",
        "/%zz",
        "/a\\b",
        "/a\\..\\b",
        "\\\\evil.example\\",
    ] {
        cases.push((path(bad), "invalid_request", "request 2: path: "));
    }
    let mut integrations = Vec::new();
    for (config, ..) in &cases {
        integrations.push(scene.attack("probe", config).await);
    }
    let event = scene.attacked().await;
    for ((config, code, says), integration) in cases.iter().zip(&integrations) {
        let run = one(&event["runs"], |run| run["integration"] == **integration);
        tell(&config.to_string(), run);
        assert_eq!((text(run, "/state"), text(run, "/code")), ("parked", *code), "{config}: {run}");
        assert!(text(run, "/reason").contains(says), "{config}: {run}");
        assert!(!text(run, "/reason").contains("secret"), "{run}");
        assert_eq!(run["deliveries"], json!([]), "{config}");
        let memory_bytes = run["memory_bytes"].as_u64().unwrap_or_else(|| panic!("no memory: {run}"));
        assert!(memory_bytes <= 64 * 1024 * 1024, "{config}: {run}");
        // It can not have had its CPU time sooner.
        let took = run["duration_us"].as_u64().unwrap_or_else(|| panic!("no time: {run}"));
        assert!(*code != "cpu_limit" || took >= 250_000, "{config}: {run}");
    }
    assert_eq!(event["state"], "pending", "somebody is to act");
}

/// Time goes by as the machine is busy: what a limit bounds is the CPU time that a call costs its host.
#[tokio::test(flavor = "multi_thread")]
async fn a_loop_costs_its_host_the_cpu_time_of_a_call() {
    let scene = Scene::new().await;
    scene.attacker.plugin("probe", probe()).await;
    scene.attack("probe", &json!({"do": "loop"})).await;
    let before = scene.host.cpu_time();
    let event = scene.attacker.text_event("5e7a").await;
    let run = scene.attacker.run_of(&event).await;
    let cost = scene.host.cpu_time() - before;
    tell(&format!("a loop, for {cost:?} of the host's CPU time"), &run);
    assert_eq!(text(&run, "/code"), "cpu_limit", "{run}");
    let limit = Duration::from_millis(250);
    // Less than it by what is lost between ticks.
    assert!((limit * 9 / 10..limit * 2).contains(&cost), "{cost:?} of {limit:?}: {run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn just_within_the_limits_all_is_delivered() {
    let scene = Scene::new().await;
    let receiver = Receiver::start().await;
    scene.attacker.plugin("probe", probe()).await;
    for (requests, body_bytes) in [(1, 4_194_304), (64, 65_536)] {
        let config = json!({"do": "output", "requests": requests, "body_bytes": body_bytes});
        let integration = scene
            .attacker
            .integration(&receiver.url("/"), json!({"plugin": "probe", "plugin_config": config}))
            .await;
        let seen = receiver.received().len();
        let event = scene.attacker.text_event("5e7a").await;
        let run = scene.attacker.settled(&event).await["runs"][0].clone();
        assert_eq!(text(&run, "/state"), "done", "{run}");
        let received = receiver.wait_for(seen + requests).await;
        assert_eq!(
            received[seen..].iter().map(|got| got.body.len()).sum::<usize>(),
            requests * body_bytes
        );
        scene.attacker.delete(&format!("/integrations/{integration}")).await.expect(204);
    }
}

/// Sleeping costs no time, so that only the work of falling asleep counts.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_sleeper_uses_up_its_time() {
    let scene = Scene::new().await;
    scene.attacker.plugin("wasi", wasi()).await;
    scene.attack("wasi", &json!({"sleep": "for ever"})).await;
    let event = scene.attacked().await;
    tell("a sleep for ever", &event["runs"][0]);
    assert_eq!(
        (text(&event, "/runs/0/state"), text(&event, "/runs/0/code")),
        ("parked", "cpu_limit"),
        "{event}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_components_park_their_runs() {
    let cases = [
        ("loop", "cpu_limit"),
        ("realloc-loop", "cpu_limit"),
        ("memory-grow", "memory_limit"),
        ("table-grow", "memory_limit"),
        ("body-shared", "output_limit"),
        ("requests-many", "output_limit"),
        ("headers-many", "invalid_request"),
        ("trap", "trap"),
        ("divide", "trap"),
        ("recurse", "trap"),
        ("realloc-trap", "trap"),
        ("realloc-misaligned", "trap"),
        ("realloc-outside", "trap"),
        ("body-outside", "trap"),
        ("body-not-utf-8", "trap"),
        ("requests-outside", "trap"),
        ("outcome-outside", "trap"),
        ("outcome-misaligned", "trap"),
        ("outcome-unknown", "trap"),
        ("log-outside", "trap"),
        // Its own arguments are its own affair.
        ("realloc-overlapping", ""),
    ];
    check_guests(&cases).await;
}

/// What a guest does when it is told that its answer was read is a part of the call: the engine hands the answer out after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_after_the_answer_is_a_fault_of_the_call() {
    check_guests(&[("post-return-trap", "trap"), ("post-return-loop", "cpu_limit")]).await;
}

/// Runs guests in text, and compares the codes that their runs are parked with; none: it skips.
async fn check_guests(cases: &[(&str, &str)]) {
    let scene = Scene::new().await;
    let mut integrations = Vec::new();
    for (guest, _) in cases {
        scene.attacker.plugin(guest, wat(guest, "")).await;
        integrations.push(scene.attack(guest, &Value::Null).await);
    }
    let event = scene.attacked().await;
    for ((guest, code), integration) in cases.iter().zip(&integrations) {
        let run = one(&event["runs"], |run| run["integration"] == **integration);
        tell(guest, run);
        let is = (text(run, "/state"), run["code"].as_str().unwrap_or_default());
        assert_eq!(is, (if code.is_empty() { "skipped" } else { "parked" }, *code), "{guest}: {run}");
    }
}
