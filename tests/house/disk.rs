//! A full disk: new events get 503, nothing is half-written, what was accepted is delivered, and it all goes on by itself when there is
//! room again.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use rusqlite::Connection;
use serde_json::json;

use crate::parts::client::{Answer, Client};
use crate::parts::host::{Host, Options, copy, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

const DISK_KIB: u32 = 16 * 1024;
const BALLAST_BYTES: usize = 4 * 1024 * 1024;

async fn post(client: &Client, document: &str, bytes: usize) -> Answer {
    let body = json!({"event": "document_text", "data": {"id": document, "text": "x".repeat(bytes)}});
    client.post("/events", &body).await
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
        let answer = post(&tenant, &format!("before-{number}"), 100_000).await;
        if answer.status == 202 {
            accepted.push(text(&answer.json(), "/id").to_owned());
            continue;
        }
        problem(&answer, 503, "-");
        assert!(answer.headers.contains_key("retry-after"));
        refused += 1;
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk was never full");
    assert!(!accepted.is_empty());
    tenant.get("/integrations").await.expect(200);

    fs::remove_file(&ballast).expect("it can be removed");
    accepted.push(text(&post(&tenant, "after", 10).await.expect(202), "/id").to_owned());
    let received = receiver.wait_for(accepted.len()).await;
    assert_eq!(received.len(), accepted.len(), "what was refused was not sent");

    // The disk goes with the host, and stays for as long as somebody has it open.
    let disk = fs::File::open(host.seen_folder()).expect("the folder is there");
    assert!(host.terminate().success());
    let kept = tempfile::tempdir().expect("a folder");
    copy(&Path::new("/proc/self/fd").join(disk.as_raw_fd().to_string()), kept.path());
    let database = Connection::open(kept.path().join("hookmill.db")).expect("the database opens");
    let check: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("it is checked");
    let events: usize = database
        .query_row("SELECT count(*) FROM event", [], |row| row.get(0))
        .expect("counted");
    assert_eq!((check.as_str(), events), ("ok", accepted.len()));
    drop(database);

    let host = Host::open(kept.path(), Options::default());
    let tenant = tenant.with_host(&host);
    for event in &accepted {
        assert_eq!(tenant.settled(event).await["state"], "settled", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_free_space_is_503_and_names_the_limit() {
    let host = Host::start_with(Options::default().with("LIMITS__INTAKE__DISK_FREE_BYTES_MIN", "1000000000000000000"));
    let tenant = host.organization("contractfit1").await;
    let problem = problem(&post(&tenant, "a", 10).await, 503, "-");
    assert!(text(&problem, "/detail").contains("disk"), "{problem}");
    // Whoever shares the load among hosts is told as well; it is up all the same.
    assert_eq!(tenant.get("/readyz").await.status, 503);
    tenant.get("/healthz").await.expect(200);
}
