//! The river: an event is taken in, transformed and delivered. It joins the rooms that do not see each other.
//!
//! ```text
//! post_events ─ match ─ places ─▶ store: one commit ─▶ 202
//!                                      │ sink
//!                                   lanes: one for each integration
//!                                      │ take_run          (threads that call plugins)
//!                                   plugin ─▶ plan ─▶ lanes: waiting for targets
//!                                      │ take_sending      (standing workers)
//!                                   egress ─▶ record_outcomes, with the next commit
//! ```
//!
//! Everything after the 202 is a function of the event's row, and is found again from it after a crash. The lanes are windows on the
//! store, counted in bytes: what has no place in memory waits in the queue on disk, and what failed waits in the store until it is due.
//! Organizations take turns at plugins and at targets, and then their integrations.
//!
//! What decides an outcome (a revision) is read as it stood; what cures a fault (URL, headers, secrets, holds, schedule) is read at each
//! attempt. No transaction is held here, no SQL is known, and nothing here knows HTTP's server side.

mod activation;
mod backtest;
mod caches;
mod calls;
mod changes;
mod chores;
mod cold;
mod compiled;
mod deletion;
mod deliver;
mod dispatch;
mod echo;
mod guard;
mod ingest;
mod lanes;
mod loader;
mod past;
mod river;
mod slices;
mod trials;
mod uploads;

pub use activation::{Activation, Unfit, UnfitConfig};
pub use backtest::{Backtest, First, Line, Range, Side, Summary, Tally, Verdict};
pub use calls::Came;
pub use changes::{ChangeError, NewApiKey};
pub use hookmill_plugin_room::Report;
pub use ingest::PostError;
pub use past::Verified;
pub use river::{Parts, River};
pub use trials::{Trial, TrialTurn, Tried};
pub use uploads::Upload;
