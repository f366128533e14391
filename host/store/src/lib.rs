//! The cellar: everything durable, in one SQLite file. It alone names rusqlite, and SQL stands nowhere else.
//!
//! The store is one handle with a verb for each thing that the house does: [`Store::accept_events`], [`Store::record_outcomes`],
//! [`Store::create_integration`], … A verb is atomic. All writing is done by one thread, whose every commit (WAL, `synchronous=FULL`, one
//! fsync) carries whatever was asked for while the one before it was under way; a verb that fails leaves its neighbours whole. Readers work
//! beside it on connections of their own.
//!
//! ```text
//! accept_events ─┐                              ┌─▶ receipts: 202
//! verbs          ├─▶ tray ─▶ writer: one commit ┤
//! outcomes       ┘     (ride along, ≤ 5 ms)     └─▶ sink: what is on disk now, handed to the river at once
//! ```
//!
//! What never happens here: no plugin runs and nothing is sent inside a transaction; no id is minted by the database; no row of an event is
//! changed by its outcome; a failed fsync is never retried. Header values and signing secrets are sealed at this crate's edge ([`seal`]),
//! and leave it opened only for the river and for whoever may read the signing secret.

mod accounts;
mod beside;
mod cancellation;
mod catalogue;
mod codes;
mod components;
mod connections;
mod desk;
mod error;
mod events;
mod history;
mod integrations;
mod lanes;
mod listing;
mod needs;
mod orders;
mod outcomes;
mod past;
mod plugins;
mod records;
mod recovery;
mod schema;
pub mod seal;
mod store;
mod uses;
mod views;
mod wire;
mod writer;

pub use accounts::{KeyPut, Organization};
pub use beside::{Beside, ComponentInUse};
pub use catalogue::PluginView;
pub use error::{LiveError, OpenError, StoreError};
pub use history::{HistoryPage, PageMax};
pub use integrations::{Changed, HELD_FIRST, HeldPlace, Judged, NewIntegration};
pub use lanes::{LaneHead, WindowMax};
pub use needs::{Deleted, Deletion, Needed, NeededRun, OpenWork, User, Withdrawal};
pub use orders::{ResumeProgress, Resumed, Retried};
pub use plugins::{Activate, Activated, NewVersion, PluginFound, PluginVersion, PluginsMax, TooMuch, Uploaded};
pub use records::{
    AcceptError, Accepted, Attempt, Committed, DeliveryRef, Due, Event, NewEvent, Next, Owed, Queued, Receipt, Record, Recorded, RunEnd,
    RunFacts, RunRef, run_source,
};
pub use store::{Store, StoreSettings};
pub use uses::{Follower, NamedIntegration, Stand};
pub use views::{DeliveryView, EventOwner, EventView, Filter, ListMax, Listed, Position, RunView};
pub use writer::Sink;
