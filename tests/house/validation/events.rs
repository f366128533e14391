//! What is wrong with an event.

use super::refused;
use crate::parts::host::Host;
use crate::parts::looks::problem;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_event_is_named() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let cases = [
        ("", 400, ""),
        ("{", 400, ""),
        ("nonsense", 400, ""),
        (r#"{"event":"document_text","data":{"id":"a"}}}"#, 400, ""),
        (r#"{"event":"document_text","data":{"id":"a"}"#, 400, ""),
        (r#"{"event":"document_text","data":{"id":"a",}}"#, 400, ""),
        (r#"{"event":"document_text","data":{"id":"a","n":01}}"#, 400, ""),
        (r#"{"event":"document_text","data":{"id":"a","n":NaN}}"#, 400, ""),
        ("{\"event\":\"document_text\",\"data\":{\"id\":\"a\",\"t\":\"\n\"}}", 400, ""),
        ("5", 422, ""),
        ("null", 422, ""),
        (r#""document_text""#, 422, ""),
        ("{}", 422, "/event"),
        (r#"{"data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":null,"data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":5,"data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":["document_text"],"data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":"","data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":"document_eaten","data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":"Document_text","data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":"\ud800","data":{"id":"a"}}"#, 422, "/event"),
        (r#"{"event":"document_text"}"#, 422, "/data"),
        (r#"{"event":"document_text","data":null}"#, 422, "/data"),
        (r#"{"event":"document_text","data":[]}"#, 422, "/data"),
        (r#"{"event":"document_text","data":"{}"}"#, 422, "/data"),
        (r#"{"event":"document_text","data":{"id":"a"},"data":{"id":"a"}}"#, 422, "/data"),
        (
            r#"{"event":"document_text","event":"document_text","data":{"id":"a"}}"#,
            422,
            "/event",
        ),
        (r#"{"event":"document_text","data":{}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"ID":"a","x":{"id":"a"}}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"id":null}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"id":5}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"id":{"id":"a"}}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"id":""}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"id":"a\u0000"}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"id":"\udc00"}}"#, 422, "/data/id"),
        (r#"{"event":"document_text","data":{"id":"a","id":"a"}}"#, 422, "/data/id"),
        (
            r#"{"event":"document_text","data":{"id":"a","x":1,"\u0069d":"b"}}"#,
            422,
            "/data/id",
        ),
        (r#"{"event":"document_text","inbox":5,"data":{"id":"a"}}"#, 422, "/inbox"),
        (r#"{"event":"document_text","inbox":"","data":{"id":"a"}}"#, 422, "/inbox"),
        (r#"{"event":"document_text","project":{},"data":{"id":"a"}}"#, 422, "/project"),
        (r#"{"event":"document_text","project":"a\tb","data":{"id":"a"}}"#, 422, "/project"),
        (r#"{"event":"document_text","id":7,"data":{"id":"a"}}"#, 422, "/id"),
        (
            r#"{"event":"document_text","organization":"a b","data":{"id":"a"}}"#,
            422,
            "/organization",
        ),
        (
            r#"{"event":"document_text","organisation":"a","data":{"id":"a"}}"#,
            422,
            "/organisation",
        ),
        (r#"{"event":"document_text","a~/b":1,"data":{"id":"a"}}"#, 422, "/a~0~1b"),
        (r#"[{"event":"document_text","data":{"id":"a"}},[]]"#, 422, "/1"),
        (
            r#"[{"event":"document_text","data":{"id":"a"}},{"event":"document_text","data":{"id":"a"},"x":0}]"#,
            422,
            "/1/x",
        ),
    ];
    refused(&tenant, "POST", "/events", &cases).await;
    let long = format!(r#"{{"event":"document_text","data":{{"id":"{}"}}}}"#, "x".repeat(129));
    refused(&tenant, "POST", "/events/", &[(&long, 422, "/data/id")]).await;
    let answer = tenant
        .call(
            "POST",
            "/events",
            b"{\"event\":\"document_text\",\"data\":{\"id\":\"\xff\"}}".as_slice(),
        )
        .await;
    problem(&answer, 400, "");
    let lines = [("content-type", "application/x-ndjson")];
    let answer = tenant
        .try_call(
            "POST",
            "/events",
            &lines,
            "{\"event\":\"document_text\",\"data\":{\"id\":\"a\"}}\n{\"event\":1}",
        )
        .await;
    problem(&answer.expect("the host answers"), 422, "/1/event");
    // Where nothing is stored twice and nothing is stored at all, a first good event is the first.
    tenant.text_event("a").await;

    let operator = &host.operator;
    let good = r#"{"event":"document_text","data":{"id":"a"}}"#;
    let other = r#"{"event":"document_text","organization":"nobody","data":{"id":"a"}}"#;
    refused(
        operator,
        "POST",
        "/events",
        &[(good, 422, "/organization"), (other, 422, "/organization")],
    )
    .await;
    refused(operator, "POST", "/events?organization=nobody", &[(good, 404, "-")]).await;
    refused(
        operator,
        "POST",
        "/events?organization=contractfit1",
        &[(other, 422, "/organization")],
    )
    .await;
    refused(operator, "POST", "/events?organization=-", &[(good, 400, "?organization")]).await;
    refused(operator, "POST", "/events?api_key=x", &[(good, 400, "?api_key")]).await;
}
