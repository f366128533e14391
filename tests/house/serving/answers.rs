//! The memory of large answers, which clients may be slow to read.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::parts::client::Client;
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
    tenant.integration(&receiver.url("/"), serde_json::json!({})).await;
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
    assert_eq!((&data["payload_present"], data.get("data")), (&serde_json::json!(true), None));
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
    tenant.integration(&receiver.url("/"), serde_json::json!({})).await;
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
    let file: serde_json::Value = serde_json::from_slice(&rest[start..]).expect("JSON");
    assert_eq!(text(&file, "/event/data"), data);
}
