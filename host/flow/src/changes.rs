//! Changes: of organizations, keys and integrations, and orders to do something again. Each is answered when the river uses it.

mod accounts;
mod integrations;
mod orders;
mod validation;

use hookmill_store::{Needed, StoreError};
use tracing::warn;

use crate::activation::Unfit;
use crate::chores::Chore;
use crate::river::River;

pub use accounts::NewApiKey;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such thing, for the caller.
    #[error("there is no such thing")]
    NotFound,
    /// It was changed by somebody else meanwhile.
    #[error("it was changed meanwhile")]
    Moved,
    /// One more is not allowed.
    #[error("the limit {limit} of {max} is reached")]
    TooMany {
        /// The limit's name.
        limit: &'static str,
        /// How many there may be.
        max: u64,
    },
    /// Something in it is not allowed.
    #[error("{pointer}: {message}")]
    Invalid {
        /// A JSON Pointer to it.
        pointer: String,
        /// What is wrong with it.
        message: String,
    },
    /// What it is in does not allow the change.
    #[error("{message}")]
    Conflict {
        /// Why not.
        message: String,
    },
    /// Configurations of integrations that follow a plugin do not fit the version that was to be activated.
    #[error("{}", .0.message)]
    Unfit(Unfit),
    /// A version of a plugin is needed, so that it can not be deleted.
    #[error("the version is needed")]
    Needed(Box<Needed>),
    /// A component was refused.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        code: &'static str,
        /// What is wrong with it, for its author.
        message: String,
    },
    /// A component is too large.
    #[error("the component is larger than {max} bytes")]
    TooLarge {
        /// How large it may be.
        max: u64,
    },
    /// Too much of it is under way; trying again later helps.
    #[error("the host is busy; try again later")]
    Busy,
    /// A part of the host has failed; trying again does not help by itself.
    #[error("{message}")]
    Host {
        /// Which, for the log.
        message: &'static str,
    },
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChangeError {
    pub(crate) fn invalid(pointer: impl Into<String>, message: impl ToString) -> ChangeError {
        ChangeError::Invalid {
            pointer: pointer.into(),
            message: message.to_string(),
        }
    }
}

/// How often a change is tried that others overtake.
pub(crate) const TRIES_MAX: u32 = 5;

impl River {
    pub(crate) async fn bring(&self, chore: Chore) {
        if self.inner.chores.send(chore).await.is_err() {
            // The river is ending: the next start finds it.
            warn!(?chore, "a chore is left for the next start");
        }
    }

    pub(crate) fn ten_random(&self) -> [u8; 10] {
        let mut random = [0; 10];
        self.inner.clock.random(&mut random);
        random
    }
}
