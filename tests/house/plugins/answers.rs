//! What plugins answer, and what receivers then get.

use serde_json::{Value, json};

use crate::parts::components::probe;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn documents_become_the_flat_short_form_and_doubtful_ones_go_to_review() {
    const PREDICT: &str = include_str!("../../samples/document_predict.json");
    const EVALUATE: &str = include_str!("../../samples/document_evaluate.json");
    const DOUBTFUL: &str = include_str!("../../samples/document_predict_low_confidence.json");
    const FLAT: &str = r#"{"BIC": "GEBABEBB", "IBAN": "BE90290050800032", "VAT_number": "BE0665922717", "amount_payable": 152.11, "currency": "EUR", "customer_number": "77-1042", "due_date": "2017-10-03", "gross_amount": 152.11, "invoice_date": "2017-10-05", "invoice_number": "10.837.642", "net_amount": 143.5, "order_number": "PO-2017-00318", "sender_name": "Papeterie de l'Étang NV", "tax_amount": 8.61, "type": "invoice"}"#;
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (sure, review) = (Receiver::start().await, Receiver::start().await);
    let integration = json!({
        "type": "webhook", "events": ["document_predict", "document_evaluate", "document_text"], "target": sure.url("/erp"),
        "headers": {"Authorization": "Bearer erp"}, "plugin": "flatten", "plugin_config": {"review_below": 60},
        "targets": {"review": {"target": review.url("/desk"), "headers": {"X-Desk": "seven"}}},
    });
    let made = tenant.post("/integrations", &integration).await.expect(201);
    let secret = tenant
        .get(&format!("/integrations/{}/secret", text(&made, "/id")))
        .await
        .expect(200);
    let verifier = standardwebhooks::Webhook::new(text(&secret, "/secret")).expect("a secret");

    tenant.event(PREDICT).await;
    tenant.event(EVALUATE).await;
    let evaluated = FLAT
        .replace("2017-10-03", "2017-11-03")
        .replace("10.837.642", "10.837.643")
        .replace(r#""order_number": "PO-2017-00318", "#, "");
    let received = sure.wait_for(2).await;
    let mut bodies: Vec<&[u8]> = received.iter().map(|got| &*got.body).collect();
    bodies.sort_by_key(|body| *body != FLAT.as_bytes());
    assert_eq!(bodies, [FLAT.as_bytes(), evaluated.as_bytes()]);

    let event = tenant.event(DOUBTFUL).await;
    let doubtful = review.wait_for(1).await.remove(0);
    let body: Value = serde_json::from_slice(&doubtful.body).expect("JSON");
    assert_eq!(
        (&doubtful.path, &body["net_amount"], &body["type"]),
        (&"/desk".to_owned(), &json!(1435.0), &json!("invoice"))
    );
    assert_eq!((doubtful.header("x-desk"), doubtful.header("authorization")), ("seven", ""));
    let run = tenant.settled(&event).await["runs"][0].clone();
    assert_eq!(
        (
            text(&run, "/state"),
            text(&run, "/deliveries/0/target"),
            text(&run, "/deliveries/0/state")
        ),
        ("done", "review", "delivered")
    );
    assert_eq!(text(&run, "/log/0"), "info: net_amount has confidence 38, below 60: to review");
    for got in received.iter().chain([&doubtful]) {
        verifier.verify(&got.body, &got.headers).expect("one secret signs for all targets");
        assert_eq!((&*got.method, got.header("content-type")), ("POST", "application/json"));
    }
    assert!(
        received
            .iter()
            .all(|got| got.header("authorization") == "Bearer erp" && got.header("x-desk").is_empty())
    );

    let skipped = tenant.text_event("5e7a").await;
    let run = tenant.run_of(&skipped).await;
    assert_eq!(
        (text(&run, "/state"), text(&run, "/reason")),
        ("skipped", "document_text carries no prediction")
    );
    assert_eq!((sure.received().len(), review.received().len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_plugin_asks_for_arrives() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (main, other) = (Receiver::start().await, Receiver::start().await);
    tenant.plugin("probe", probe()).await;
    let requests = json!([
        {"json": "{\"n\":1.10,\"n\":1e400}"},
        {"text": "naïve"},
        {"bytes": [0, 255, 10], "path": "/bytes"},
        {"text": "a,b", "content_type": "text/csv; header=absent", "path": "/a b/ä/%2B;v=1"},
        {"text": "", "method": "put", "path": "/empty"},
        {"text": "p", "method": "patch", "path": "/patch", "query": [["q", "1 & 2"], ["q", "é=+"], ["", ""]]},
        {"text": "d", "method": "delete", "path": "/delete", "headers": [["X-Mine", "first"], ["x-mine", "second"], ["Accept", "text/x"]]},
        {"json": "no JSON at all", "target": "other", "path": "/elsewhere"},
    ]);
    let body = json!({
        "plugin": "probe", "plugin_config": {"do": "deliver", "requests": requests},
        "headers": {"X-Target": "main"}, "targets": {"other": {"target": other.url("/o"), "headers": {"X-Target": "other"}}},
    });
    // With a path and a query of its own.
    let integration = tenant.integration(&main.url("/base/?key=k"), body).await;
    let event = tenant.text_event("5e7a").await;
    let event = tenant.settled(&event).await;
    let deliveries = event["runs"][0]["deliveries"].as_array().expect("a list").clone();
    assert_eq!((deliveries.len(), &event["runs"][0]["integration"]), (8, &json!(integration)));
    let received = main.wait_for(7).await;
    let elsewhere = other.wait_for(1).await;
    let mut shown: Vec<String> = Vec::new();
    for (number, delivery) in deliveries.iter().enumerate() {
        let id = text(delivery, "/id");
        let got = received
            .iter()
            .chain(&elsewhere)
            .find(|got| got.id() == id)
            .unwrap_or_else(|| panic!("{delivery} did not arrive"));
        let more: Vec<&str> = got
            .headers
            .get_all("x-mine")
            .iter()
            .map(|value| value.to_str().expect("ASCII"))
            .collect();
        assert_eq!(text(delivery, "/target"), if number == 7 { "other" } else { "default" });
        shown.push(format!(
            "{} {} | {} | {} {more:?} | {:?}",
            got.method,
            got.path,
            got.header("content-type"),
            got.header("x-target"),
            got.body
        ));
    }
    expect_test::expect![[r#"
        POST /base/?key=k | application/json | main [] | b"{\"n\":1.10,\"n\":1e400}"
        POST /base/?key=k | text/plain; charset=utf-8 | main [] | b"na\xc3\xafve"
        POST /base/bytes?key=k | application/octet-stream | main [] | b"\0\xff\n"
        POST /base/a%20b/%C3%A4/%2B;v=1?key=k | text/csv; header=absent | main [] | b"a,b"
        PUT /base/empty?key=k | text/plain; charset=utf-8 | main [] | b""
        PATCH /base/patch?key=k&q=1+%26+2&q=%C3%A9%3D%2B&= | text/plain; charset=utf-8 | main [] | b"p"
        DELETE /base/delete?key=k | text/plain; charset=utf-8 | main ["first", "second"] | b"d"
        POST /o/elsewhere | application/json | other [] | b"no JSON at all""#]]
    .assert_eq(&shown.join("\n"));
    let accept = received
        .iter()
        .find(|got| got.method == "DELETE")
        .expect("it was found")
        .header("accept");
    assert_eq!(accept, "text/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn skips_settle_and_rejects_park_with_their_reasons() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("probe", probe()).await;
    for (config, state, code, reason) in [
        (json!({"do": "skip", "reason": "not ours"}), "skipped", Value::Null, "not ours"),
        (
            json!({"do": "deliver", "requests": []}),
            "skipped",
            Value::Null,
            "the plugin asked for no request",
        ),
        (
            json!({"do": "reject", "reason": "no total"}),
            "parked",
            json!("rejected"),
            "no total",
        ),
    ] {
        let integration = tenant
            .integration(&receiver.url("/"), json!({"plugin": "probe", "plugin_config": config}))
            .await;
        let event = tenant.text_event("5e7a").await;
        let run = tenant.run_of(&event).await;
        assert_eq!((text(&run, "/state"), &run["code"], text(&run, "/reason")), (state, &code, reason));
        assert_eq!(run["deliveries"], json!([]));
        let event_state = tenant.get(&format!("/events/{event}")).await.expect(200)["state"].clone();
        assert_eq!(event_state, if state == "parked" { "pending" } else { "settled" });
        let listed = tenant
            .get(&format!("/runs?state={state}&integration={integration}"))
            .await
            .expect(200);
        assert_eq!(text(&listed, "/items/0/id"), text(&run, "/id"));
        tenant.delete(&format!("/integrations/{integration}")).await.expect(204);
    }
    // Twenty rejects in a row stop nothing: they are answers, not faults.
    let rejects = json!({"plugin": "probe", "plugin_config": {"do": "reject", "reason": "no"}});
    let integration = tenant.integration(&receiver.url("/"), rejects).await;
    for number in 0..20 {
        let event = tenant.text_event(&number.to_string()).await;
        assert_eq!(text(&tenant.run_of(&event).await, "/code"), "rejected");
    }
    assert_eq!(
        tenant.get(&format!("/integrations/{integration}")).await.expect(200)["stopped"],
        false
    );
    assert!(receiver.received().is_empty());
}
