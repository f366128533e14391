//! Write Hookmill plugins in Rust.
//!
//! A plugin turns an event into the HTTP requests that an integration owes. It is a crate of type `cdylib` that
//! implements [`Plugin`] and exports it once:
//!
//! ```
//! use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result, json};
//!
//! struct First;
//!
//! impl Plugin for First {
//!     fn transform(event: Event, _: Integration) -> Result<Outcome> {
//!         let document = event.document()?;
//!         let total = document.value("gross_amount").ok_or("the document has no gross amount")?;
//!         Ok(Request::json(&json!({ "document": document.id, "total": total }))?.into())
//!     }
//! }
//!
//! hookmill_plugin::export!(First);
//! ```
//!
//! `hookmill plugin build` makes a component of it. What a plugin answers is sent, signed and retried by the host;
//! an `Err` parks the run with its reason, and a panic parks it as a fault.
//!
//! # Configuration
//! A plugin that names a type for `plugin_config` gets it read, and its schema is exported: the host refuses
//! integrations that do not fit.
//!
//! ```
//! use hookmill_plugin::{Event, Integration, JsonSchema, Outcome, Plugin, Request, Result};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[schemars(crate = "hookmill_plugin::schemars")]
//! struct Settings {
//!     /// Events of this inbox are left out.
//!     quiet_inbox: Option<String>,
//! }
//!
//! struct Selective;
//!
//! impl Plugin<Settings> for Selective {
//!     fn transform(event: Event, integration: Integration<Settings>) -> Result<Outcome> {
//!         if event.inbox.is_some() && event.inbox == integration.config.quiet_inbox {
//!             return Ok(Outcome::skip("the inbox is quiet"));
//!         }
//!         Ok(Request::raw_json(event.data).into())
//!     }
//! }
//!
//! hookmill_plugin::export!(Selective, config = Settings);
//! # let fits = Selective::transform(Event::example("document_text", r#"{"id": "1"}"#), Integration::example(Settings { quiet_inbox: None }));
//! # assert_eq!(fits.unwrap(), Request::raw_json(r#"{"id": "1"}"#).into());
//! ```
//!
//! # Tests
//! The crate builds for every target: `cargo test` in a plugin's crate calls `transform` as the plain function that it
//! is, with [`Event::example`] and [`Integration::example`].
//!
//! # What holds
//! - A plugin needs this crate and serde, nothing else.
//! - Nothing here reads a clock, draws a random number or touches a network: none of them is there.
//! - Events are read only as far as a plugin asks: [`Event::data`] is the text that was posted.
//! - Unknown fields of documents are ignored, and new kinds of events are no error.

#[doc(hidden)]
#[path = "bindings.rs"]
pub mod __bindings;
#[doc(hidden)]
#[path = "glue.rs"]
pub mod __glue;
#[cfg(any(test, all(target_family = "wasm", feature = "arena")))]
mod arena;
mod config;
pub mod documents;
mod event;
mod json;
pub mod log;
mod plugin;
mod request;
mod whole;

pub use config::schema;
pub use event::{Content, Event};
pub use json::Json;
pub use plugin::{Error, Integration, Outcome, Plugin, Result};
pub use request::{Body, Method, Request};
pub use schemars::{self, JsonSchema};
pub use serde_json::{Value, json};
