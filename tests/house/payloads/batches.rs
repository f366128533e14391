//! Batches, and ids of the client's own.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{body, payload};
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_accepted_whole_or_not_at_all() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant
        .integration(&receiver.url("/"), json!({"events": ["document_text", "document_delete"]}))
        .await;
    let post = async |body: &str| tenant.call("POST", "/events", body.to_owned()).await;

    let one = |document: &str| format!(r#"{{"event":"document_text","data":{{"id":"{document}", "n":1.10}}}}"#);
    let answer = post(&format!(" [ {} ,\n{},{} ] ", one("a"), one("b").replace("text", "split"), one("c")))
        .await
        .expect(202);
    let items = answer["items"].as_array().expect("a batch is answered by items");
    let mut ids: Vec<&str> = items.iter().map(|item| text(item, "/id")).collect();
    for (id, (document, kind, state)) in ids.iter().zip([
        ("a", "document_text", "settled"),
        ("b", "document_split", "unmatched"),
        ("c", "document_text", "settled"),
    ]) {
        let view = tenant.settled(id).await;
        assert_eq!(
            (&view["document"], &view["event"], &view["state"]),
            (&json!(document), &json!(kind), &json!(state))
        );
    }
    assert_eq!(ids.len(), 3);
    assert!(ids.is_sorted(), "ids sort by the order of acceptance: {ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), 3, "each event has an id of its own");
    let mut bodies: Vec<String> = receiver.wait_for(2).await.iter().map(|got| body(got).to_owned()).collect();
    bodies.sort();
    let expected = ["a", "c"].map(|id| payload("document_text", None, None, &format!(r#"{{"id":"{id}", "n":1.10}}"#)));
    assert_eq!(bodies, expected);

    // A batch with one fault is refused, and leaves nothing behind: not even its own ids.
    let named = |id: &str, document: &str| one(document).replacen('{', &format!(r#"{{"id":"{id}","#), 1);
    problem(
        &post(&format!("[{},{}]", named("x", "d"), one("e").replace("text", "eaten"))).await,
        422,
        "/1/event",
    );
    problem(&post(&format!("[{},{{}}]", named("x", "d"))).await, 422, "/1/event");
    problem(
        &post(&format!("[{},{}]", named("x", "d"), r#"{"event":"document_text","data":{"id":7}}"#)).await,
        422,
        "/1/data/id",
    );
    problem(&post(&format!("[{},7]", named("x", "d"))).await, 422, "/1");
    problem(&post(&format!("[{},", named("x", "d"))).await, 400, "");
    problem(&post("[]").await, 422, "");
    let kept = post(&named("x", "f")).await.expect(202);
    assert_eq!(kept["duplicate"], Value::Null, "x was not used by what was refused");
    problem(&post(&format!("[{},{}]", named("y", "d"), named("x", "g"))).await, 409, "/1/id");
    assert_eq!(post(&named("y", "h")).await.expect(202)["duplicate"], Value::Null);

    // Lines are a batch as well.
    let lines = format!("{}\n\n{}\r\n", one("i"), named("z", "j"));
    let answer = tenant
        .try_call("POST", "/events", &[("content-type", "application/x-ndjson")], lines)
        .await;
    let answer = answer.expect("the host answers").expect(202);
    for (position, document) in ["i", "j"].iter().enumerate() {
        let view = tenant.settled(text(&answer, &format!("/items/{position}/id"))).await;
        assert_eq!(view["document"], *document);
    }
    let documents: Vec<Value> = receiver.received().iter().map(|got| got_document(&got.body)).collect();
    assert!(!documents.iter().any(|id| id == "d" || id == "e" || id == "g"), "{documents:?}");
}

fn got_document(body: &Bytes) -> Value {
    let body: Value = serde_json::from_slice(body).expect("JSON");
    body["data"]["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_id_is_accepted_once() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let post = async |body: &str| tenant.call("POST", "/events", body.to_owned()).await;

    let event = r#"{"id":"mine/1 é","event":"document_text","data":{"id":"d", "n":1.10}}"#;
    let first = post(event).await.expect(202);
    let id = text(&first, "/id").to_owned();
    assert_eq!(first, json!({"id": id}));
    assert_eq!(post(&format!("\n{event} ")).await.expect(202), json!({"id": id, "duplicate": true}));
    let in_batch = post(&format!("[{event}]")).await.expect(202);
    assert_eq!(in_batch, json!({"items": [{"id": id, "duplicate": true}]}));
    // A client that has lost the answer may write the event anew: what stands around its data does not matter.
    let anew = r#"{ "data":{"id":"d", "n":1.10}, "project":null,"event":"document_text", "id":"mine\u002f1 \u00e9"}"#;
    assert_eq!(post(anew).await.expect(202), json!({"id": id, "duplicate": true}));
    for other in [
        event.replace("1.10", "1.1"),
        event.replace(", ", ","),
        event.replace("text", "delete"),
        event.replace(r#","data""#, r#","inbox":"i","data""#),
        event.replace(r#","data""#, r#","project":"i","data""#),
    ] {
        problem(&post(&other).await, 409, "/id");
    }
    assert_eq!(tenant.settled(&id).await["client_id"], "mine/1 é");

    // Twins in a batch: equal ones are one event, answered twice; unequal ones refuse the batch.
    let twin = r#"{"id":"twin","event":"document_text","data":{"id":"t"}}"#;
    let answer = post(&format!("[{twin}, {event},{twin}]")).await.expect(202);
    let twin_id = text(&answer, "/items/0/id").to_owned();
    let expected = json!([{"id": twin_id}, {"id": id, "duplicate": true}, {"id": twin_id, "duplicate": true}]);
    assert_eq!(answer["items"], expected);
    let (two, three) = (twin.replace("twin", "two"), twin.replace("twin", "two").replace(r#""t""#, r#""u""#));
    let refused = problem(&post(&format!("[{two},{twin},{three}]")).await, 409, "/2/id");
    assert!(
        text(&refused, "/errors/0/message").contains("event 0"),
        "both positions are named: {refused}"
    );
    assert_eq!(post(&three).await.expect(202)["duplicate"], Value::Null, "nothing of it was kept");

    // Many at once are one, too.
    let raced = r#"{"id":"raced","event":"document_text","data":{"id":"r"}}"#;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let tenant = tenant.clone();
        posts.spawn(async move { tenant.call("POST", "/events", raced).await.expect(202) });
    }
    let answers = posts.join_all().await;
    assert!(answers.iter().all(|answer| answer["id"] == answers[0]["id"]), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer["duplicate"] != true).count(), 1);
    tenant.settled(text(&answers[0], "/id")).await;
    tenant.settled(&twin_id).await;

    // An own id is unique in its organization alone.
    let other = host.organization("contractfit2").await;
    let theirs = other.call("POST", "/events", event).await.expect(202);
    assert!(theirs["duplicate"].is_null() && theirs["id"] != first["id"], "{theirs}");
    let documents: Vec<Value> = receiver.received().iter().map(|got| got_document(&got.body)).collect();
    for (document, times) in [("d", 1), ("t", 1), ("r", 1)] {
        assert_eq!(
            documents.iter().filter(|id| *id == document).count(),
            times,
            "{document}: {documents:?}"
        );
    }
    for bad in ["", &"x".repeat(256), "a\nb"] {
        problem(
            &tenant
                .post("/events", &json!({"id": bad, "event": "document_text", "data": {"id": "d"}}))
                .await,
            422,
            "/id",
        );
    }
    let longest = json!({"id": "x".repeat(255), "event": "document_text", "data": {"id": "d"}});
    tenant.post("/events", &longest).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_events_with_one_id_one_is_accepted() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    for round in 0..10 {
        let mut posts = tokio::task::JoinSet::new();
        for number in 0..12 {
            let tenant = tenant.clone();
            let body = format!(r#"{{"id":"{round}","event":"document_text","data":{{"id":"{}"}}}}"#, number % 2);
            posts.spawn(async move { (number % 2, tenant.call("POST", "/events", body).await) });
        }
        let mut accepted = Vec::new();
        for (document, answer) in posts.join_all().await {
            if answer.status == 409 {
                problem(&answer, 409, "/id");
            } else {
                let answer = answer.expect(202);
                accepted.push((document, text(&answer, "/id").to_owned(), answer["duplicate"] == true));
            }
        }
        assert_eq!(accepted.len(), 6, "{accepted:?}");
        assert!(
            accepted
                .iter()
                .all(|(document, id, _)| (document, id) == (&accepted[0].0, &accepted[0].1)),
            "{accepted:?}"
        );
        assert_eq!(accepted.iter().filter(|(.., duplicate)| !duplicate).count(), 1, "{accepted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_thousand() {
    const EVENTS: usize = 1_000;
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let batch = |count: usize| {
        let event = |number: usize| format!(r#"{{"id":"own-{number}","event":"document_text","data":{{"id":"{number}"}}}}"#);
        format!("[{}]", (0..count).map(event).collect::<Vec<_>>().join(","))
    };
    problem(&tenant.call("POST", "/events", batch(EVENTS + 1)).await, 413, "");
    let answer = tenant.call("POST", "/events", batch(EVENTS)).await.expect(202);
    let items = answer["items"].as_array().expect("a batch is answered by items");
    assert!(items.is_sorted_by(|earlier, later| text(earlier, "/id") < text(later, "/id")));
    assert_eq!(items.len(), EVENTS);
    let received = receiver.wait_for(EVENTS).await;
    let mut documents: Vec<String> = received.iter().map(|got| got_document(&got.body).to_string()).collect();
    documents.sort();
    documents.dedup();
    assert_eq!((documents.len(), received.len()), (EVENTS, EVENTS), "each comes once");
    for (position, item) in items.iter().enumerate().step_by(97) {
        assert_eq!(tenant.settled(text(item, "/id")).await["document"], position.to_string());
    }
}
