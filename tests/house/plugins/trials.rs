//! Trials: what a version would make of an event. Nothing is sent and nothing is stored.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{named, two_versions};
use crate::parts::calls::fields;
use crate::parts::client::{Answer, Client};
use crate::parts::components::{probe, wat};
use crate::parts::host::{Host, Options, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{PATIENCE, Receiver};

const PLUGIN: &str = "/plugins/probe/versions/1/run";

fn event() -> Value {
    json!({"event": "document_text", "inbox": "5e6f3b1c255bf93741170a11", "data": {"id": "d", "text": "some text"}})
}

fn integration(config: Value) -> Value {
    json!({
        "type": "webhook", "events": ["document_text"], "target": "https://example.org/hook?a=1", "plugin_config": config,
        "headers": {"Authorization": "Bearer secret-of-the-target"}, "targets": {"other": {"target": "https://other.example.org/deep"}},
    })
}

async fn tried(tenant: &Client, config: Value) -> Value {
    let body = json!({"event": event(), "integration": integration(config)});
    tenant.post(PLUGIN, &body).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_are_shown_and_not_sent() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let requests = json!([
        {"text": "hello"},
        {"text": "there", "target": "other", "method": "put", "path": "/below", "query": [["k", "a b"]], "headers": [["x-own", "1"]]},
    ]);
    let shown = tried(&tenant, json!({"do": "deliver", "requests": requests})).await;
    assert_eq!(
        (text(&shown, "/outcome"), shown["requests"].as_array().map(Vec::len)),
        ("deliver", Some(2))
    );
    let [first, second] = [&shown["requests"][0], &shown["requests"][1]];
    assert_eq!(
        (
            text(first, "/target"),
            text(first, "/method"),
            text(first, "/url"),
            text(first, "/body")
        ),
        ("default", "POST", "https://example.org/hook?a=1", "hello")
    );
    assert_eq!(
        first["headers"],
        json!([["content-type", "text/plain; charset=utf-8"], ["authorization", "***"]])
    );
    assert_eq!(
        (text(second, "/target"), text(second, "/method"), text(second, "/url")),
        ("other", "PUT", "https://other.example.org/deep/below?k=a+b")
    );
    assert_eq!(second["headers"][1], json!(["x-own", "1"]));
    assert!(shown["duration_us"].is_u64() && shown["memory_bytes"].is_u64());
    assert!(!shown.to_string().contains("secret-of-the-target"), "{shown}");
    for list in ["/runs", "/deliveries", "/integrations"] {
        assert_eq!(tenant.get(list).await.expect(200)["items"], json!([]), "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_park_or_skip_says_why() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    for (config, outcome, code, reason) in [
        (json!({"do": "skip", "reason": "not ours"}), "skip", Value::Null, "not ours"),
        (json!({"do": "reject", "reason": "no total"}), "park", json!("rejected"), "no total"),
        (json!({"do": "loop"}), "park", json!("cpu_limit"), ""),
        (json!({"do": "memory", "mib": null}), "park", json!("memory_limit"), ""),
        (json!({"do": "panic", "message": "oh"}), "park", json!("trap"), ""),
        (
            json!({"do": "deliver", "requests": [{"text": "a", "headers": [["host", "evil"]]}]}),
            "park",
            json!("invalid_request"),
            "host",
        ),
        (
            json!({"do": "deliver", "requests": [{"text": "a", "target": "nobody"}]}),
            "park",
            json!("invalid_request"),
            "nobody",
        ),
    ] {
        let shown = tried(&tenant, config.clone()).await;
        assert_eq!((text(&shown, "/outcome"), &shown["code"]), (outcome, &code), "{config}: {shown}");
        assert!(text(&shown, "/reason").contains(reason), "{config}: {shown}");
        assert_eq!(shown["requests"], json!([]), "{config}");
    }
    let logged = tried(&tenant, json!({"do": "log", "lines": 2, "line_bytes": 3})).await;
    assert_eq!(logged["log"], json!(["info: lll", "info: lll"]));
}

/// The trial of a past event under the version that it ran under shows what was sent, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn a_past_event_and_a_present_integration_are_named_by_their_ids() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("probe", probe()).await;
    let more = json!({"plugin": "probe", "plugin_config": {"do": "echo"}});
    let integration = tenant.integration(&receiver.url("/hook"), more).await;
    let event = tenant.text_event("d").await;
    let sent = receiver.wait_for(1).await;
    let body = json!({"event": event, "integration": integration});
    let shown = tenant.post(PLUGIN, &body).await.expect(200);
    assert_eq!(text(&shown, "/requests/0/body").as_bytes(), &sent[0].body[..]);
    assert_eq!(receiver.received().len(), 1, "nothing is sent");

    // Another tenant knows neither of them, nor the plugin.
    let other = host.organization("contractfit2").await;
    problem(&other.post(PLUGIN, &body).await, 404, "-");
    other.plugin("probe", probe()).await;
    problem(&other.post(PLUGIN, &body).await, 422, "/event");
    let body = json!({"event": self::event(), "integration": integration});
    problem(&other.post(PLUGIN, &body).await, 422, "/integration");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_active_can_be_tried() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    two_versions(&tenant).await;
    for version in ["1", "2"] {
        let body = json!({"event": event(), "integration": integration(Value::Null)});
        let shown = tenant
            .post(&format!("/plugins/label/versions/{version}/run"), &body)
            .await
            .expect(200);
        assert!(text(&shown, "/requests/0/body").contains(&format!("\"{version}\"")), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let schema = json!({"type": "object", "required": ["a"]});
    tenant.plugin("strict", wat("schema", &schema.to_string())).await;
    let good = integration(json!({"do": "echo"}));
    for (body, place) in [
        (json!({"integration": good}), "/event"),
        (json!({"event": event()}), "/integration"),
        (
            json!({"event": {"event": "document_text", "data": {}}, "integration": good}),
            "/event/data/id",
        ),
        (
            json!({"event": {"event": "nothing", "data": {"id": "a"}}, "integration": good}),
            "/event/event",
        ),
        (json!({"event": [event()], "integration": good}), "/event"),
        (json!({"event": "evt_x", "integration": good}), "/event"),
        (json!({"event": event(), "integration": "int_x"}), "/integration"),
        (json!({"event": event(), "integration": {"type": "webhook"}}), "/integration/events"),
        (json!({"event": event(), "integration": good, "more": 1}), "/more"),
    ] {
        problem(&tenant.post(PLUGIN, &body).await, 422, place);
    }
    let (field, _) = named(
        &tenant
            .post(
                "/plugins/strict/versions/1/run",
                &json!({"event": event(), "integration": integration(json!({"b": 1}))}),
            )
            .await,
    );
    assert_eq!(field, "/integration/plugin_config/a");
    for path in [
        "/plugins/probe/versions/2/run",
        "/plugins/nobody/versions/1/run",
        "/plugins/probe/versions/x/run",
        "/plugins/probe/versions/01/run",
        "/plugins/probe/versions/+1/run",
    ] {
        problem(&tenant.post(path, &json!({"event": event(), "integration": good})).await, 404, "-");
    }
    let reader = host
        .operator
        .post("/keys", &json!({"role": "read", "organization": "contractfit1"}))
        .await
        .expect(201);
    let reader = tenant.with_key(text(&reader, "/key"));
    let answer = reader.post(PLUGIN, &json!({"event": event(), "integration": good})).await;
    assert_eq!((answer.status.as_u16(), fields(&answer).len()), (403, 0));
}

/// An event that the integration would not get is told of, and what the version would make of it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_be_run_says_why() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let with = |more: Value| {
        let mut integration = integration(json!({"do": "echo"}));
        integration
            .as_object_mut()
            .expect("it is one")
            .extend(more.as_object().expect("fields are an object").clone());
        integration
    };
    for (more, reason) in [
        (json!({"enabled": false}), "the integration is disabled"),
        (
            json!({"events": ["document_predict"]}),
            "the event's kind is none of the integration's",
        ),
        (json!({"inboxes": ["other"]}), "the event's inbox is none of the integration's"),
        (json!({"projects": ["other"]}), "the event's project is none of the integration's"),
    ] {
        let shown = tenant
            .post(PLUGIN, &json!({"event": event(), "integration": with(more)}))
            .await
            .expect(200);
        assert_eq!(
            (&shown["would_run"], text(&shown, "/not_run_reason")),
            (&json!(false), reason),
            "{shown}"
        );
        assert_eq!(
            (text(&shown, "/outcome"), shown["requests"].as_array().map(Vec::len)),
            ("deliver", Some(1))
        );
    }
    let shown = tried(&tenant, json!({"do": "echo"})).await;
    assert_eq!((&shown["would_run"], shown.get("not_run_reason")), (&json!(true), None));
    let receiver = Receiver::start().await;
    let disabled = tenant
        .integration(
            &receiver.url("/"),
            json!({"plugin": "probe", "plugin_config": {"do": "echo"}, "enabled": false}),
        )
        .await;
    let shown = tenant
        .post(PLUGIN, &json!({"event": event(), "integration": disabled}))
        .await
        .expect(200);
    assert_eq!(shown["would_run"], json!(false), "{shown}");
}

/// What can be posted can be tried, and what is too large for the one is too large for the other.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_may_be_as_large_as_one_that_is_posted() {
    let host = Host::start_with(
        Options::default()
            .with("LIMITS__INTAKE__EVENT_BODY_BYTES_MAX", "2000000")
            .with("LIMITS__INTAKE__REQUEST_BODY_BYTES_MAX", "4000"),
    );
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let config = integration(json!({"do": "echo"}));
    let event = |bytes: usize| {
        let frame = r#"{"event":"document_text","data":{"id":"d","text":""}}"#;
        frame.replace(r#""""#, &format!(r#""{}""#, "é".repeat((bytes - frame.len()) / 2)))
    };
    let run = async |event: &str| {
        let body = format!(r#"{{"event": {event}, "integration": {config}}}"#);
        tenant.call("POST", PLUGIN, body).await
    };
    let largest = event(2_000_000);
    let shown = run(&largest).await.expect(200);
    let echo: Value = serde_json::from_str(text(&shown, "/requests/0/body")).expect("JSON");
    let data = &largest[r#"{"event":"document_text","data":"#.len()..largest.len() - 1];
    assert_eq!(text(&echo, "/event/data"), data);
    tenant.event(&largest).await;
    // The larger one is more than an event and all that may stand beside it.
    let (event_max, rest_max) = ("event_body_bytes_max", "request_body_bytes_max");
    let both_max = format!("{event_max} + {rest_max}");
    for (bytes, place, limit) in [(2_000_002, "/event", event_max), (2_010_000, "", &both_max)] {
        let too_large = event(bytes);
        let posted = tenant.call("POST", "/events", too_large.clone()).await;
        for (answer, place, limit) in [(run(&too_large).await, place, limit), (posted, "", event_max)] {
            assert_eq!(problem(&answer, 413, place)["limit"], limit);
        }
    }
    // Nor may what stands beside the event be any larger because that is small.
    let body = json!({"event": "evt_01ksr49200ew3re1r70w3ge1r7", "integration": {"description": "d".repeat(4000)}});
    let answer = tenant.post(PLUGIN, &body).await;
    assert_eq!(problem(&answer, 413, "/integration")["limit"], rest_max);
}

/// What can not be made can not be tried.
#[tokio::test(flavor = "multi_thread")]
async fn an_integration_that_is_not_there_is_judged_as_a_new_one() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let own = format!("http://{}/events", host.operator.address);
    for (more, field) in [
        (json!({"target": "http://10.1.2.3/"}), "/target"),
        (json!({"target": own}), "/target"),
        (
            json!({"targets": {"other": {"target": "http://192.168.1.1/"}}}),
            "/targets/other/target",
        ),
        (json!({"plugin": "nobody"}), "/plugin"),
        (json!({"plugin": "probe@7"}), "/plugin"),
    ] {
        let mut integration = integration(json!({"do": "echo"}));
        integration
            .as_object_mut()
            .expect("it is one")
            .extend(more.as_object().expect("fields are an object").clone());
        let made = tenant.post("/integrations", &integration).await;
        problem(&made, 422, field);
        let answer = tenant.post(PLUGIN, &json!({"event": event(), "integration": integration})).await;
        problem(&answer, 422, &format!("/integration{field}"));
    }
}

/// One organization's trials that loop take no turn from another's.
#[tokio::test(flavor = "multi_thread")]
async fn trials_that_loop_are_bounded() {
    let host = Host::start();
    let (tenant, other) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    for one in [&tenant, &other] {
        one.plugin("probe", probe()).await;
    }
    let mut loops = loops(&tenant);
    refused(&mut loops).await;
    // The organization has no turn left, and the other has all of its own.
    assert_eq!(tried(&other, json!({"do": "echo"})).await["outcome"], "deliver");
    while let Some(ended) = loops.join_next().await {
        let answer = ended.expect("no call panics");
        if answer.status != 503 {
            assert_eq!(answer.expect(200)["code"], "cpu_limit");
        }
    }
}

/// Trials keep no event waiting: neither another organization's nor the own.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_delivered_while_trials_loop() {
    // A trial that has begun lasts longer than this test.
    let lasting = "600000";
    let host = Host::start_with(
        Options::default()
            .with("PLUGIN_THREADS", "1")
            .with("LIMITS__PLUGIN__CPU_MS", lasting)
            .with("LIMITS__PLUGIN__WALL_MS", lasting),
    );
    let (tenant, other) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    let receiver = Receiver::start().await;
    for one in [&tenant, &other] {
        one.plugin("probe", probe()).await;
        let more = json!({"plugin": "probe", "plugin_config": {"do": "echo"}});
        one.integration(&receiver.url("/"), more).await;
    }
    let mut loops = loops(&tenant);
    refused(&mut loops).await;
    for number in 0..10 {
        for one in [&other, &tenant] {
            let event = one.settled(&one.text_event(&number.to_string()).await).await;
            assert_eq!(text(&event, "/runs/0/deliveries/0/state"), "delivered", "{event}");
        }
    }
    assert_eq!(receiver.received().len(), 20);
    while let Some(ended) = loops.try_join_next() {
        assert_eq!(ended.expect("no call panics").status, 503, "no trial ended meanwhile");
    }
    assert!(!loops.is_empty(), "the trials that had a turn still loop");
}

/// More trials that loop than an organization has turns.
fn loops(tenant: &Client) -> JoinSet<Answer> {
    let mut loops = JoinSet::new();
    for _ in 0..20 {
        let tenant = tenant.clone();
        loops.spawn(async move {
            let body = json!({"event": event(), "integration": integration(json!({"do": "loop"}))});
            tenant.post(PLUGIN, &body).await
        });
    }
    loops
}

/// Waits until one is refused: all turns are taken then.
async fn refused(loops: &mut JoinSet<Answer>) {
    loop {
        let ended = tokio::time::timeout(PATIENCE, loops.join_next()).await;
        let ended = ended.expect("some are refused at once");
        let answer = ended.expect("one organization has a few turns at once").expect("no call panics");
        if answer.status == 503 {
            return;
        }
        assert_eq!(answer.expect(200)["code"], "cpu_limit");
    }
}
