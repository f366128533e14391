//! Plugins that do harm, by malice or by mistake. Each parks its run with its own code, within its limits, and a neighbour's events go their
//! way meanwhile; what was parked is delivered when a good version is there and somebody says so.
//!
//! Tests print the code that each ended with, and the time that it took (`cargo test -- --nocapture`).

mod misdeeds;
mod neighbours;
mod recovery;
mod words;

use serde_json::{Value, json};

use crate::parts::client::Client;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

/// Two organizations on one host: one attacks, the other has a receiver that gets its events.
struct Scene {
    host: Host,
    attacker: Client,
    bystander: Client,
    /// The attacker's receiver, to which nothing comes.
    unreached: Receiver,
    receiver: Receiver,
}

impl Scene {
    async fn new() -> Scene {
        let host = Host::start();
        let (attacker, bystander) = (host.organization("attacker").await, host.organization("bystander").await);
        let (unreached, receiver) = (Receiver::start().await, Receiver::start().await);
        bystander.integration(&receiver.url("/"), json!({})).await;
        Scene {
            host,
            attacker,
            bystander,
            unreached,
            receiver,
        }
    }

    /// An integration of the attacker's for that plugin, with a further target and headers and a query of its own.
    async fn attack(&self, plugin: &str, config: &Value) -> String {
        let more = json!({
            "plugin": plugin, "plugin_config": config, "headers": {"Authorization": "Bearer secret", "X-Token": "secret"},
            "targets": {"review": {"target": self.unreached.url("/review")}},
        });
        self.attacker.integration(&self.unreached.url("/below?token=secret"), more).await
    }

    /// Lets the attacker's integrations run on one event, and posts the bystander's until that is over; gives the attacker's event.
    async fn attacked(&self) -> Value {
        let event = self.attacker.text_event("5e7a").await;
        let path = format!("/events/{event}");
        let mut posted = self.receiver.received().len();
        loop {
            self.bystander.text_event("5e7b").await;
            posted += 1;
            self.receiver.wait_for(posted).await;
            let event = self.attacker.get(&path).await.expect(200);
            let is_over = |run: &Value| !matches!(text(run, "/state"), "pending" | "queued");
            if event["runs"].as_array().expect("a list").iter().all(is_over) {
                assert!(self.unreached.received().is_empty(), "nothing of it is sent: {event}");
                return event;
            }
        }
    }
}

/// Prints how a run ended, and what its call took.
fn tell(misdeed: &str, run: &Value) {
    let misdeed: String = misdeed.chars().take(80).collect();
    let ended = run["code"].as_str().unwrap_or("no fault");
    println!("{ended:16} {:>8} us  {misdeed}", run["duration_us"]);
}
