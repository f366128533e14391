//! What a host prints: where nobody reads it, it works as well; and it never tells what is to be kept.

use std::fs::File;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::parts::client::Client;
use crate::parts::disk::Arrivals;
use crate::parts::host::{OPERATOR_KEY, Options, command, listens, text};
use crate::parts::looks::Process;
use crate::parts::receiver::{PATIENCE, Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_harms_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = tokio::process::Command::from(command(folder.path(), &Options::default()));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = lines.next_line().await.expect("text").expect("a line");
    let address = first.rsplit('/').next().expect("an address").parse().expect("an address");
    listens(address, folder.path());
    // From here on each line of the log is written into a broken pipe.
    drop(child.stderr.take());
    let operator = Client {
        address,
        key: OPERATOR_KEY.to_owned(),
    };
    operator.post("/organizations", &json!({"name": "contractfit1"})).await.expect(201);
    let key = operator
        .post("/keys", &json!({"organization": "contractfit1", "role": "admin"}))
        .await
        .expect(201);
    let tenant = operator.with_key(text(&key, "/key"));
    // 410 is one of the things that are told.
    let receiver = Receiver::answering(|got| Reply::Status(if got.number == 0 { 410 } else { 200 })).await;
    let id = tenant.integration(&receiver.url("/"), json!({})).await;
    let event = tenant.text_event("d").await;
    receiver.wait_for(1).await;
    tenant
        .when(&format!("/integrations/{id}"), |integration| integration["target_gone"] == true)
        .await;
    tenant
        .patch(&format!("/integrations/{id}"), &json!({"target_gone": false}))
        .await
        .expect(200);
    let view = tenant.settled(&event).await;
    assert_eq!(view["runs"][0]["deliveries"][0]["state"], "delivered", "{view}");
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw)
        .expect("it runs");
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    let status = tokio::time::timeout(PATIENCE, child.wait())
        .await
        .expect("it ends")
        .expect("it was running");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_nobody_reads_harms_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut command = Command::new(crate::parts::hookmill());
    command
        .arg("serve")
        .arg("--data")
        .arg(folder.path())
        .args(["--listen", &address.to_string()]);
    command.env("HOOKMILL_LIMITS__INTAKE__DISK_FREE_BYTES_MIN", "1000000");
    let mut arrivals = Arrivals::watch(folder.path());
    let mut command = tokio::process::Command::from(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let nobody = Client {
        address,
        key: String::new(),
    };
    // What it writes last before it serves; it listens long before.
    let writes_key = async {
        while !folder.path().join("operator.key").exists() {
            tokio::select! {
                () = arrivals.some() => {}
                ended = child.wait() => panic!("it ended for want of a reader: {ended:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, writes_key).await.expect("it starts");
    let serves = tokio::time::timeout(PATIENCE, nobody.get("/healthz"));
    serves.await.expect("it serves").expect(200);
    // The lines are written after the listener is there: whether they end the host shows when it is told to end.
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw)
        .expect("it runs");
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    let status = tokio::time::timeout(PATIENCE, child.wait())
        .await
        .expect("it ends")
        .expect("it was running");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_nothing_that_is_sealed() {
    const VALUE: &str = "the-value-of-a-header";
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let options = Options::default().with("LOG__FILTER", "trace").with("LOG__FORMAT", "json");
    let mut command = command(&folder.path().join("data"), &options);
    command.stderr(File::create(&log).expect("made"));
    let mut process = Process::start(command);
    let address = process.line("hookmill listens on http://").await.parse().expect("an address");
    listens(address, &folder.path().join("data"));
    let operator = Client {
        address,
        key: OPERATOR_KEY.to_owned(),
    };
    operator.post("/organizations", &json!({"name": "contractfit1"})).await.expect(201);
    let key = operator
        .post("/keys", &json!({"organization": "contractfit1", "role": "admin"}))
        .await
        .expect(201);
    let tenant = operator.with_key(text(&key, "/key"));
    let receiver = Receiver::answering(|got| Reply::Status(if got.path == "/gone" { 410 } else { 500 })).await;
    let mut secrets = vec![
        VALUE.to_owned(),
        tenant.key.clone(),
        OPERATOR_KEY.to_owned(),
        "text-of-the-payload".to_owned(),
    ];
    for target in [
        receiver.url("/"),
        receiver.url("/gone"),
        format!("https://{}/", receiver.address),
        "http://nobody.invalid/".to_owned(),
    ] {
        let id = tenant
            .integration(&target, json!({"headers": {"Authorization": VALUE}, "retry": {"delays_ms": []}}))
            .await;
        let secret = tenant.get(&format!("/integrations/{id}/secret")).await.expect(200);
        secrets.push(text(&secret, "/secret").trim_start_matches("whsec_").to_owned());
    }
    let event = tenant
        .event(r#"{"event":"document_text","data":{"id":"d","text":"text-of-the-payload"}}"#)
        .await;
    let settled = |event: &Value| {
        let mut deliveries = event["runs"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|run| run["deliveries"].as_array().into_iter().flatten());
        deliveries.by_ref().filter(|delivery| delivery["state"] == "exhausted").count() == 3
    };
    tenant.event_when(&event, settled).await;
    tenant
        .call("POST", "/events", r#"{"event":"text-of-the-payload","data":{"id":"d"}}"#)
        .await;
    tenant.post("/integrations", &json!({"headers": {"Host": VALUE}})).await;
    tenant
        .with_key("hmk_wrong")
        .get(&format!("/integrations?api_key={}", tenant.key))
        .await;
    process.end().await;
    let log = std::fs::read_to_string(&log).expect("text");
    assert!(log.contains("410"), "it is told of what happens: {log}");
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"].is_string())),
        "{log}"
    );
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret}: {log}");
    }
}
