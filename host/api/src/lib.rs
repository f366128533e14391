//! Reception: the HTTP API. Requests come in over HTTP/1.1, are authenticated by their key, read into the values of the domain, and handed
//! to the river or answered from the store.
//!
//! ```text
//! connection ─▶ front ─┬─▶ events::post ─▶ river.post_events ─▶ 202      no layer in between
//!                      └─▶ router ─▶ integrations, runs, deliveries, …   everything else, by axum
//! ```
//!
//! What holds here:
//! - Nothing is changed but through the river; the store is only read.
//! - Errors become HTTP answers in one place (`failures`), as problem documents (RFC 9457) that name the field. What a client reads never
//!   tells of the database or the machine; that goes into the log.
//! - Another tenant's thing is 404, never 403; a header's value is never shown.
//! - Connections, heads, bodies, the memory that bodies take, waits and the drain at the end have their maximum each, by the host's limits.
//!
//! Nothing below this crate knows HTTP status codes.

mod answers;
mod attempts;
mod auth;
mod backtests;
mod bodies;
mod body;
mod call;
mod changes;
mod connection;
mod deliveries;
mod events;
mod export;
mod failures;
mod fields;
mod front;
mod health;
mod held;
mod integrations;
mod json;
mod keys;
mod listing;
mod media;
mod organizations;
mod pages;
mod parameters;
mod patient;
mod plugins;
mod problem;
mod reception;
mod router;
mod runs;
mod tenant;
mod trials;
mod verify;

/// What the fuzz target of integrations calls.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    /// Posts and changes integrations.
    pub fn run(input: &[u8]) {
        crate::integrations::fuzzing::run(input);
    }
}

use std::sync::Arc;
use std::time::Duration;

use hookmill_flow::River;
use tokio::net::TcpListener;

use crate::connection::ConnectionRules;
use crate::front::Front;
use crate::reception::Reception;
pub use crate::trials::TriedShown;

/// What the front door decides for reception; all else are the river's limits.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// How long requests under way may take to end after the shutdown has begun, before their connections are cut.
    pub drain_ms: u64,
}

impl Default for ApiSettings {
    fn default() -> ApiSettings {
        ApiSettings { drain_ms: 10_000 }
    }
}

/// Serves the API until `shutdown` ends, and then until the requests under way are answered, for at most
/// [`ApiSettings::drain_ms`].
///
/// # Errors
/// None so far that ends it: a connection's faults are that connection's, and a failing `accept` is tried again.
pub async fn serve(listener: TcpListener, river: River, settings: ApiSettings, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let drain = Duration::from_millis(settings.drain_ms);
    let rules = ConnectionRules::new(&river.limits().intake, drain);
    let reception = Reception::new(river);
    let front = Arc::new(Front::new(reception.clone()));
    let left = connection::serve(listener, rules, move |request| front.clone().answer(request), shutdown).await;
    reception.changes.drain(left).await;
    Ok(())
}
