//! What a backtest may take, how it ends early, and that it keeps nobody waiting.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::lines::{Stream, summary};
use super::{PASSES, TOLD, counts, event, mine, posted, two_versions};
use crate::parts::client::Client;
use crate::parts::host::{Host, Options};
use crate::parts::looks::some_problem;
use crate::parts::receiver::{PATIENCE, Receiver};

/// Events on which the version that is told loops to its limit, below one that passes.
async fn endless(tenant: &Client, count: usize) {
    let mut events = vec![event("loop", json!({"do": "loop"})); count];
    events.push(event("passes", Value::Null));
    posted(tenant, &events).await;
}

fn asked(last: u64) -> Value {
    json!({"integration": mine("https://example.org/"), "last": last})
}

/// A backtest that has read those events, and is with the first that loops.
async fn at_the_first_that_loops(tenant: &Client) -> Stream {
    let mut stream = Stream::open(tenant, TOLD, &asked(11)).await;
    loop {
        let line = stream.line().await.expect("it goes on");
        if line["progress"]["compared"] == 1 {
            assert_eq!(line["progress"]["scanned"], 11, "{line}");
            return stream;
        }
    }
}

/// A call takes so long that whatever waits for its end is not done within a test's patience.
fn with_long_calls() -> Options {
    Options::default()
        .with("LIMITS__PLUGIN__CPU_MS", "100000")
        .with("LIMITS__PLUGIN__WALL_MS", "200000")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_its_client_goes_away_and_is_one_at_a_time() {
    let host = Host::start_with(with_long_calls().with("LIMITS__BACKTEST__AT_ONCE_MAX", "2"));
    let tenant = host.organization("contractfit1").await;
    let others = [host.organization("contractfit2").await, host.organization("contractfit3").await];
    for tenant in others.iter().chain([&tenant]) {
        two_versions(tenant).await;
        endless(tenant, 10).await;
    }
    let stream = at_the_first_that_loops(&tenant).await;
    let refused = some_problem(&tenant.post(PASSES, &asked(1)).await, 429);
    assert_eq!(refused["limit"], "at_once_max_per_organization");
    // The second of the host's places is free, and the third is none.
    let second = Stream::open(&others[0], TOLD, &asked(11)).await;
    let busy = others[1].post(PASSES, &asked(1)).await;
    some_problem(&busy, 503);
    assert!(busy.headers.contains_key("retry-after"));

    drop(stream);
    drop(second);
    let again = async {
        loop {
            let answer = tenant.post(PASSES, &asked(1)).await;
            if answer.status != StatusCode::TOO_MANY_REQUESTS && answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return summary(&answer);
            }
        }
    };
    let again = tokio::time::timeout(PATIENCE, again).await.expect("its place is given back");
    assert_eq!(counts(&again), json!({"scanned": 1, "compared": 1, "same": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_flow_while_it_loops_and_the_hosts_end_ends_it() {
    let mut host = Host::start_with(with_long_calls());
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    two_versions(&tenant).await;
    endless(&tenant, 10).await;
    let mut stream = at_the_first_that_loops(&tenant).await;
    tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let events: Vec<Value> = (0..200).map(|number| event(&number.to_string(), Value::Null)).collect();
    posted(&tenant, &events).await;
    receiver.wait_for(events.len()).await;
    // Nor does it read on from one event to the next: the database's log is emptied, which waits for every reader.
    let database = Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    database.busy_timeout(Duration::from_secs(5)).expect("it waits");
    let until = Instant::now() + PATIENCE;
    let is_busy = || {
        let busy = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        busy.expect("it answers")
    };
    // It is refused at once, without a wait, where the host itself is emptying it.
    while is_busy() {
        assert!(Instant::now() < until, "somebody holds an old state of the database");
    }
    drop(database);
    // It is still with the first that loops, and says so each second.
    for _ in 0..3 {
        let line = stream.line().await.expect("it goes on");
        assert_eq!(line["progress"]["compared"], 1, "{line}");
    }
    host.signal(Signal::TERM);
    let last = loop {
        let line = stream.line().await.expect("the last line says why");
        if line["progress"].is_null() {
            break line;
        }
    };
    assert_eq!(last["problem"]["status"], 503, "{last}");
    assert_eq!(stream.line().await, None);
    drop(stream);
    let status = crate::parts::looks::ends_within(&mut host, PATIENCE).await;
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_limits_end_it_with_what_it_has_found() {
    let host = Host::start_with(Options::default().with("LIMITS__BACKTEST__EVENTS_MAX", "5"));
    let tenant = host.organization("contractfit1").await;
    two_versions(&tenant).await;
    posted(&tenant, &vec![event("a", Value::Null); 8]).await;
    let since = json!({"integration": mine("https://example.org/"), "since": "2020-01-01T00:00:00Z"});
    let found = summary(&tenant.post(TOLD, &since).await);
    assert_eq!(
        (counts(&found), &found["stopped_by"]),
        (json!({"scanned": 5, "compared": 5, "same": 5}), &json!("events_max"))
    );
    some_problem(&tenant.post(TOLD, &asked(6)).await, 422);
    let found = summary(&tenant.post(TOLD, &asked(5)).await);
    assert_eq!((&found["compared"], &found["stopped_by"]), (&json!(5), &Value::Null));

    let host = Host::start_with(Options::default().with("LIMITS__BACKTEST__SCANNED_EVENTS_MAX", "3"));
    let tenant = host.organization("contractfit1").await;
    two_versions(&tenant).await;
    posted(&tenant, &vec![json!({"event": "document_fail", "data": {"id": "x"}}); 4]).await;
    let found = summary(&tenant.post(TOLD, &asked(5)).await);
    assert_eq!(
        (counts(&found), &found["stopped_by"]),
        (json!({"scanned": 3}), &json!("scanned_events_max"))
    );
}

/// A version that is deleted meanwhile is compared to the end.
#[tokio::test(flavor = "multi_thread")]
async fn time_ends_it_and_a_deletion_does_not() {
    let options = Options::default()
        .with("LIMITS__BACKTEST__TIME_MS_MAX", "3000")
        .with("LIMITS__PLUGIN__CPU_MS", "10");
    let host = Host::start_with(options);
    let tenant = host.organization("contractfit1").await;
    two_versions(&tenant).await;
    endless(&tenant, 900).await;
    let mut stream = Stream::open(&tenant, TOLD, &asked(901)).await;
    stream.line().await.expect("it begins");
    assert_eq!(tenant.delete("/plugins/mine/versions/2").await.status, 204);
    let found = loop {
        let line = stream.line().await.expect("a summary is the last line");
        if line["summary"].is_object() {
            break line["summary"].clone();
        }
    };
    assert_eq!(found["stopped_by"], "time_ms_max", "{found}");
    assert_eq!((&found["same"], &found["unavailable"]), (&json!(1), &json!(0)), "{found}");
    assert_eq!(found["first"]["newly_failing"]["new"]["code"], "cpu_limit", "{found}");
    some_problem(&tenant.post(TOLD, &asked(1)).await, 404);
}
