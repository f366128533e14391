//! What is too much.

use serde_json::json;

use crate::parts::client::Answer;
use crate::parts::host::{Host, Options, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused_by_the_name_of_its_limit() {
    let host = Host::start_with(
        Options::default()
            .with("LIMITS__INTAKE__EVENT_BODY_BYTES_MAX", "2000")
            .with("LIMITS__INTAKE__REQUEST_BODY_BYTES_MAX", "1000")
            .with("LIMITS__INTAKE__BATCH_EVENTS_MAX", "5")
            .with("LIMITS__INTAKE__BATCH_RUNS_MAX", "6")
            .with("LIMITS__INTAKE__INTEGRATIONS_MAX", "2"),
    );
    let tenant = host.organization("contractfit1").await;
    let limited = |answer: &Answer, status: u16, limit: &str| {
        // Of a body that is too large, the place is all of it.
        let document = problem(answer, status, if status == 413 { "" } else { "-" });
        assert_eq!(document["limit"], limit, "{document}");
    };
    let event = |bytes: usize| {
        let frame = r#"{"event":"document_text","data":{"id":"a","x":""}}"#;
        frame.replace(r#""""#, &format!(r#""{}""#, "x".repeat(bytes - frame.len())))
    };
    tenant.event(event(2000)).await;
    limited(&tenant.call("POST", "/events", event(2001)).await, 413, "event_body_bytes_max");
    limited(&tenant.call("POST", "/events", event(3_000_000)).await, 413, "event_body_bytes_max");
    let lines = format!("{}\n{}", event(1000), event(1000));
    let answer = tenant
        .try_call("POST", "/events", &[("content-type", "application/x-ndjson")], lines)
        .await;
    limited(&answer.expect("the host answers"), 413, "event_body_bytes_max");
    let answer = tenant.call("POST", "/events", format!("[{}]", vec![event(60); 6].join(","))).await;
    limited(&answer, 413, "batch_events_max");
    let lines = [("content-type", "application/x-ndjson")];
    let answer = tenant.try_call("POST", "/events", &lines, vec![event(60); 6].join("\n")).await;
    limited(&answer.expect("the host answers"), 413, "batch_events_max");

    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/1"), json!({})).await;
    let second = tenant.integration(&receiver.url("/2"), json!({})).await;
    let draft = json!({"type": "webhook", "events": ["document_text"], "target": receiver.url("/3")});
    limited(&tenant.post("/integrations", &draft).await, 429, "integrations_max");
    let answer = tenant.call("POST", "/events", format!("[{}]", vec![event(60); 4].join(","))).await;
    limited(&answer, 413, "batch_runs_max");
    let batch = tenant
        .call("POST", "/events", format!("[{}]", vec![event(60); 3].join(",")))
        .await
        .expect(202);
    for position in 0..3 {
        tenant.settled(text(&batch, &format!("/items/{position}/id"))).await;
    }
    assert_eq!(receiver.received().len(), 6, "what was refused is not delivered");
    tenant.delete(&format!("/integrations/{second}")).await.expect(204);
    tenant.post("/integrations", &draft).await.expect(201);

    let mut long = draft;
    long["description"] = json!("x".repeat(1000));
    limited(&tenant.post("/integrations", &long).await, 413, "request_body_bytes_max");
    limited(
        &tenant.patch(&format!("/integrations/{second}"), &long).await,
        413,
        "request_body_bytes_max",
    );
    limited(&host.operator.post("/organizations", &long).await, 413, "request_body_bytes_max");
}
