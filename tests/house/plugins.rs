//! The plugin platform as its users meet it: uploads and their refusals, integrations that name plugins, what a plugin asks for and what a
//! receiver then gets.

mod answers;
mod backtests;
mod builtin;
mod cold;
mod compiled;
mod deletions;
mod integrations;
mod overtaken;
mod owners;
mod room;
mod strangers;
mod trials;
mod trials_at_once;
mod uploads;
mod versions;

use serde_json::{Value, json};

use crate::parts::calls::fields;
use crate::parts::client::{Answer, Client};
use crate::parts::components::wat;
use crate::parts::host::text;
use crate::parts::receiver::Received;

/// What the guest `label` says in an event's name.
fn label(received: &Received) -> String {
    let body: Value = serde_json::from_slice(&received.body).expect("JSON");
    text(&body, "/label").to_owned()
}

/// The plugin `label` with two versions, the first of them active: they say their number.
async fn two_versions(client: &Client) {
    client.plugin("label", wat("label", "1")).await;
    client.upload("name=label&activate=false", wat("label", "2")).await.expect(201);
}

async fn make(client: &Client, more: Value) -> Answer {
    let mut body = json!({"type": "webhook", "events": ["document_predict"], "target": "https://example.org/"});
    body.as_object_mut()
        .expect("it is one")
        .extend(more.as_object().expect("fields are an object").clone());
    client.post("/integrations", &body).await
}

/// The one field that an answer of 422 names, and what it says.
fn named(answer: &Answer) -> (String, String) {
    let problem = answer.expect(422);
    let [field] = fields(answer).try_into().unwrap_or_else(|_| panic!("not one field: {problem}"));
    (field, text(&problem, "/detail").to_owned())
}
