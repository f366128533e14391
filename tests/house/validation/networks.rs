//! Addresses that the operator has not opened.

use serde_json::json;

use super::refused;
use crate::parts::host::{Host, Options, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_opened_by_the_operator_alone() {
    let host = Host::start_with(Options {
        arguments: Vec::new(),
        ..Options::default()
    });
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    for target in [
        receiver.url("/"),
        format!("127.0.0.1:{port}/x"),
        format!("http://127.1:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "http://192.168.1.1/".to_owned(),
        "http://0.0.0.0/".to_owned(),
    ] {
        let body = json!({"type": "webhook", "events": ["document_text"], "target": target});
        println!("{target}");
        let told = problem(&tenant.post("/integrations", &body).await, 422, "/target");
        let detail = text(&told, "/detail");
        assert!(
            detail.contains("--allow-network") && detail.contains("egress.allow_networks"),
            "{detail}"
        );
        let named =
            json!({"type": "webhook", "events": ["document_text"], "target": "https://a.example", "targets": {"b": {"url": target}}});
        problem(&tenant.post("/integrations", &named).await, 422, "/targets/b/target");
    }
    // The operator opens one network to one organization.
    refused(
        &host.operator,
        "PATCH",
        "/organizations/contractfit1",
        &[
            (r#"{"allow_networks":["loopbak"]}"#, 422, "/allow_networks/0"),
            (r#"{"allow_networks":["loopback",7]}"#, 422, "/allow_networks/1"),
            (r#"{"allow_networks":"loopback"}"#, 422, "/allow_networks"),
            (r#"{"name":"x"}"#, 422, "/name"),
        ],
    )
    .await;
    problem(
        &tenant
            .patch("/organizations/contractfit1", &json!({"allow_networks": ["loopback"]}))
            .await,
        403,
        "-",
    );
    host.operator
        .patch("/organizations/contractfit1", &json!({"allow_networks": ["127.0.0.0/8"]}))
        .await
        .expect(200);
    tenant.integration(&receiver.url("/"), json!({"retry": {"delays_ms": []}})).await;
    tenant.settled(&tenant.text_event("d").await).await;
    assert_eq!(receiver.received().len(), 1);
    let other = host.organization("contractfit2").await;
    let body = json!({"type": "webhook", "events": ["document_text"], "target": receiver.url("/")});
    problem(&other.post("/integrations", &body).await, 422, "/target");
    // What was opened can be shut: judged again on the address that is dialled.
    host.operator
        .patch("/organizations/contractfit1", &json!({"allow_networks": null}))
        .await
        .expect(200);
    let view = tenant.settled(&tenant.text_event("d").await).await;
    assert_eq!(view.pointer("/runs/0/deliveries/0/state"), Some(&json!("exhausted")), "{view}");
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_house_delivers_nothing_to_itself() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let port = host.operator.address.port();
    for target in [
        format!("http://127.0.0.1:{port}/healthz"),
        format!("http://localhost:{port}/healthz"),
        format!("http://127.1:{port}/healthz"),
        format!("http://[::ffff:127.0.0.1]:{port}/healthz"),
    ] {
        let body = json!({"type": "webhook", "events": ["document_text"], "target": target});
        let told = problem(&tenant.post("/integrations", &body).await, 422, "/target");
        assert!(told.to_string().contains("itself"), "{told}");
    }
}
