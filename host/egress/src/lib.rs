//! The client side of HTTP: what leaves the house.
//!
//! A caller makes an [`Endpoint`] of a target once, and for each attempt hands an [`Outgoing`] to [`Client::send`]; the
//! [`Answer`] says what came back. Connections come from a pool or from the connector, which resolves the name, judges every address
//! it answers with, dials the judged address and no other, and speaks TLS. [`Secret`] signs by the Standard Webhooks
//! specification.
//!
//! What holds, whatever a receiver or its name server does:
//!
//! - No request leaves on a connection whose address the caller's policy does not allow *now*, or to a listener of the house itself.
//! - Redirects are not followed, bodies are not decompressed, proxies from the environment are not asked.
//! - A 2xx status line is a success once its head is complete and valid HTTP; what the body then does is cut and told, and undoes
//!   nothing.
//! - Time, bytes read, connections, look-ups and tasks are bounded, and dropping the future of an attempt ends it.
//! - A request is sent again by itself only when it is known that no receiver has processed it.
//!
//! Nothing here knows of deliveries, attempts, schedules or the store; nothing asks for the wall clock or throws dice.

mod answer;
mod attempt;
mod client;
mod connector;
mod endpoint;
mod failure;
mod h1;
mod h2_link;
mod link;
mod listeners;
mod pool;
mod resolver;
mod retry_after;
mod signing;
mod stream;
mod tasks;
mod tls;
mod transport;

pub use answer::{Answer, BodyEnd, Response};
pub use client::{Client, ClientConfig, Outgoing};
pub use endpoint::Endpoint;
pub use failure::{Failure, FailureCode};
pub use signing::{Secret, SecretError, sign};
pub use stream::Stream;
