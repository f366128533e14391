//! What is wrong with a request is refused, and named: a 4xx with a problem document that points to the field. Nothing that a client sends
//! is answered by a 5xx, and nothing ends the host.

mod events;
mod garbage;
mod integrations;
mod limits;
mod networks;
mod questions;

use crate::parts::client::Client;
use crate::parts::looks::problem;

/// Calls, and checks that each is refused with that status, naming that place.
async fn refused(client: &Client, method: &str, path: &str, table: &[(&str, u16, &str)]) {
    for (body, status, place) in table {
        println!("{method} {path} {}", body.chars().take(200).collect::<String>());
        problem(&client.call(method, path, (*body).to_owned()).await, *status, place);
    }
}
