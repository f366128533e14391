//! The memory of large answers, which clients may be slow to read.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::parts::client::Client;
use crate::parts::components::probe;
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::{PATIENCE, Receiver};

/// More than the system holds of an answer that nobody reads.
const LARGE_BYTES: usize = 12_000_000;

fn large() -> String {
    let frame = r#"{"event":"document_text","data":{"id":"d","text":""}}"#;
    frame.replace(r#""""#, &format!(r#""{}""#, "x".repeat(LARGE_BYTES)))
}

/// Has an answer begin, and reads no more of it than its status.
async fn begin(client: &Client, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(client.address).await.expect("it listens");
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-api-key: {}\r\n\r\n",
        client.key
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut status = [0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut status)).await;
    read.expect("it is answered").expect("it is answered");
    assert_eq!(status, *b"HTTP/1.1 200");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_waits_for_one_that_is_not_read() {
    let host = Host::start_with(
        Options::default()
            .with("LIMITS__INTAKE__PAYLOAD_MEMORY_BYTES_MAX_PER_ORGANIZATION", "16000000")
            .with("LIMITS__INTAKE__REQUEST_READ_TIMEOUT_MS", "120000"),
    );
    let receiver = Receiver::start().await;
    let (tenant, other) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    let (event, of_other) = (tenant.event(large()).await, other.event(large()).await);
    tenant.integration(&receiver.url("/"), json!({})).await;
    let run = text(&tenant.settled(&tenant.text_event("d").await).await, "/runs/0/id").to_owned();

    let path = format!("/events/{event}?data=true");
    let mut unread = begin(&tenant, &path).await;
    let second = tokio::spawn({
        let (tenant, path) = (tenant.clone(), path.clone());
        async move { tenant.get(&path).await.expect(200) }
    });
    // What is small goes on, events are taken, large ones too, and another organization's answer is none of this one's.
    let export = tenant.get(&format!("/runs/{run}/export")).await.expect(200);
    assert_eq!(text(&export, "/run"), run);
    tenant.settled(&tenant.event(large()).await).await;
    let data = tenant.get(&format!("/events/{event}")).await.expect(200);
    assert_eq!((&data["payload_present"], data.get("data")), (&json!(true), None));
    let whole = other.get(&format!("/events/{of_other}?data=true")).await.expect(200);
    assert_eq!(text(&whole, "/data/text").len(), LARGE_BYTES);
    assert!(!second.is_finished(), "there is no room for it");

    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, unread.read_to_end(&mut rest)).await;
    read.expect("it comes").expect("it comes whole");
    assert!(rest.ends_with(br#"xxx"}}"#) && rest.len() > LARGE_BYTES);
    let second = tokio::time::timeout(PATIENCE, second).await.expect("there is room now");
    assert_eq!(text(&second.expect("it is answered"), "/data/text").len(), LARGE_BYTES);

    // Who goes away without having read leaves room, too.
    for _ in 0..3 {
        drop(begin(&tenant, &path).await);
    }
    tenant.get(&path).await.expect(200);
}

/// An export needs room for the data and for what it becomes as text, so that it goes alone here.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_as_an_event_does() {
    let host = Host::start_with(
        Options::default()
            .with("LIMITS__INTAKE__PAYLOAD_MEMORY_BYTES_MAX_PER_ORGANIZATION", "16000000")
            .with("LIMITS__INTAKE__REQUEST_READ_TIMEOUT_MS", "120000"),
    );
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let event = tenant.event(large()).await;
    let run = text(&tenant.settled(&event).await, "/runs/0/id").to_owned();
    let path = format!("/runs/{run}/export");
    let mut unread = begin(&tenant, &path).await;
    let second = tokio::spawn({
        let tenant = tenant.clone();
        async move { tenant.get(&format!("/events/{event}?data=true")).await.expect(200) }
    });
    tenant.settled(&tenant.text_event("d").await).await;
    assert!(!second.is_finished(), "there is no room for it");
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, unread.read_to_end(&mut rest)).await;
    read.expect("it comes").expect("it comes whole");
    let second = tokio::time::timeout(PATIENCE, second).await.expect("there is room now");
    let data = second.expect("it is answered")["data"].to_string();
    let start = rest.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    let file: Value = serde_json::from_slice(&rest[start..]).expect("JSON");
    assert_eq!(text(&file, "/event/data"), data);
}

/// What calls and lists take in memory needs room as well, also where little of it is answered.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_large_while_it_is_made_waits_too() {
    let host = Host::start_with(
        Options::default()
            .with("LIMITS__INTAKE__PAYLOAD_MEMORY_BYTES_MAX_PER_ORGANIZATION", "13000000")
            .with("LIMITS__INTAKE__REQUEST_READ_TIMEOUT_MS", "120000"),
    );
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let log = json!({"do": "log", "lines": 4, "line_bytes": 4000});
    for _ in 0..12 {
        let more = json!({"events": ["document_fail"], "plugin": "probe", "plugin_config": log});
        tenant.integration(&receiver.url("/"), more).await;
    }
    let event = tenant.event(large()).await;
    let delivery = text(&tenant.settled(&event).await, "/runs/0/deliveries/0/id").to_owned();
    let many = tenant.event(r#"{"event": "document_fail", "data": {"id": "d"}}"#).await;
    tenant.settled(&many).await;

    let mut unread = begin(&tenant, &format!("/events/{event}?data=true")).await;
    let paths = [
        ("POST", format!("/deliveries/{delivery}/verify")),
        ("GET", format!("/events/{many}")),
        ("GET", "/runs?limit=200".to_owned()),
    ];
    let waiting = paths.map(|(method, path)| {
        let tenant = tenant.clone();
        tokio::spawn(async move { tenant.call(method, &path, "").await.expect(200) })
    });
    // What is small does not: neither a short page, nor an event with little to tell.
    let runs = format!("/runs?limit=1&event={event}");
    for path in ["/deliveries", &runs, "/integrations?limit=1", &format!("/events/{event}")] {
        tenant.get(path).await.expect(200);
    }
    tenant.settled(&tenant.text_event("d").await).await;
    assert!(waiting.iter().all(|task| !task.is_finished()), "there is no room for any of them");
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, unread.read_to_end(&mut rest)).await;
    read.expect("it comes").expect("it comes whole");
    let answers = waiting.map(async |task| {
        let answer = tokio::time::timeout(PATIENCE, task).await.expect("there is room now");
        answer.expect("it is answered")
    });
    let [verified, event, runs] = answers;
    assert_eq!(verified.await["verdict"], "same");
    let count = |list: &Value| list.as_array().expect("a list").len();
    assert_eq!(count(&event.await["runs"]), 12);
    // The last one may have come before the list was asked for, or after that.
    assert!((13..=14).contains(&count(&runs.await["items"])));
}
