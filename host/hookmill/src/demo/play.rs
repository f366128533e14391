//! What is done: an organization, a key and the integrations are made, the events posted, and what arrives is waited for, all over HTTP.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::client::Client;
use super::plan::{self, Door, ORGANIZATION, REVIEW, REVIEW_BELOW, ROUTES, Route, SAMPLES, Sample, Shape};
use super::receiver::{Arrival, Receiver};

/// How long all deliveries together may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The pause before the API is asked again for what the receiver knows already: the host's own record follows the answer within a commit.
const RECORD_PAUSE: Duration = Duration::from_millis(10);
/// The most arrivals that are kept.
const ARRIVALS_MAX: usize = 256;

/// All that happened.
pub(crate) struct Played {
    /// The text of the organization's key.
    pub(crate) key: String,
    /// The first event's id.
    pub(crate) event: String,
    /// From the first event posted to the last delivery taken.
    pub(crate) elapsed: Duration,
    /// What each integration was owed, in the plan's order.
    pub(crate) acts: Vec<(&'static Route, Vec<Parcel>)>,
}

/// One event, as it concerned one integration.
pub(crate) struct Parcel {
    /// What was posted.
    pub(crate) sample: &'static Sample,
    /// Where it was to arrive.
    pub(crate) door: &'static Door,
    /// The run, as the API tells it.
    pub(crate) run: Option<Run>,
    /// The delivery's attempts, as the API tells them, if there were several.
    pub(crate) attempts: Vec<Attempt>,
    /// What came of it, in order.
    pub(crate) arrivals: Vec<Arrival>,
}

/// A run in the API's answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    integration: String,
    pub(crate) plugin: Plugin,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) duration_us: Option<u64>,
    #[serde(default)]
    pub(crate) log: Vec<String>,
    pub(crate) deliveries: Vec<Delivery>,
}

/// A run's plugin.
#[derive(Debug, Deserialize)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) version: u32,
}

/// A delivery in the API's answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) attempts: u32,
    pub(crate) status: Option<u16>,
}

/// An attempt in the API's answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) ended_at: String,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) response: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
struct MadeKey {
    key: String,
}

#[derive(Deserialize)]
struct Secret {
    secret: String,
}

#[derive(Deserialize)]
struct Event {
    state: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

/// Plays all of it against the host at `address`. Deliveries that fail are no error here: they are told.
pub(crate) async fn play(address: SocketAddr, operator_key: String, receiver: &mut Receiver) -> anyhow::Result<Played> {
    let operator = Client::new(address, operator_key);
    let _: IgnoredAny = operator.post("/organizations", json!({ "name": ORGANIZATION }).to_string()).await?;
    let key = json!({ "role": "admin", "organization": ORGANIZATION, "description": "hookmill demo" });
    let MadeKey { key } = operator.post("/keys", key.to_string()).await?;

    let client = Client::new(address, key.clone());
    let mut integrations = Vec::with_capacity(ROUTES.len());
    for route in &ROUTES {
        let Made { id } = client
            .post("/integrations", integration(route, receiver.address).to_string())
            .await?;
        let Secret { secret } = client.get(&format!("/integrations/{id}/secret")).await?;
        for (_, door) in route.doors() {
            receiver.open_door(door, &secret)?;
        }
        integrations.push(id);
    }

    let started = Instant::now();
    let mut posted = Vec::with_capacity(SAMPLES.len());
    for sample in &SAMPLES {
        let Made { id } = client.post("/events", sample.text).await?;
        posted.push(id);
    }
    let deadline = started + PATIENCE;
    let arrivals = collect(receiver, deadline).await;
    let last_taken = arrivals.iter().filter(|arrival| arrival.is_taken()).map(|arrival| arrival.at).max();

    let mut events = Vec::with_capacity(posted.len());
    for id in &posted {
        events.push(settled(&client, id, deadline).await?);
    }
    let mut acts = Vec::with_capacity(ROUTES.len());
    for (route, id) in ROUTES.iter().zip(&integrations) {
        let mut parcels = Vec::new();
        for (sample, event) in SAMPLES.iter().zip(&mut events) {
            if let Some(door) = route.door_of(sample) {
                let position = event.runs.iter().position(|run| run.integration == *id);
                let run = position.map(|position| event.runs.swap_remove(position));
                parcels.push(parcel(&client, sample, door, run, &arrivals).await?);
            }
        }
        acts.push((route, parcels));
    }
    Ok(Played {
        key,
        event: posted.into_iter().next().context("nothing was posted")?,
        elapsed: last_taken.map_or(PATIENCE, |at| at.saturating_duration_since(started)),
        acts,
    })
}

fn integration(route: &Route, receiver: SocketAddr) -> Value {
    let url = |door: &Door| format!("http://{receiver}{}", door.path);
    let headers = |door: &Door| json!({ "Authorization": door.authorization });
    let mut integration = json!({
        "type": "webhook",
        "description": route.title,
        "events": route.kinds,
        "target": url(&route.door),
        "headers": headers(&route.door),
    });
    if let Shape::Flat { review } = &route.shape {
        integration["plugin"] = json!("flatten");
        integration["plugin_config"] = json!({ "review_below": REVIEW_BELOW });
        integration["targets"] = json!({ REVIEW: { "target": url(review), "headers": headers(review) } });
    }
    if !route.delays_ms.is_empty() {
        integration["retry"] = json!({ "delays_ms": route.delays_ms });
    }
    integration
}

/// Takes note of what comes, until all that is owed was taken, or for as long as patience lasts.
async fn collect(receiver: &mut Receiver, deadline: Instant) -> Vec<Arrival> {
    let mut arrivals: Vec<Arrival> = Vec::new();
    let mut taken = HashSet::new();
    while taken.len() < plan::owed() && arrivals.len() < ARRIVALS_MAX {
        match tokio::time::timeout_at(deadline.into(), receiver.next()).await {
            Ok(Some(arrival)) => {
                if arrival.is_taken() {
                    taken.insert(arrival.id.clone());
                }
                arrivals.push(arrival);
            }
            Ok(None) | Err(_) => break,
        }
    }
    arrivals
}

/// The event, once nothing of it is open, or as it stands when patience ends.
async fn settled(client: &Client, id: &str, deadline: Instant) -> anyhow::Result<Event> {
    loop {
        let event: Event = client.get(&format!("/events/{id}")).await?;
        if event.state == "settled" || Instant::now() >= deadline {
            return Ok(event);
        }
        tokio::time::sleep(RECORD_PAUSE).await;
    }
}

async fn parcel(
    client: &Client,
    sample: &'static Sample,
    door: &'static Door,
    run: Option<Run>,
    arrivals: &[Arrival],
) -> anyhow::Result<Parcel> {
    let delivery = run.as_ref().and_then(|run| run.deliveries.first());
    let attempts = match delivery {
        Some(delivery) if delivery.attempts > 1 => {
            let Items { items } = client.get(&format!("/deliveries/{}/attempts", delivery.id)).await?;
            items
        }
        _ => Vec::new(),
    };
    let came = |arrival: &&Arrival| delivery.is_some_and(|delivery| delivery.id == arrival.id);
    let arrivals = arrivals.iter().filter(came).cloned().collect();
    Ok(Parcel {
        sample,
        door,
        run,
        attempts,
        arrivals,
    })
}
