//! Uploads: bytes are versions, and what is no plugin is refused by name.

use std::time::Instant;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use serde_json::{Value, json};

use super::label;
use crate::parts::calls::{fields, one};
use crate::parts::components::wat;
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_a_version_and_the_newest_is_active_at_once() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let first = tenant.upload("name=label", wat("label", "one")).await.expect(201);
    let digest = Digest::of(&wat("label", "one")).to_string();
    assert_eq!(
        (text(&first, "/name"), text(&first, "/organization"), text(&first, "/digest")),
        ("label", "contractfit1", &*digest)
    );
    assert_eq!(text(&first, "/contract"), "1.0.0");
    assert_eq!(
        (&first["version"], &first["active"], &first["new"], &first["waiting"]),
        (&json!(1), &json!(true), &json!(true), &json!(0))
    );
    assert_eq!(first["component_bytes"], wat("label", "one").len());
    assert!(text(&first, "/id").starts_with("plg_"), "{first}");

    let again = tenant.upload("name=label", wat("label", "one")).await.expect(200);
    assert_eq!(
        (&again["version"], &again["active"], &again["new"], &again["id"]),
        (&json!(1), &json!(true), &json!(false), &first["id"])
    );

    tenant.integration(&receiver.url("/active"), json!({"plugin": "label"})).await;
    let pinned = tenant.integration(&receiver.url("/pinned"), json!({"plugin": "label@1"})).await;
    let mut seen = 0;
    let mut check = async |version: u32, active: &str| {
        seen += 2;
        let event = tenant.text_event("5e7a").await;
        let received = receiver.wait_for(seen).await;
        let at = |path: &str| label(received[seen - 2..].iter().find(|got| got.path == path).expect("one of each"));
        assert_eq!((&*at("/active"), &*at("/pinned")), (active, "one"));
        let event = tenant.settled(&event).await;
        let run = |of_pinned: bool| one(&event["runs"], |run| (run["integration"] == *pinned) == of_pinned).clone();
        assert_eq!(
            (&run(false)["plugin"]["version"], &run(true)["plugin"]["version"]),
            (&json!(version), &json!(1))
        );
        assert_eq!(text(&run(true), "/plugin/digest"), digest);
    };
    check(1, "one").await;
    let second = tenant.upload("name=label", wat("label", "two")).await.expect(201);
    assert_eq!(
        (&second["version"], &second["active"], &second["id"]),
        (&json!(2), &json!(true), &first["id"])
    );
    check(2, "two").await;
    let third = tenant.upload("name=label&activate=false", wat("label", "three")).await.expect(201);
    assert_eq!(
        (&third["version"], &third["active"], &third["new"]),
        (&json!(3), &json!(false), &json!(true))
    );
    check(2, "two").await;
    // Bytes that are there already are the version that they were, and become the active one again.
    let back = tenant.upload("name=label", wat("label", "one")).await.expect(200);
    assert_eq!(
        (&back["version"], &back["active"], &back["new"]),
        (&json!(1), &json!(true), &json!(false))
    );
    check(1, "one").await;
    let third = tenant.upload("name=label", wat("label", "three")).await.expect(200);
    assert_eq!((&third["version"], &third["active"]), (&json!(3), &json!(true)));
    check(3, "three").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_an_upload_holds_its_configuration_schema() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let schema = r#"{"type": "object", "title": "Mine"}"#;
    let answer = tenant.upload("name=mine", wat("schema", schema)).await.expect(201);
    assert_eq!(answer["schema"], json!({"type": "object", "title": "Mine"}), "{answer}");
    let answer = tenant.upload("name=mine", wat("schema", schema)).await.expect(200);
    assert_eq!(answer["schema"]["title"], "Mine", "of bytes that were there already: {answer}");
    let answer = tenant.upload("name=other", wat("label", "one")).await.expect(201);
    assert!(answer.get("schema").is_none_or(Value::is_null), "it has none: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_another_signature_is_named() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let problem = tenant.upload("name=mine", wat("wrong-signature", "")).await.expect(422);
    assert!(text(&problem, "/detail").contains("transform"), "which one? {problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_uploads_say_what_is_wrong() {
    let host = Host::start_with(Options::default().with("LIMITS__PLUGIN__COMPONENT_BYTES_MAX", "400000"));
    let tenant = host.organization("contractfit1").await;
    let refused = async |component: Bytes, code: &str, says: &str| {
        let began = Instant::now();
        let answer = tenant.upload("name=refused", component).await;
        let took_ms = began.elapsed().as_millis();
        let problem = answer.expect(422);
        let why = text(&problem, "/detail").lines().next().unwrap_or_default();
        println!("{:20} {took_ms:>6} ms  {why}", text(&problem, "/code"));
        assert_eq!(
            (text(&problem, "/code"), &answer.headers["content-type"]),
            (code, &"application/problem+json".parse().expect("a value"))
        );
        assert!(text(&problem, "/detail").contains(says), "{says}: {problem}");
    };
    refused(wat("core-module", ""), "core_module", "hookmill plugin build").await;
    refused("hello".into(), "not_a_component", "").await;
    refused("".into(), "not_a_component", "").await;
    refused(wat("label", "one").slice(..500), "malformed", "").await;
    refused(wat("empty", ""), "wrong_world", "exports nothing").await;
    refused(wat("other-interface", ""), "wrong_world", "hookmill:plugin/transformer").await;
    refused(wat("future-major", ""), "unsupported_version", "1.0.0").await;
    refused(wat("unknown-import", ""), "import_not_offered", "`acme:vault/secrets@1.0.0`").await;
    refused(wat("wasi-http", ""), "import_not_offered", "`wasi:http/types@0.2.0`").await;
    refused(wat("no-transform", ""), "wrong_shape", "transform").await;
    refused(wat("wrong-signature", ""), "wrong_shape", "parameters").await;
    refused(wat("start-trap", ""), "faulty", "unreachable").await;
    refused(wat("start-loop", ""), "faulty", "CPU time").await;
    refused(wat("schema-trap", ""), "faulty", "schema").await;
    refused(wat("schema-loop", ""), "faulty", "CPU time").await;
    refused(wat("schema-outside", ""), "faulty", "schema").await;
    refused(wat("memory-initial", ""), "needs_too_much", "memory").await;
    refused(wat("table-initial", ""), "needs_too_much", "table").await;
    refused(wat("schema", "no JSON"), "bad_schema", "not JSON").await;
    refused(wat("schema", r#"{"type": 5}"#), "bad_schema", "").await;
    refused(wat("schema", r#"{"$ref": "https://example.org/schema"}"#), "bad_schema", "").await;

    let large = tenant.upload("name=refused", vec![0; 400_001]).await;
    assert_eq!(text(&large.expect(413), "/limit"), "component_bytes_max");
    let parameter = async |query: &str| {
        let answer = tenant.upload(query, wat("label", "one")).await;
        assert_eq!(answer.status, 400, "{query}");
        fields(&answer)
    };
    assert_eq!(parameter("").await, ["name"]);
    assert_eq!(parameter("name=a%20b").await, ["name"]);
    assert_eq!(parameter("name=refused&activate=no").await, ["activate"]);
    assert_eq!(parameter("name=refused&version=3").await, ["version"]);
    let json = tenant.call("POST", "/plugins?name=refused", wat("label", "one")).await;
    assert_eq!(json.status, 415);

    let named = json!({"type": "webhook", "events": ["document_text"], "target": "https://example.org/", "plugin": "refused"});
    let nothing = tenant.post("/integrations", &named).await;
    assert_eq!(
        (nothing.status.as_u16(), fields(&nothing)),
        (422, vec!["/plugin".to_owned()]),
        "nothing that was refused is there"
    );
    tenant.upload("name=refused", wat("label", "one")).await.expect(201);
}
