//! kill -9 at a hundred moments, while events pour in, receivers fail and integrations are edited, made and deleted. Whatever was answered
//! with 202 is delivered in the end, exhausted, or cancelled by a deletion of this test; and no id ever carries two bodies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::parts::client::Client;
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::{PATIENCE, Receiver, Reply};

const KILLS: usize = 100;
const POSTERS: u64 = 6;
/// After the last kill everything is to settle within so long: schedules here are of tenths of a second.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);

/// Numbers that look random; the moments of the kills are so by themselves.
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

struct Scene {
    ledger: Mutex<Ledger>,
    dice: AtomicU64,
    address: tokio::sync::watch::Sender<Option<Client>>,
    over: AtomicBool,
    receivers: Vec<String>,
}

impl Scene {
    /// The host as it is now, once it is there.
    async fn client(&self) -> Client {
        let mut address = self.address.subscribe();
        let there = address.wait_for(Option::is_some).await.expect("the scene outlives its actors");
        there.clone().expect("it was just seen")
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
    let mut receivers = Vec::new();
    for _ in 0..3 {
        let (dice, calm) = (dice.clone(), calm.clone());
        let receiver = Receiver::answering(move |_| match roll(&dice) % 100 {
            _ if calm.load(Ordering::Relaxed) => Reply::Status(204),
            0..25 => Reply::Status(500),
            25..27 => Reply::Hang,
            _ => Reply::Status(200),
        });
        receivers.push(receiver.await);
    }
    let scene = Arc::new(Scene {
        ledger: Mutex::default(),
        dice: AtomicU64::new(7),
        address: tokio::sync::watch::channel(None).0,
        over: AtomicBool::new(false),
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
        // The moment of a kill is what this test is about: it waits for a while, not for something.
        tokio::time::sleep(Duration::from_millis(20 + roll(&scene.dice) % 180)).await;
        scene.address.send_replace(None);
        host.kill();
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
    let (mut delivered, mut exhausted, mut cancelled) = (BTreeSet::new(), 0, 0);
    for (event, document) in &ledger.accepted {
        let view = settled(&client, event, until).await;
        assert_eq!(view["document"], **document);
        let runs = view["runs"].as_array().expect("runs are a list");
        assert!(runs.len() >= 2, "two integrations at least are there at any time: {view}");
        for run in runs {
            let was_deleted = ledger.deleted.contains(text(run, "/integration"));
            if text(run, "/state") == "cancelled" {
                assert!(was_deleted, "{run} was cancelled by nobody");
                cancelled += 1;
                continue;
            }
            assert_eq!(run["state"], "done", "{run}");
            for delivery in run["deliveries"].as_array().expect("deliveries are a list") {
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
    println!(
        "{} events, {} ids received, {} delivered, {exhausted} exhausted, {cancelled} cancelled, {} deletions",
        ledger.accepted.len(),
        count,
        delivered.len(),
        ledger.deleted.len()
    );
    assert!(!delivered.is_empty());
}

/// The event once nothing of it is open.
async fn settled(client: &Client, event: &str, until: Instant) -> Value {
    loop {
        let view = client.get(&format!("/events/{event}")).await.expect(200);
        if view["state"] != "pending" {
            return view;
        }
        assert!(Instant::now() < until, "it does not settle: {view}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn post(scene: Arc<Scene>, number: u64) {
    let mut count = 0_u64;
    while !scene.over.load(Ordering::Relaxed) {
        let client = scene.client().await;
        count += 1;
        let document = format!("{number}-{count}");
        let body = json!({"event": "document_text", "data": {"id": document, "text": "x".repeat((count % 700) as usize)}});
        let answer = client
            .try_call("POST", "/events", &[("content-type", "application/json")], body.to_string())
            .await;
        let Some(answer) = answer else { continue };
        assert_eq!(answer.status, 202, "{:?}", answer.body);
        let id = text(&answer.json(), "/id").to_owned();
        scene.ledger.lock().expect("no actor panics with it").accepted.insert(id, document);
    }
}

async fn edit(scene: Arc<Scene>) {
    while !scene.over.load(Ordering::Relaxed) {
        let client = scene.client().await;
        let json_type = [("content-type", "application/json")];
        let roll_of_action = roll(&scene.dice) % 10;
        let one = {
            let ledger = scene.ledger.lock().expect("no actor panics with it");
            ledger.made[roll(&scene.dice) as usize % ledger.made.len()].clone()
        };
        match roll_of_action {
            0 => {
                let answer = client
                    .try_call("POST", "/integrations", &json_type, scene.draft().to_string())
                    .await;
                if let Some(answer) = answer {
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
                    client.try_call("DELETE", &format!("/integrations/{one}"), &[], "").await;
                }
            }
            2 => {
                client
                    .try_call("PATCH", &format!("/integrations/{one}"), &json_type, r#"{"paused": true}"#)
                    .await;
                let client = scene.client().await;
                // Whatever happens, nothing stays paused for good: the end of the test unpauses all.
                client
                    .try_call("PATCH", &format!("/integrations/{one}"), &json_type, r#"{"paused": false}"#)
                    .await;
            }
            _ => {
                client
                    .try_call("PATCH", &format!("/integrations/{one}"), &json_type, scene.draft().to_string())
                    .await;
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
