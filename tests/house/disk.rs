//! A full disk: new events get 503, nothing is half-written, what was accepted is delivered, and it all goes on by itself when there is
//! room again.

use std::fs;
use std::time::Instant;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::parts::client::Client;
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::{PATIENCE, Receiver};

const DISK_KIB: u32 = 16 * 1024;
const BALLAST_BYTES: usize = 4 * 1024 * 1024;

async fn post(client: &Client, document: &str, bytes: usize) -> (u16, Value) {
    let body = json!({"event": "document_text", "data": {"id": document, "text": "x".repeat(bytes)}});
    let answer = client.post("/events", &body).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_503_and_recovers_by_itself() {
    let receiver = Receiver::start().await;
    let mut options = Options::default();
    options
        .environment
        .push(("HOOKMILL_LIMITS__INTAKE__DISK_FREE_BYTES_MIN".to_owned(), "1".to_owned()));
    options.disk_kib = Some(DISK_KIB);
    let mut host = Host::start_with(options);
    let tenant = host.organization("contractfit1").await;
    let integration = json!({"type": "webhook", "events": ["document_text"], "target": receiver.url("/hook")});
    tenant.post("/integrations", &integration).await.expect(201);

    // What somebody else has on the same disk, and takes away later.
    let ballast = host.seen_folder().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_BYTES]).expect("there is room at first");

    let (mut accepted, mut refused) = (Vec::new(), 0);
    for number in 0..2_000 {
        match post(&tenant, &format!("before-{number}"), 100_000).await {
            (202, answer) => accepted.push(text(&answer, "/id").to_owned()),
            (503, problem) => {
                assert_eq!(problem["status"], 503, "{problem}");
                refused += 1;
                if refused == 5 {
                    break;
                }
            }
            (status, answer) => panic!("{status}: {answer}"),
        }
    }
    assert_eq!(refused, 5, "the disk was never full");
    assert!(!accepted.is_empty());
    tenant.get("/integrations").await.expect(200);

    fs::remove_file(&ballast).expect("it can be removed");
    let until = Instant::now() + PATIENCE;
    let after = loop {
        match post(&tenant, "after", 10).await {
            (202, answer) => break text(&answer, "/id").to_owned(),
            (503, _) => assert!(Instant::now() < until, "it does not recover"),
            (status, answer) => panic!("{status}: {answer}"),
        }
    };
    accepted.push(after);
    let received = receiver.wait_for(accepted.len()).await;
    assert_eq!(received.len(), accepted.len(), "what was refused was not sent");
    for event in &accepted {
        let until = Instant::now() + PATIENCE;
        while tenant.get(&format!("/events/{event}")).await.expect(200)["state"] != "settled" {
            assert!(Instant::now() < until, "{event} does not settle");
        }
    }
    // SQLite would follow the host's root out of its namespace, so the files of the idle host are looked at in another place.
    let copy = tempfile::tempdir().expect("a folder");
    for file in ["hookmill.db", "hookmill.db-wal"] {
        fs::copy(host.seen_folder().join(file), copy.path().join(file)).expect("it can be copied");
    }
    let database = Connection::open(copy.path().join("hookmill.db")).expect("the database opens");
    let check: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("it is checked");
    let events: usize = database
        .query_row("SELECT count(*) FROM event", [], |row| row.get(0))
        .expect("counted");
    assert_eq!((check.as_str(), events), ("ok", accepted.len()));
    drop(database);
    assert!(host.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_free_space_is_503_and_names_the_limit() {
    let host = Host::start_with(Options::default().with("LIMITS__INTAKE__DISK_FREE_BYTES_MIN", "1000000000000000000"));
    let tenant = host.organization("contractfit1").await;
    let (status, problem) = post(&tenant, "a", 10).await;
    assert_eq!(status, 503);
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("disk")),
        "{problem}"
    );
    // Whoever shares the load among hosts is told as well; it is up all the same.
    assert_eq!(tenant.get("/readyz").await.status, 503);
    tenant.get("/healthz").await.expect(200);
}
