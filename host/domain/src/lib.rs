//! Pure facts of the house: what an event, an integration, a run and a delivery are, and the rules between them.
//!
//! Everything here is a value or a function of values. This crate does no I/O, asks no clock and throws no dice: `now` and random
//! bytes are parameters, or come through the [`clock::Clock`] that the front door hands in. It sees no other room of the house,
//! and every other room sees it.

pub mod address;
pub mod api_key;
pub mod clock;
pub mod config;
pub mod difference;
pub mod digest;
pub mod event;
pub mod ids;
pub mod integration;
pub mod key;
pub mod limits;
pub mod matching;
pub mod names;
pub mod outcome;
pub mod pointer;
pub mod request;
pub mod revision;
pub mod run_file;
pub mod schedule;
pub mod seed;
pub mod state;
pub mod target;
pub mod time;
