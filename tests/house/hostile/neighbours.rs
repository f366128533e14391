//! Attacks that last: an organization next door is served meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Scene;
use crate::parts::calls::fields;
use crate::parts::components::{guest_text, wat};
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::Receiver;

/// The attack lasts as long as forty loops; the bystander's event is posted after it and overtakes it.
#[tokio::test(flavor = "multi_thread")]
async fn loops_hold_up_nobody_else() {
    let scene = Scene::new().await;
    scene.attacker.plugin("loop", wat("loop", "")).await;
    for _ in 0..10 {
        scene.attack("loop", &Value::Null).await;
    }
    let mut attacks = Vec::new();
    for number in 0..4 {
        attacks.push(scene.attacker.text_event(&number.to_string()).await);
    }
    let overtaking = scene.bystander.text_event("5e7b").await;
    scene.bystander.settled(&overtaking).await;
    assert_eq!(scene.receiver.received().len(), 1);
    let open = scene
        .attacker
        .get(&format!("/runs?state=pending&event={}", attacks[3]))
        .await
        .expect(200);
    assert!(
        !open["items"].as_array().expect("a list").is_empty(),
        "the loops were over before: nothing was overtaken"
    );
    for attack in attacks {
        let is_over = |event: &Value| event["runs"].as_array().expect("a list").iter().all(|run| run["state"] == "parked");
        scene.attacker.event_when(&attack, is_over).await;
    }
}

/// A component that takes the compiler many seconds; each is another one.
fn compile_bomb(number: usize) -> Vec<u8> {
    let mut core = format!("(func $bomb{number} (param i32) (result i32) (local i32)");
    for _ in 0..60_000 {
        core.push_str("(block (br_if 0 (local.get 0)) (local.set 1 (i32.add (local.get 1) (local.get 0))))");
    }
    core.push_str("(local.get 1))\n  (func (export \"transform\")");
    let text = guest_text("trap").replacen("(func (export \"transform\")", &core, 1);
    wat::parse_str(text).expect("well-formed text")
}

/// The child compiles for as long as it may; events are accepted, transformed and delivered all the while.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_flow_on_while_a_compile_bomb_is_compiled() {
    let host = Host::start_with(Options::default().with("LIMITS__PLUGIN__COMPILE_CPU_SECONDS", "3"));
    let (attacker, bystander) = (host.organization("attacker").await, host.organization("bystander").await);
    let receiver = Receiver::start().await;
    bystander.integration(&receiver.url("/"), json!({})).await;
    let bomb = compile_bomb(0);
    let bomb_bytes = bomb.len();
    let began = Instant::now();
    let attack = tokio::spawn(async move { attacker.upload("name=bomb", bomb).await });
    let (mut delivered, mut slowest) = (0, Duration::ZERO);
    while !attack.is_finished() {
        let posted = Instant::now();
        bystander.text_event("5e7b").await;
        delivered += 1;
        receiver.wait_for(delivered).await;
        slowest = slowest.max(posted.elapsed());
    }
    let problem = attack.await.expect("no attack panics").expect(422);
    println!(
        "a function of {bomb_bytes} bytes: {} after {} ms; meanwhile {delivered} events were delivered, the slowest {} ms after its post",
        text(&problem, "/code"),
        began.elapsed().as_millis(),
        slowest.as_millis()
    );
    assert_eq!(text(&problem, "/code"), "compile_limit", "{problem}");
    assert!(delivered > 10, "{delivered} events were delivered in the meantime");
}

/// One organization's components keep all compilers busy until it is told to come again; another one's upload is taken all the same.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_take_long_hold_up_nobody_elses() {
    let host = Host::start_with(Options::default().with("LIMITS__PLUGIN__COMPILE_CPU_SECONDS", "2"));
    let (attacker, bystander) = (host.organization("attacker").await, host.organization("bystander").await);
    // Made before: they are uploaded at once.
    let bombs = std::array::from_fn::<_, 8, _>(compile_bomb);
    let mut attacks = tokio::task::JoinSet::new();
    for (number, bomb) in bombs.into_iter().enumerate() {
        let attacker = attacker.clone();
        attacks.spawn(async move { attacker.upload(&format!("name=bomb{number}"), bomb).await });
    }
    // Until one of them is told to come again, since as many as may be are under way.
    let mut is_told = false;
    while !is_told && let Some(ended) = attacks.join_next().await {
        let answer = ended.expect("no attack panics");
        is_told = answer.status == 503;
        assert!(is_told || text(&answer.json(), "/code") == "compile_limit", "{answer:?}");
    }
    assert!(is_told, "so many uploads of one organization were compiled at once");
    assert_eq!(bystander.upload("name=mine", wat("label", "mine")).await.expect(201)["version"], 1);
    while let Some(ended) = attacks.join_next().await {
        let problem = ended.expect("no attack panics").json();
        assert!(problem["status"] == 503 || problem["code"] == "compile_limit", "{problem}");
    }
}

/// A schema that is short, and takes for ever to find out that a number is no text.
fn slow_schema() -> Value {
    let level = |number: usize| {
        let below = json!({"$ref": format!("#/$defs/{}", number - 1)});
        (number.to_string(), json!({"anyOf": [below, below]}))
    };
    let mut levels: serde_json::Map<String, Value> = (1..40).map(level).collect();
    levels.insert("0".to_owned(), json!({"type": "string"}));
    json!({"$ref": "#/$defs/39", "$defs": levels})
}

/// The same with configurations: one organization's take as long as they may to be judged, and another one's is judged all the same.
#[tokio::test(flavor = "multi_thread")]
async fn configurations_that_take_long_hold_up_nobody_elses() {
    let host = Host::start();
    let (attacker, bystander) = (host.organization("attacker").await, host.organization("bystander").await);
    attacker.plugin("slow", wat("schema", &slow_schema().to_string())).await;
    let body = |plugin: &str, config: Value| json!({"type": "webhook", "events": ["document_text"], "target": "https://example.org/", "plugin": plugin, "plugin_config": config});
    let slow = attacker.post("/integrations", &body("slow", json!(5))).await;
    assert_eq!(fields(&slow), ["/plugin_config"], "{slow:?}");
    let mut attacks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (attacker, body) = (attacker.clone(), body("slow", json!(5)));
        attacks.spawn(async move { attacker.post("/integrations", &body).await });
    }
    let mut is_told = false;
    while !is_told && let Some(ended) = attacks.join_next().await {
        let answer = ended.expect("no attack panics");
        is_told = answer.status == 503;
        assert!(is_told || answer.status == 422, "{answer:?}");
    }
    assert!(is_told, "so many configurations of one organization were judged at once");
    bystander
        .post("/integrations", &body("flatten", json!({"review_below": 60})))
        .await
        .expect(201);
}
