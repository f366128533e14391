//! A run on the command line beside one on a host: the same ends, told in the same way.

use serde_json::{Value, json};

use super::{TEXT, probed};
use crate::commands::Files;
use crate::parts::components::probe;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_as_it_would_on_a_host() {
    let host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let files = Files::new();
    let mut integrations = Vec::new();
    let configs = [
        json!({"do": "deliver", "requests": [{"text": "a"}, {"text": "b", "target": "nowhere"}]}),
        json!({"do": "deliver", "requests": [{"text": "a", "path": "/../b"}]}),
        json!({"do": "deliver", "requests": [{"text": "a", "headers": [["Host", "b"]]}]}),
        json!({"do": "deliver", "requests": []}),
        json!({"do": "skip", "reason": "it is small"}),
        json!({"do": "reject", "reason": "it is\nlarge"}),
        json!({"do": "panic", "message": "at the disco"}),
        json!({"do": "loop"}),
        json!({"do": "memory"}),
        json!({"do": "output", "requests": 2, "body_bytes": 3_000_000}),
        json!({"do": "log", "lines": 3, "line_bytes": 5}),
    ];
    for config in &configs {
        let more = json!({"plugin": "probe", "plugin_config": config, "events": ["document_text"],
            "targets": {"review": {"target": receiver.url("/review")}}});
        integrations.push(tenant.integration(&receiver.url("/"), more).await);
    }
    let event = tenant.event(TEXT).await;
    let all_ended = |event: &Value| {
        let runs = event["runs"].as_array().expect("a list");
        runs.len() == configs.len() && runs.iter().all(|run| run.get("recorded_at").is_some())
    };
    let event = tenant.event_when(&event, all_ended).await;
    for (config, integration) in configs.iter().zip(&integrations) {
        let runs = event["runs"].as_array().expect("a list");
        let run = runs.iter().find(|run| run["integration"] == **integration).expect("each ran");
        let code = i32::from(run["state"] == "parked");
        let told = probed(&files, &["--target", "review"], config, code);
        let of = |run: &Value| ["code", "reason"].map(|field| run.get(field).cloned());
        assert_eq!(of(&told), of(run), "{config}");
        let outcome = match text(run, "/state") {
            "done" => "deliver",
            "skipped" => "skip",
            "parked" => "park",
            other => panic!("{other}: {run}"),
        };
        assert_eq!(told["outcome"], outcome, "{config}");
        let log = run.get("log").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(told["log"], log, "{config}");
    }
}

/// A script that reads one reads the other: what the API answers to a dry run stands here, too, and beside it which event it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_as_the_api_tells_a_dry_run() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let files = Files::new();
    for config in [
        json!({"do": "deliver", "requests": [
            {"text": "a"},
            {"bytes": [255, 0], "target": "review", "method": "put", "path": "/a", "query": [["q", "1"]], "headers": [["x-a", "b"]]},
        ]}),
        json!({"do": "deliver", "requests": [{"json": "{half"}, {"json": "{}"}, {"text": "{half"}]}),
        json!({"do": "skip", "reason": "it is small"}),
        json!({"do": "reject", "reason": "it is\nlarge"}),
        json!({"do": "deliver", "requests": [{"text": "b", "target": "nowhere"}]}),
        json!({"do": "log", "lines": 3, "line_bytes": 5}),
    ] {
        let integration = json!({"type": "webhook", "events": ["document_text"], "target": "https://target.invalid/default",
            "targets": {"review": {"target": "https://target.invalid/review"}}, "plugin_config": config});
        let event: Value = serde_json::from_str(TEXT).expect("JSON");
        let body = json!({"event": event, "integration": integration});
        let mut answered = tenant.post("/plugins/probe/versions/1/run", &body).await.expect(200);
        let code = i32::from(answered["outcome"] == "park");
        let mut told = probed(&files, &["--target", "review"], &config, code);
        for object in [&mut answered, &mut told] {
            let object = object.as_object_mut().expect("an object");
            for measured in ["duration_us", "memory_bytes"] {
                assert!(object.remove(measured).is_some_and(|found| found.is_u64()), "{measured}");
            }
        }
        let object = told.as_object_mut().expect("an object");
        for of_event in ["event", "kind", "organization", "document", "accepted_at"] {
            assert!(object.remove(of_event).is_some_and(|found| found.is_string()), "{of_event}");
        }
        assert_eq!(told, answered, "{config}");
        let warned = answered.get("warnings").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(warned, usize::from(config.to_string().contains(r#""json":"{half""#)), "{answered}");
    }
}
