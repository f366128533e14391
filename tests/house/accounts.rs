//! Who may do what: roles, limited and expiring keys, and organizations that do not see one another.

mod first_start;
mod inboxes;
mod keys;
mod roles;
mod tenants;

use serde_json::{Value, json};

use crate::parts::client::Client;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

/// A key of that role, and a client that holds it.
async fn key(host: &Host, organization: &str, role: &str, more: Value) -> (String, Client) {
    let mut body = json!({"role": role, "organization": organization});
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    let made = host.operator.post("/keys", &body).await.expect(201);
    (text(&made, "/id").to_owned(), host.operator.with_key(text(&made, "/key")))
}

/// An organization with an event whose delivery is exhausted, and one whose run waits.
struct Tenant {
    admin: Client,
    integration: String,
    event: String,
    run: String,
    delivery: String,
}

async fn tenant(host: &Host, name: &str, receiver: &Receiver) -> Tenant {
    let admin = host.organization(name).await;
    let integration = admin.integration(&receiver.url("/"), json!({"retry": {"delays_ms": []}})).await;
    let event = admin.event(r#"{"event":"document_text","inbox":"i1","data":{"id":"d"}}"#).await;
    let view = admin.settled(&event).await;
    let (run, delivery) = (
        text(&view, "/runs/0/id").to_owned(),
        text(&view, "/runs/0/deliveries/0/id").to_owned(),
    );
    Tenant {
        admin,
        integration,
        event,
        run,
        delivery,
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

fn routes_of_integration(id: &str) -> Vec<(&'static str, String)> {
    let path = |rest: &str| format!("/integrations/{id}{rest}");
    vec![
        ("GET", path("")),
        ("GET", path("/")),
        ("PATCH", path("")),
        ("GET", path("/secret")),
        ("POST", path("/resume")),
        ("DELETE", path("")),
    ]
}
