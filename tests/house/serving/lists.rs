//! Lists of runs and deliveries.

use serde_json::{Value, json};

use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_asked_by_state_integration_and_event() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::answering(|got| match got.path.as_str() {
        "/failing" => Reply::Status(500),
        "/waiting" => Reply::Status(503),
        _ => Reply::Status(200),
    })
    .await;
    let kinds = json!(["document_text", "document_predict"]);
    let make = async |path: &str, mut more: Value| {
        more["events"] = kinds.clone();
        tenant.integration(&receiver.url(path), more).await
    };
    let good = make("/good", json!({})).await;
    let failing = make("/failing", json!({"retry": {"delays_ms": []}})).await;
    let waiting = make("/waiting", json!({"retry": {"delays_ms": [3_600_000]}})).await;
    let paused = make("/paused", json!({"paused": true})).await;
    let flatten = make("/flatten", json!({"plugin": "flatten"})).await;
    let text_event = tenant.text_event("a").await;
    // A prediction without a prediction: the plugin rejects it, so its run is parked.
    let empty = r#"{"event":"document_predict","data":{"id":"b","inbox":"i","original_filename":"x.pdf","page_count":1}}"#;
    let predict = tenant.event(empty).await;
    for event in [&text_event, &predict] {
        tenant
            .event_when(event, |event| {
                let runs = event["runs"].as_array().expect("runs");
                runs.iter()
                    .filter(|run| !matches!(text(run, "/state"), "pending" | "queued"))
                    .count()
                    == 4
                    && runs
                        .iter()
                        .flat_map(|run| run["deliveries"].as_array().into_iter().flatten())
                        .all(|delivery| delivery["state"] != "pending")
            })
            .await;
    }
    let ids = async |path: &str, of: &str| {
        let found = tenant.get(path).await.expect(200);
        let mut ids: Vec<String> = found["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| text(item, of).to_owned())
            .collect();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<&String>| {
        ids.sort();
        ids.into_iter().cloned().collect::<Vec<String>>()
    };
    for (path, expected) in [
        ("/runs?state=done", vec![&good, &good, &failing, &failing, &waiting, &waiting]),
        ("/runs?state=parked", vec![&flatten]),
        ("/runs?state=skipped", vec![&flatten]),
        ("/runs?state=cancelled", vec![]),
        ("/runs?state=expired", vec![]),
        ("/deliveries?state=delivered", vec![&good, &good]),
        ("/deliveries?state=exhausted", vec![&failing, &failing]),
        ("/deliveries?state=waiting", vec![&waiting, &waiting]),
        ("/deliveries?state=pending", vec![]),
        ("/deliveries", vec![&good, &good, &failing, &failing, &waiting, &waiting]),
    ] {
        assert_eq!(ids(path, "/integration").await, sorted(expected), "{path}");
    }
    // Whether what is held is owed in memory or in the queue is the house's affair.
    let mut held = ids("/runs?state=queued", "/integration").await;
    held.extend(ids("/runs?state=pending", "/integration").await);
    assert_eq!(held, [paused.clone(), paused.clone()]);
    assert_eq!(ids("/runs", "/integration").await.len(), 10);
    for integration in [&good, &failing, &waiting, &paused, &flatten] {
        let path = format!("/runs?integration={integration}");
        assert_eq!(ids(&path, "/event").await, sorted(vec![&text_event, &predict]), "{path}");
    }
    assert_eq!(
        ids(&format!("/runs?event={predict}"), "/integration").await,
        sorted(vec![&good, &failing, &waiting, &paused, &flatten])
    );
    assert_eq!(
        ids(&format!("/runs?event={predict}&integration={flatten}&state=parked"), "/event").await,
        sorted(vec![&predict])
    );
    assert_eq!(
        ids(&format!("/runs?event={text_event}&integration={flatten}&state=parked"), "/event").await,
        sorted(vec![])
    );
    assert_eq!(
        ids(&format!("/deliveries?event={predict}&state=waiting"), "/integration").await,
        sorted(vec![&waiting])
    );
    let parked = tenant.get("/runs?state=parked").await.expect(200);
    assert!(
        text(&parked, "/items/0/reason").contains("neither prediction nor feedback"),
        "{parked}"
    );
    assert!(text(&parked, "/items/0/code").contains("reject"), "{parked}");

    // Page by page the same, each once, the newest events first.
    for (list, query) in [
        ("/runs", ""),
        ("/deliveries", ""),
        ("/deliveries", "state=exhausted&"),
        ("/runs", "state=done&"),
    ] {
        let whole = tenant.get(&format!("{list}?{query}limit=200")).await.expect(200);
        let whole: Vec<&str> = whole["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| text(item, "/id"))
            .collect();
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        for _ in 0..=whole.len() {
            let page = tenant.get(&format!("{list}?{query}limit=1{cursor}")).await.expect(200);
            paged.extend(
                page["items"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|item| text(item, "/id").to_owned()),
            );
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(paged, whole, "{list}?{query}");
    }
    let newest = tenant.get("/runs?limit=1").await.expect(200);
    assert_eq!(newest["items"][0]["event"], predict);
    let read = tenant.get(&format!("/runs/{}", text(&newest, "/items/0/id"))).await.expect(200);
    assert_eq!(read, newest["items"][0]);

    // A parked run is resumed when somebody asks, and what it was says so.
    let run = text(&parked, "/items/0/id").to_owned();
    tenant
        .patch(&format!("/integrations/{flatten}"), &json!({"plugin": "passthrough"}))
        .await
        .expect(200);
    let next = tenant.call("POST", &format!("/runs/{run}/resume"), "").await;
    assert_eq!(
        next.headers["location"].to_str().ok(),
        Some(format!("/runs/{}", text(&next.json(), "/id")).as_str())
    );
    let next = next.expect(202);
    let resumed = tenant
        .when(&format!("/runs/{}", text(&next, "/id")), |run| run["state"] == "done")
        .await;
    assert_eq!(
        (&resumed["generation"], &resumed["plugin"]["name"]),
        (&json!(1), &json!("passthrough"))
    );
    assert_eq!(tenant.get(&format!("/runs/{run}")).await.expect(200)["state"], "resumed");
    assert_eq!(ids("/runs?state=resumed", "/id").await, std::slice::from_ref(&run));
    problem(&tenant.call("POST", &format!("/runs/{run}/resume"), "").await, 409, "-");
}

/// A page of large items is short, and the next one goes on where it ends.
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_bounded_by_what_they_hold() {
    const COUNT: usize = 40;
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let mut made = Vec::new();
    for number in 0..COUNT {
        let metadata = json!({"number": number, "text": "m".repeat(16_000)});
        made.push(tenant.integration("https://example.org/", json!({"metadata": metadata})).await);
    }
    let (mut found, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let answer = tenant.get(&format!("/integrations?limit=200{cursor}")).await;
        assert!(answer.body.len() < 1_000_000, "{} bytes", answer.body.len());
        let page = answer.expect(200);
        pages += 1;
        let items = page["items"].as_array().expect("a list").iter();
        found.extend(items.map(|item| text(item, "/id").to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, made);
    assert_eq!(pages, 2);
}
