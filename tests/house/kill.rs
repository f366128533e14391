//! kill -9 at a hundred moments of the work and at some of the starts between them, while events pour in, receivers fail and integrations are
//! edited, made and deleted. Whatever was answered with 202 is delivered in the end, exhausted, or cancelled by a deletion of this test; and
//! no id ever carries two bodies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::parts::client::{Answer, Client};
use crate::parts::disk::{DatabaseLog, Touches};
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::{PATIENCE, Receiver, Reply};

const KILLS: usize = 100;
/// One in so many starts is killed before it listens, too.
const STARTS_KILLED_ONE_IN: u64 = 4;
/// The most of what a start does with the files of its folder before it is killed: each start does more.
const START_TOUCHES_MAX: u64 = 40;
/// Half of the kills come before so much has been seen of a host, while it still takes up what the kill before has cut off; the others
/// before it has accepted so many events.
const SEEN_MAX: u64 = 40;
const ACCEPTED_MAX: u64 = 70;
const POSTERS: u64 = 6;
/// After the last kill everything is to settle within so long: schedules here are of tenths of a second.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);

/// Numbers that look random.
fn roll(state: &AtomicU64) -> u64 {
    let mut mixed = state
        .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What the test knows to be true.
#[derive(Default)]
struct Ledger {
    /// Ids of events that were answered with 202, with their documents.
    accepted: BTreeMap<String, String>,
    /// Integrations that this test has deleted, or may have: the answer got lost in a kill.
    deleted: BTreeSet<String>,
    made: Vec<String>,
}

/// What was seen of the hosts at their work, counted.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// Requests that came to receivers, and answers.
    all: u64,
    /// Events that were answered with 202.
    accepted: u64,
}

struct Scene {
    ledger: Mutex<Ledger>,
    dice: AtomicU64,
    address: watch::Sender<Option<Client>>,
    over: AtomicBool,
    seen: watch::Sender<Seen>,
    receivers: Vec<String>,
}

impl Scene {
    /// The host as it is now, once it is there.
    async fn client(&self) -> Client {
        let mut address = self.address.subscribe();
        let there = address.wait_for(Option::is_some).await.expect("the scene outlives its actors");
        there.clone().expect("it was just seen")
    }

    /// One call to the host as it is now. `None`: it was killed meanwhile.
    async fn call(&self, method: &str, path: &str, body: String) -> Option<Answer> {
        let client = self.client().await;
        let answer = client.try_call(method, path, &[("content-type", "application/json")], body).await?;
        self.seen.send_modify(|seen| {
            seen.all += 1;
            seen.accepted += u64::from(answer.status == 202);
        });
        Some(answer)
    }

    /// A random moment of the host's work from now on, which may be this one.
    async fn moment(&self) {
        let mut seen = self.seen.subscribe();
        let mut wanted = *seen.borrow();
        if roll(&self.dice).is_multiple_of(2) {
            wanted.all += roll(&self.dice) % SEEN_MAX;
        } else {
            wanted.accepted += roll(&self.dice) % ACCEPTED_MAX;
        }
        let come = seen.wait_for(|seen| seen.all >= wanted.all && seen.accepted >= wanted.accepted);
        let come = tokio::time::timeout(PATIENCE, come).await.expect("the host goes on working");
        drop(come.expect("the scene outlives its moments"));
    }

    fn draft(&self) -> Value {
        let url = &self.receivers[roll(&self.dice) as usize % self.receivers.len()];
        json!({
            "type": "webhook", "events": ["document_text", "document_delete"], "target": url,
            "headers": {"x-number": roll(&self.dice).to_string()},
            "retry": {"delays_ms": [20, 40, 80, 160, 320, 640, 900]}, "timeout_ms": 400,
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_and_no_id_has_two_bodies() {
    let dice = Arc::new(AtomicU64::new(20_261_124));
    let calm = Arc::new(AtomicBool::new(false));
    let seen = watch::channel(Seen::default()).0;
    let mut receivers = Vec::new();
    for _ in 0..3 {
        let (dice, calm, seen) = (dice.clone(), calm.clone(), seen.clone());
        let receiver = Receiver::answering(move |_| {
            seen.send_modify(|seen| seen.all += 1);
            match roll(&dice) % 100 {
                _ if calm.load(Ordering::Relaxed) => Reply::Status(204),
                0..25 => Reply::Status(500),
                25..27 => Reply::Hang,
                _ => Reply::Status(200),
            }
        });
        receivers.push(receiver.await);
    }
    let scene = Arc::new(Scene {
        ledger: Mutex::default(),
        dice: AtomicU64::new(7),
        address: watch::channel(None).0,
        over: AtomicBool::new(false),
        seen,
        receivers: receivers.iter().map(|receiver| receiver.url("/hook")).collect(),
    });
    let mut host = Host::start_with(Options::default());
    let tenant = host.organization("contractfit1").await;
    for _ in 0..3 {
        let made = tenant.post("/integrations", &scene.draft()).await.expect(201);
        scene
            .ledger
            .lock()
            .expect("no actor panics with it")
            .made
            .push(text(&made, "/id").to_owned());
    }
    scene.address.send_replace(Some(tenant.clone()));
    let mut actors = tokio::task::JoinSet::new();
    for number in 0..POSTERS {
        actors.spawn(post(scene.clone(), number));
    }
    actors.spawn(edit(scene.clone()));

    for _ in 0..KILLS {
        scene.moment().await;
        scene.address.send_replace(None);
        host.kill();
        if roll(&scene.dice).is_multiple_of(STARTS_KILLED_ONE_IN) {
            let touches = Touches::watch(host.folder());
            host.begin_again();
            let begun = touches.reach(1 + roll(&scene.dice) % START_TOUCHES_MAX);
            tokio::time::timeout(PATIENCE, begun).await.expect("it starts");
            host.kill();
        }
        host.start_again();
        scene.address.send_replace(Some(Client {
            address: host.operator.address,
            ..tenant.clone()
        }));
    }
    scene.over.store(true, Ordering::Relaxed);
    while let Some(actor) = actors.join_next().await {
        actor.expect("no actor panics");
    }
    calm.store(true, Ordering::Relaxed);

    let received: Vec<_> = receivers.iter().flat_map(Receiver::received).collect();
    let mut bodies: HashMap<String, Bytes> = HashMap::new();
    let mut check_bodies = |received: Vec<crate::parts::receiver::Received>| {
        for got in received {
            let body = bodies.entry(got.id().to_owned()).or_insert_with(|| got.body.clone());
            assert_eq!(body, &got.body, "{} has two bodies", got.id());
        }
        bodies.len()
    };
    check_bodies(received);

    let client = scene.client().await;
    let ledger = std::mem::take(&mut *scene.ledger.lock().expect("the actors are gone"));
    assert!(ledger.accepted.len() > 1_000, "only {} events were accepted", ledger.accepted.len());
    let until = Instant::now() + SETTLES_WITHIN;
    let mut log = DatabaseLog::watch(host.folder());
    let (mut delivered, mut exhausted, mut cancelled) = (BTreeSet::new(), 0, 0);
    // By document: ids of its deliveries; none where a run was cancelled, which may have sent before, and whose ids nobody lists.
    let mut owed: HashMap<&str, Option<BTreeSet<String>>> = HashMap::new();
    for (event, document) in &ledger.accepted {
        let view = settled(&client, event, &mut log, until).await;
        assert_eq!(view["document"], **document);
        let runs = view["runs"].as_array().expect("runs are a list");
        assert!(runs.len() >= 2, "two integrations at least are there at any time: {view}");
        for run in runs {
            let was_deleted = ledger.deleted.contains(text(run, "/integration"));
            if text(run, "/state") == "cancelled" {
                assert!(was_deleted, "{run} was cancelled by nobody");
                owed.insert(document, None);
                cancelled += 1;
                continue;
            }
            assert_eq!(run["state"], "done", "{run}");
            for delivery in run["deliveries"].as_array().expect("deliveries are a list") {
                if let Some(ids) = owed.entry(document).or_insert_with(|| Some(BTreeSet::new())) {
                    ids.insert(text(delivery, "/id").to_owned());
                }
                match text(delivery, "/state") {
                    "delivered" => {
                        delivered.insert(text(delivery, "/id").to_owned());
                    }
                    "exhausted" => exhausted += 1,
                    "cancelled" if was_deleted => cancelled += 1,
                    _ => panic!("{event}: {delivery}"),
                }
            }
        }
    }
    let count = check_bodies(receivers.iter().flat_map(Receiver::received).collect());
    for id in &delivered {
        assert!(bodies.contains_key(id), "{id} was never received");
    }
    // What was sent again had the id that it had before: there is none beside those that are owed.
    let mut checked = 0;
    for (id, body) in &bodies {
        let sent: Value = serde_json::from_slice(body).expect("JSON");
        if let Some(Some(ids)) = owed.get(text(&sent, "/data/id")) {
            assert!(ids.contains(id), "{id} is owed by nobody: {sent}");
            checked += 1;
        }
    }
    assert!(checked > 1_000, "only {checked} ids");
    println!(
        "{} events, {} ids received, {} delivered, {exhausted} exhausted, {cancelled} cancelled, {} deletions",
        ledger.accepted.len(),
        count,
        delivered.len(),
        ledger.deleted.len()
    );
    assert!(!delivered.is_empty());
}

/// The event once nothing of it is open: it is read again whenever the host has committed something.
async fn settled(client: &Client, event: &str, log: &mut DatabaseLog, until: Instant) -> Value {
    loop {
        let view = client.get(&format!("/events/{event}")).await.expect(200);
        if view["state"] != "pending" {
            return view;
        }
        let written = tokio::time::timeout_at(until.into(), log.written()).await;
        assert!(written.is_ok(), "it does not settle: {view}");
    }
}

async fn post(scene: Arc<Scene>, number: u64) {
    let mut count = 0_u64;
    while !scene.over.load(Ordering::Relaxed) {
        count += 1;
        let document = format!("{number}-{count}");
        let body = json!({"event": "document_text", "data": {"id": document, "text": "x".repeat((count % 700) as usize)}});
        let Some(answer) = scene.call("POST", "/events", body.to_string()).await else {
            continue;
        };
        assert_eq!(answer.status, 202, "{:?}", answer.body);
        let id = text(&answer.json(), "/id").to_owned();
        scene.ledger.lock().expect("no actor panics with it").accepted.insert(id, document);
    }
}

async fn edit(scene: Arc<Scene>) {
    while !scene.over.load(Ordering::Relaxed) {
        let roll_of_action = roll(&scene.dice) % 10;
        let one = {
            let ledger = scene.ledger.lock().expect("no actor panics with it");
            ledger.made[roll(&scene.dice) as usize % ledger.made.len()].clone()
        };
        let path = format!("/integrations/{one}");
        match roll_of_action {
            0 => {
                if let Some(answer) = scene.call("POST", "/integrations", scene.draft().to_string()).await {
                    let made = text(&answer.expect(201), "/id").to_owned();
                    scene.ledger.lock().expect("no actor panics with it").made.push(made);
                }
            }
            1 => {
                let last = {
                    let mut ledger = scene.ledger.lock().expect("no actor panics with it");
                    let last = ledger.made.len() <= 2;
                    if !last {
                        ledger.made.retain(|made| *made != one);
                        ledger.deleted.insert(one.clone());
                    }
                    last
                };
                if !last {
                    scene.call("DELETE", &path, String::new()).await;
                }
            }
            2 => {
                scene.call("PATCH", &path, r#"{"paused": true}"#.to_owned()).await;
                // Whatever happens, nothing stays paused for good: the end of the test unpauses all.
                scene.call("PATCH", &path, r#"{"paused": false}"#.to_owned()).await;
            }
            _ => {
                scene.call("PATCH", &path, scene.draft().to_string()).await;
            }
        }
    }
    let client = scene.client().await;
    let all: Vec<String> = {
        let ledger = scene.ledger.lock().expect("no actor panics with it");
        ledger.made.iter().chain(&ledger.deleted).cloned().collect()
    };
    for one in all {
        let (path, unpaused) = (format!("/integrations/{one}"), json!({"paused": false}));
        let answer = tokio::time::timeout(PATIENCE, client.patch(&path, &unpaused))
            .await
            .expect("the host answers");
        assert!(answer.status == 200 || answer.status == 404, "{:?}", answer.body);
    }
}
