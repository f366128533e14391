//! The trait that a plugin implements, what it is given and what it answers.

use std::error;

use crate::{Event, Json, Request};

/// A plugin: a pure function of an event and an integration.
///
/// Each call gets a fresh instance, without network, files or environment, with a clock that stands at the event's
/// acceptance: the same event under the same configuration gives the same outcome, byte for byte, for ever.
///
/// `C` is the type of `plugin_config`. A plugin without a configuration of its own leaves it out and finds the
/// integration's as it stands; one that names a type is exported with it: see [`export!`](crate::export!).
pub trait Plugin<C = Json> {
    /// Turns an event into the requests that shall be sent.
    ///
    /// # Errors
    /// An error says that this event can not be handled, and why (the host keeps 1 KiB of it): the run is parked, and
    /// can be resumed once plugin or configuration are corrected.
    fn transform(event: Event, integration: Integration<C>) -> Result<Outcome>;
}

/// What goes wrong in a plugin: any error, or a string by `.into()` and `?`.
pub type Error = Box<dyn error::Error>;

/// A result that can fail by any [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The integration that a call is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration<C = Json> {
    /// `int_…`
    pub id: String,
    /// The names of the integration's further targets, in their order; the default target has no name.
    pub targets: Vec<String>,
    /// The integration's `plugin_config`.
    pub config: C,
}

impl<C> Integration<C> {
    /// An integration for a plugin's own tests, with this configuration and no further targets.
    pub fn example(config: C) -> Self {
        Self {
            id: "int_01jgfjjz00e9xvv6fm3hpm5yd0".to_owned(),
            targets: Vec::new(),
            config,
        }
    }
}

/// What a plugin answers; an event that can not be handled is an `Err` instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Send these requests, each on its own: one fails without the others. None at all is a skip.
    Deliver(Vec<Request>),
    /// Nothing is owed, and that is right: why. The host keeps 1 KiB of it.
    Skip(String),
}

impl Outcome {
    /// Nothing is owed, and that is right: why.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::Skip(reason.into())
    }
}

impl From<Request> for Outcome {
    fn from(request: Request) -> Self {
        Self::Deliver(vec![request])
    }
}

impl From<Vec<Request>> for Outcome {
    fn from(requests: Vec<Request>) -> Self {
        Self::Deliver(requests)
    }
}
