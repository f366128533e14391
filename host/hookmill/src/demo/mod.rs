//! The demonstration behind `hookmill demo`: a customer of the host in the same process, who reaches it over real HTTP alone.
//!
//! ```text
//! plan ─▶ play: organization, key, integrations, events ──▶ API
//!            ◀── arrivals ── receiver ◀── signed webhooks ──┘
//!            └─▶ verdict ─▶ programme ─▶ screen
//! ```
//!
//! It never looks into the house: what it tells, it has posted, received, verified, or read from the API. What was received is escaped when it
//! is printed, and all waits, bodies and queues have a maximum.

mod client;
mod plan;
mod play;
mod programme;
mod receiver;
mod verdict;

pub(crate) use play::{Played, play};
pub(crate) use programme::{arrived, closing, ending, opening, sections};
pub(crate) use receiver::Receiver;
