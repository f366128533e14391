//! A 202 is a promise.

use serde_json::{Value, json};

use super::moved;
use crate::parts::calls::one;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_by_202_is_there_after_a_kill() {
    const KILLS: usize = 20;
    let mut host = Host::start();
    let mut tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let mut accepted: Vec<(String, String)> = Vec::new();
    for round in 0..KILLS {
        // One, or a batch; with an id of its own, or without.
        let documents: Vec<String> = (0..if round % 3 == 2 { 7 } else { 1 })
            .map(|number| format!("{round}-{number}"))
            .collect();
        let bodies: Vec<String> = documents
            .iter()
            .map(|document| format!(r#"{{"id":"own-{document}","event":"document_text","data":{{"n":1.10, "id":"{document}"}}}}"#))
            .collect();
        let body = if bodies.len() == 1 {
            bodies[0].clone()
        } else {
            format!("[{}]", bodies.join(","))
        };
        let answer = tenant.call("POST", "/events", body.clone()).await;
        host.kill();
        let answer = answer.expect(202);
        let ids: Vec<String> = match answer["items"].as_array() {
            Some(items) => items.iter().map(|item| text(item, "/id").to_owned()).collect(),
            None => vec![text(&answer, "/id").to_owned()],
        };
        host.start_again();
        tenant = moved(&tenant, &host);
        for (id, document) in ids.iter().zip(&documents) {
            let view = tenant.get(&format!("/events/{id}?data=true")).await;
            let shown = String::from_utf8(view.body.to_vec()).expect("text");
            assert!(
                shown.contains(&format!(r#""data":{{"n":1.10, "id":"{document}"}}"#)),
                "round {round}: {shown}"
            );
            assert_eq!(view.expect(200)["document"], **document);
        }
        // What is posted again for want of an answer is known.
        let again = tenant.call("POST", "/events", body).await.expect(202);
        let again = again["items"].as_array().cloned().unwrap_or_else(|| vec![again]);
        let expected: Vec<Value> = ids.iter().map(|id| json!({"id": id, "duplicate": true})).collect();
        assert_eq!(again, expected, "round {round}");
        accepted.extend(ids.into_iter().zip(documents));
    }
    let mut ids: Vec<&String> = accepted.iter().map(|(id, _)| id).collect();
    assert!(ids.is_sorted(), "ids sort by time, over all starts");
    ids.dedup();
    assert_eq!(ids.len(), accepted.len(), "no id is given twice");
    for (id, document) in &accepted {
        let view = tenant.settled(id).await;
        let delivery = one(&view["runs"][0]["deliveries"], |delivery| delivery["state"] == "delivered");
        let received = receiver.received();
        let mut copies = received.iter().filter(|got| got.id() == text(delivery, "/id"));
        let first = copies.next().unwrap_or_else(|| panic!("{document} was never received"));
        let expected = format!(r#"{{"event": "document_text", "organization": "contractfit1", "data": {{"n":1.10, "id":"{document}"}}}}"#);
        assert_eq!(first.body, expected);
        assert!(copies.all(|copy| copy.body == first.body), "one id, one body");
    }
    let received = receiver.received();
    let known = |got: &crate::parts::receiver::Received| {
        accepted
            .iter()
            .any(|(_, document)| got.body.ends_with(format!(r#""{document}"}}}}"#).as_bytes()))
    };
    assert!(received.iter().all(known), "nothing is received that was not accepted");
}
