//! `hookmill serve` as its operator knows it: how it starts and refuses to, how it ends, and what it keeps.

mod answers;
mod clients;
mod configuration;
mod ending;
mod keyring;
mod lists;
mod output;
mod promises;
mod retries;
mod starting;

use crate::parts::client::Client;
use crate::parts::host::Host;

/// An event as a client posts it.
const EVENT: &str = r#"{"event":"document_text","data":{"id":"d"}}"#;

/// The client of a host that was started again.
fn moved(client: &Client, host: &Host) -> Client {
    Client {
        address: host.operator.address,
        ..client.clone()
    }
}
