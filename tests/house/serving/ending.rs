//! Signals, and what they leave behind.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{EVENT, moved};
use crate::parts::client::Client;
use crate::parts::disk::Touches;
use crate::parts::host::{Host, Options, text};
use crate::parts::looks::{Process, ends_within};
use crate::parts::receiver::{Gate, PATIENCE, Receiver, Reply};

/// The grace period of hosts here that are to run out of it.
const GRACE: Duration = Duration::from_secs(4);

fn with_grace() -> Options {
    Options::default().with("LIMITS__DELIVERY__SHUTDOWN_GRACE_MS", &GRACE.as_millis().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_attempts_under_way_finish() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let gate = Gate::closed();
    let receiver = {
        let gate = gate.clone();
        Receiver::answering(move |_| Reply::Gated(gate.clone(), 200)).await
    };
    tenant.integration(&receiver.url("/"), json!({})).await;
    let mut events = Vec::new();
    for number in 0..3 {
        events.push(tenant.text_event(&number.to_string()).await);
    }
    receiver.wait_for(3).await;
    // It accepts nothing more, and it waits for its attempts.
    drains(&host).await;
    assert_eq!(host.has_ended(), None, "attempts are under way");
    gate.open();
    let status = ends_within(&mut host, Duration::from_secs(10)).await;
    assert!(status.success(), "{status}");
    host.start_again();
    let tenant = moved(&tenant, &host);
    for event in &events {
        let view = tenant.get(&format!("/events/{event}")).await.expect(200);
        let delivery = &view["runs"][0]["deliveries"][0];
        assert_eq!(
            (&delivery["state"], &delivery["attempts"], &delivery["status"]),
            (&json!("delivered"), &json!(1), &json!(200)),
            "{view}"
        );
    }
    // What comes later is sent, so what was taken would have been sent again by now.
    tenant.settled(&tenant.text_event("last").await).await;
    assert_eq!(receiver.received().len(), 4, "nothing is sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_within_the_grace_period_is_due_again() {
    let mut host = Host::start_with(with_grace());
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::answering(|got| if got.number == 0 { Reply::Hang } else { Reply::Status(200) }).await;
    tenant.integration(&receiver.url("/"), json!({"timeout_ms": 60_000})).await;
    let event = tenant.text_event("d").await;
    let first = receiver.wait_for(1).await.remove(0);
    host.signal(Signal::TERM);
    let begun = Instant::now();
    let status = ends_within(&mut host, GRACE + Duration::from_secs(10)).await;
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() >= GRACE / 2, "it waits for the attempt: {:?}", begun.elapsed());
    host.start_again();
    let tenant = moved(&tenant, &host);
    let again = receiver.wait_for(2).await.remove(1);
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    let view = tenant.settled(&event).await;
    let delivery = &view["runs"][0]["deliveries"][0];
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&json!("delivered"), &json!(1)),
        "the cut attempt is not counted: {view}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_period_is_the_whole_of_it() {
    let mut host = Host::start_with(with_grace());
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::answering(|_| Reply::Hang).await;
    tenant.integration(&receiver.url("/"), json!({"timeout_ms": 60_000})).await;
    tenant.text_event("d").await;
    receiver.wait_for(1).await;
    // A receiver that does not answer, a client that does not ask on, and one that does not go on with its body.
    let mut asking = TcpStream::connect(host.operator.address).await.expect("it listens");
    asking.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n").await.expect("written");
    let mut posting = TcpStream::connect(host.operator.address).await.expect("it listens");
    let head = format!(
        "POST /events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{",
        tenant.key
    );
    posting.write_all(head.as_bytes()).await.expect("written");
    tenant.get("/healthz").await.expect(200);
    host.signal(Signal::TERM);
    let begun = Instant::now();
    let status = ends_within(&mut host, 10 * GRACE).await;
    assert!(status.success(), "{status}");
    // Less than for the connections and the deliveries one after the other, whatever else the machine does.
    assert!(begun.elapsed() < GRACE * 3 / 2, "it took {:?} of {GRACE:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_insists_ends_it_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let mut host = Host::start();
        let tenant = host.organization("contractfit1").await;
        let receiver = Receiver::answering(|_| Reply::Hang).await;
        tenant.integration(&receiver.url("/"), json!({"timeout_ms": 60_000})).await;
        tenant.text_event("d").await;
        receiver.wait_for(1).await;
        drains(&host).await;
        assert_eq!(host.has_ended(), None);
        // Within a second of the first it may be the same wish.
        let mut insisting = tokio::time::interval(Duration::from_millis(300));
        let insist = async {
            loop {
                tokio::select! {
                    status = host.ended() => break status,
                    _ = insisting.tick() => host.signal(second),
                }
            }
        };
        // The grace period is 20 s.
        let status = tokio::time::timeout(Duration::from_secs(5), insist).await.expect("it ends");
        assert_eq!(status.code(), Some(130));
    }
}

/// `timeout` of GNU coreutils signals its child and then its own group, of which the child is one.
#[tokio::test(flavor = "multi_thread")]
async fn two_signals_at_once_are_one_wish() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::answering(move |_| Reply::Gated(held.clone(), 200)).await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    tenant.text_event("d").await;
    receiver.wait_for(1).await;
    // Two of one kind may come as one.
    drains_by(&host, &[Signal::TERM, Signal::INT]).await;
    gate.open();
    let status = ends_within(&mut host, Duration::from_secs(10)).await;
    assert!(status.success(), "{status}");
}

/// One that waits for the disk or for others when it is told to end has as long for it as one that serves.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_ends_within_the_grace_period_as_well() {
    let mut host = Host::start_with(Options::default().with("LIMITS__DELIVERY__SHUTDOWN_GRACE_MS", "500"));
    assert!(host.terminate().success());
    let database = Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    database
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
        .expect("nobody else has it");
    let touches = Touches::watch(host.folder());
    host.begin_again();
    tokio::time::timeout(PATIENCE, touches.reach(1)).await.expect("it opens its folder");
    host.signal(Signal::TERM);
    // The database would be waited for longer than that, and in vain.
    let status = ends_within(&mut host, Duration::from_secs(10)).await;
    assert!(status.success(), "{status}");
    drop(database);
    host.start_again();
    host.operator.get("/organizations").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_it_ends_as_well() {
    let mut host = Host::start();
    host.signal(Signal::INT);
    assert!(ends_within(&mut host, Duration::from_secs(10)).await.success());
}

/// SIGHUP tells of the terminal's end, unless whoever started the host wants it to stay.
#[tokio::test(flavor = "multi_thread")]
async fn with_its_terminal_it_ends_unless_that_signal_is_ignored() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = async |wrapper: &[&str], name: &str| {
        let mut host = Command::new(wrapper[0]);
        host.args(&wrapper[1..])
            .arg(crate::parts::hookmill())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"]);
        host.arg(folder.path().join(name)).env_remove("HOOKMILL_TEST_LOG");
        host.stdin(Stdio::null()).stderr(Stdio::null());
        let mut host = Process::start(host);
        let address: SocketAddr = host.line("hookmill listens on http://").await.parse().expect("an address");
        (host, address)
    };
    let ignores = |host: &Process| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).expect("it runs");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
        u64::from_str_radix(mask.trim(), 16).expect("hexadecimal") & 1 == 1
    };
    let (host, address) = started(&["nohup"], "stays").await;
    assert!(ignores(&host));
    host.signal(Signal::HUP);
    let client = Client {
        address,
        key: String::new(),
    };
    client.get("/healthz").await.expect(200);
    host.end().await;

    // Whatever these tests were started by.
    let (host, _) = started(&["env", "--default-signal=HUP"], "ends").await;
    assert!(!ignores(&host));
    host.end_by(Signal::HUP).await;
}

/// Tells the host to end, and waits until it listens no more.
async fn drains(host: &Host) {
    drains_by(host, &[Signal::TERM]).await;
}

/// The same by these signals: right behind its listener the host closes what idles.
async fn drains_by(host: &Host, signals: &[Signal]) {
    let mut idle = TcpStream::connect(host.operator.address).await.expect("it listens");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
    let mut answer = vec![0; 15];
    idle.read_exact(&mut answer).await.expect("it answers");
    assert_eq!(answer, b"HTTP/1.1 200 OK");
    signals.iter().for_each(|signal| host.signal(*signal));
    let closed = tokio::time::timeout(PATIENCE, idle.read_to_end(&mut answer)).await;
    closed.expect("it stops to listen").expect("it says so");
    assert!(TcpStream::connect(host.operator.address).await.is_err(), "it listens still");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_is_begun_while_it_drains() {
    const EVENTS: usize = 6;
    let mut host = Host::start_with(Options::default().with("LIMITS__DELIVERY__IN_FLIGHT_MAX_PER_TARGET", "1"));
    let tenant = host.organization("contractfit1").await;
    let gate = Gate::closed();
    let receiver = {
        let gate = gate.clone();
        Receiver::answering(move |_| Reply::Gated(gate.clone(), 200)).await
    };
    tenant.integration(&receiver.url("/"), json!({})).await;
    let mut events = Vec::new();
    for number in 0..EVENTS {
        events.push(tenant.text_event(&number.to_string()).await);
    }
    receiver.wait_for(1).await;
    drains(&host).await;
    gate.open();
    assert!(ends_within(&mut host, Duration::from_secs(10)).await.success());
    assert_eq!(receiver.received().len(), 1, "what waited for its turn waits on");
    host.start_again();
    let tenant = moved(&tenant, &host);
    for event in &events {
        tenant.settled(event).await;
    }
    let received = receiver.received();
    let mut ids: Vec<&str> = received.iter().map(|got| got.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), received.len()), (EVENTS, EVENTS), "each is sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_and_kept() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let mut posting = TcpStream::connect(host.operator.address).await.expect("it listens");
    let head = format!(
        "POST /events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        tenant.key,
        EVENT.len()
    );
    posting.write_all(head.as_bytes()).await.expect("written");
    // The host reads the body by now: it has asked for it.
    let mut leave = [0; 25];
    posting.read_exact(&mut leave).await.expect("it asks for the body");
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut idle = TcpStream::connect(host.operator.address).await.expect("it listens");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.expect("it answers");
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    drains(&host).await;
    posting.write_all(EVENT.as_bytes()).await.expect("written");
    let mut answer = String::new();
    let read = tokio::time::timeout(PATIENCE, posting.read_to_string(&mut answer)).await;
    read.expect("it ends").expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 202 Accepted"), "{answer}");
    let begun = Instant::now();
    assert!(ends_within(&mut host, Duration::from_secs(10)).await.success());
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "an idle connection holds up nothing: {:?}",
        begun.elapsed()
    );
    let answer: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    host.start_again();
    let view = moved(&tenant, &host)
        .get(&format!("/events/{}", text(&answer, "/id")))
        .await
        .expect(200);
    assert_eq!(view["document"], "d");
}
