//! What is wrong with an integration.

use serde_json::json;

use super::refused;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_integration_is_named() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    refused(
        &tenant,
        "POST",
        "/integrations",
        &[
            ("", 400, ""),
            ("{", 400, ""),
            ("[]", 422, ""),
            ("{}", 422, "/type"),
            (r#"{"type":"webhook"}"#, 422, "/events"),
            (r#"{"type":"webhook","events":["document_text"]}"#, 422, "/target"),
            (r#"{"type":7}"#, 422, "/type"),
            (r#"{"type":"webhook","events":"document_text","target":"1.2.3.4"}"#, 422, "/events"),
            (r#"{"type":"webhook","events":[],"target":"1.2.3.4"}"#, 422, "/events"),
            (
                r#"{"type":"webhook","events":["document_text","document_eaten"],"target":"1.2.3.4"}"#,
                422,
                "/events/1",
            ),
            (
                r#"{"type":"webhook","events":["document_text",5],"target":"1.2.3.4"}"#,
                422,
                "/events/1",
            ),
            (
                r#"{"type":"webhook","events":["document_text","document_text"],"target":"1.2.3.4"}"#,
                422,
                "/events/1",
            ),
        ],
    )
    .await;
    for other in ["dropbox", "office365", "email", "imap", "sftp", "smtp", "service_bus"] {
        let answer = tenant.post("/integrations", &json!({"type": other})).await;
        let told = problem(&answer, 422, "/type");
        assert!(text(&told, "/detail").contains(other), "it says what it is not: {told}");
    }
    for bad in [
        "",
        "nonsense",
        "example.org/without-scheme",
        "ftp://a.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://user:secret@a.example",
        "https://a.example:99999",
        "http://a b.example",
        "http://[::1",
        "1.2.3.4:99999",
        "1.2.3.4.5",
        "http://a.example/#fragment",
    ] {
        let answer = tenant
            .post(
                "/integrations",
                &json!({"type": "webhook", "events": ["document_text"], "target": bad}),
            )
            .await;
        let told = problem(&answer, 422, "/target");
        assert!(!told.to_string().contains("secret"), "{told}");
    }
    let bad_fields = [
        (r#""target":5"#, "/target"),
        (r#""target":null"#, "/target"),
        (r#""colour":"red""#, "/colour"),
        (r#""header":{},"headers":{}"#, "/header"),
        (r#""headers":[]"#, "/headers"),
        (r#""headers":{"X":5}"#, "/headers/X"),
        (r#""headers":{"X":"a\nb"}"#, "/headers/X"),
        (r#""headers":{"X":"a\u0000"}"#, "/headers/X"),
        (r#""headers":{"a b":"5"}"#, "/headers/a b"),
        (r#""headers":{"a/b":"5"}"#, "/headers/a~1b"),
        (r#""headers":{"":"5"}"#, "/headers/"),
        (r#""headers":{"Host":"a"}"#, "/headers/Host"),
        (r#""headers":{"Content-Length":"5"}"#, "/headers/Content-Length"),
        (r#""headers":{"transfer-encoding":"chunked"}"#, "/headers/transfer-encoding"),
        (r#""headers":{"Webhook-Signature":"v1,a"}"#, "/headers/Webhook-Signature"),
        (r#""headers":{"webhook_id":"a"}"#, "/headers/webhook_id"),
        (r#""headers":{"X":"a","x":"b"}"#, "/headers/x"),
        (r#""headers":{"X":"***"}"#, "/headers/X"),
        (r#""header":{"Connection":"close"}"#, "/header/Connection"),
        (r#""targets":[]"#, "/targets"),
        (r#""targets":{"default":{"target":"1.2.3.4"}}"#, "/targets/default"),
        (r#""targets":{"a":{}}"#, "/targets/a/target"),
        (r#""targets":{"a":{"url":"ftp://x"}}"#, "/targets/a/url"),
        (
            r#""targets":{"a":{"target":"1.2.3.4","headers":{"Host":"b"}}}"#,
            "/targets/a/headers/Host",
        ),
        (r#""targets":{"a":{"target":"1.2.3.4","name":"a"}}"#, "/targets/a/name"),
        (r#""plugin":"nobody""#, "/plugin"),
        (r#""plugin":"passthrough@99""#, "/plugin"),
        (r#""plugin":"passthrough@0""#, "/plugin"),
        (r#""plugin":"A""#, "/plugin"),
        (r#""plugin":5"#, "/plugin"),
        (r#""plugin":"flatten","plugin_config":{"colour":"red"}"#, "/plugin_config/colour"),
        (
            r#""plugin":"flatten","plugin_config":{"review_below":"x"}"#,
            "/plugin_config/review_below",
        ),
        (r#""plugin":"flatten","plugin_config":5"#, "/plugin_config"),
        (
            r#""plugin":"flatten","plugin_config":{"review_below":60,"review_below":60}"#,
            "/plugin_config/review_below",
        ),
        (
            r#""plugin":"filter","plugin_config":{"deliver_if":{"pointer":"/data/id","at_least":1e400}}"#,
            "/plugin_config/deliver_if/at_least",
        ),
        (r#""plugin_config":{"a":[{"b":1,"\u0062":1}]}"#, "/plugin_config/a/0/b"),
        (r#""retry":5"#, "/retry"),
        (r#""retry":{}"#, "/retry/delays_ms"),
        (r#""retry":{"delays_ms":[1],"jitter":true}"#, "/retry/jitter"),
        (r#""retry":{"delays_ms":7}"#, "/retry/delays_ms"),
        (r#""retry":{"delays_ms":[1,-1]}"#, "/retry/delays_ms/1"),
        (r#""retry":{"delays_ms":[1.5]}"#, "/retry/delays_ms/0"),
        (r#""retry":{"delays_ms":["1"]}"#, "/retry/delays_ms/0"),
        (r#""retry":{"delays_ms":[86400001]}"#, "/retry/delays_ms/0"),
        (r#""timeout_ms":0"#, "/timeout_ms"),
        (r#""timeout_ms":60001"#, "/timeout_ms"),
        (r#""timeout_ms":1e3"#, "/timeout_ms"),
        (r#""timeout_ms":99999999999999999999"#, "/timeout_ms"),
        (r#""inboxes":[]"#, "/inboxes"),
        (r#""inboxes":["a","a"]"#, "/inboxes/1"),
        (r#""projects":[""]"#, "/projects/0"),
        (r#""enabled":"yes""#, "/enabled"),
        (r#""paused":1"#, "/paused"),
        (r#""description":5"#, "/description"),
        (r#""metadata":[]"#, "/metadata"),
        (r#""organization":5"#, "/organization"),
        (r#""target_gone":true"#, "/target_gone"),
        (r#""stopped":false"#, "/stopped"),
    ];
    for (field, place) in bad_fields {
        // What the field replaces must not stand twice.
        let target = if field.starts_with(r#""target":"#) {
            ""
        } else {
            r#""target":"https://a.example","#
        };
        let body = format!(r#"{{"type":"webhook","events":["document_text"],{target}{field}}}"#);
        refused(&tenant, "POST", "/integrations", &[(&body, 422, place)]).await;
    }
    let delays = format!(
        r#"{{"type":"webhook","events":["document_text"],"target":"1.2.3.4","retry":{{"delays_ms":[{}1]}}}}"#,
        "1,".repeat(50)
    );
    refused(&tenant, "POST", "/integrations", &[(&delays, 422, "/retry/delays_ms")]).await;
    let many: Vec<String> = (0..65).map(|number| format!(r#""x-{number}":"a""#)).collect();
    let many = format!(
        r#"{{"type":"webhook","events":["document_text"],"target":"1.2.3.4","headers":{{{}}}}}"#,
        many.join(",")
    );
    refused(&tenant, "POST", "/integrations", &[(&many, 422, "/headers")]).await;
    assert_eq!(
        tenant.get("/integrations").await.expect(200)["items"],
        json!([]),
        "nothing of all that was kept"
    );

    // The same holds of a change, and what is refused changes nothing.
    let bounds = json!({"retry": {"delays_ms": [0, 86_400_000]}, "timeout_ms": 60_000, "header": {"X-Secret": "hidden"}});
    let id = tenant.integration("https://a.example/x", bounds).await;
    let path = format!("/integrations/{id}");
    let before = tenant.get(&path).await;
    for (body, status, place) in [
        ("", 400, ""),
        ("[]", 422, ""),
        (r#"{"type":"email"}"#, 422, "/type"),
        (r#"{"id":"x"}"#, 422, "/id"),
        (r#"{"created_at":null}"#, 422, "/created_at"),
        (r#"{"organization":"contractfit2"}"#, 404, "-"),
        (r#"{"target":null}"#, 422, "/target"),
        (r#"{"target":"ftp://a"}"#, 422, "/target"),
        (r#"{"events":[]}"#, 422, "/events"),
        (r#"{"headers":{"Host":"a"}}"#, 422, "/headers/Host"),
        (r#"{"headers":{"X-Other":"***"}}"#, 422, "/headers/X-Other"),
        (r#"{"headers":{"x-secret":5}}"#, 422, "/headers/x-secret"),
        (r#"{"paused":true,"paused":true}"#, 422, "/paused"),
        (r#"{"retry":{"delays_ms":[-1]}}"#, 422, "/retry/delays_ms/0"),
        (r#"{"plugin":"nobody"}"#, 422, "/plugin"),
        (r#"{"pause":true}"#, 422, "/pause"),
        (r#"{"plugin_config":{"a":[{"b":1,"b":1}]}}"#, 422, "/plugin_config/a/0/b"),
        (r#"{"plugin_config":{"a":{"b":1e400}}}"#, 422, "/plugin_config/a/b"),
    ] {
        refused(&tenant, "PATCH", &path, &[(body, status, place)]).await;
    }
    let after = tenant.get(&path).await;
    assert_eq!(
        (after.expect(200), &after.headers["etag"]),
        (before.expect(200), &before.headers["etag"])
    );
}
