//! What every answer is made with: the river, and what reception itself keeps count of.

use hookmill_flow::River;
use hookmill_store::Store;

use crate::auth::Caller;
use crate::bodies::{Bodies, Claim};
use crate::changes::Changes;

/// What reception works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reception {
    /// Where changes go.
    pub(crate) river: River,
    /// The memory that requests' bodies may take.
    pub(crate) bodies: Bodies,
    /// The memory that large answers may take.
    pub(crate) answers: Bodies,
    /// The changes under way.
    pub(crate) changes: Changes,
}

impl Reception {
    /// Reception for that river.
    pub(crate) fn new(river: River) -> Reception {
        Reception {
            bodies: Bodies::new(&river.limits().intake),
            answers: Bodies::new(&river.limits().intake),
            changes: Changes::default(),
            river,
        }
    }

    /// For reading.
    pub(crate) fn store(&self) -> &Store {
        self.river.store()
    }

    /// Memory for a request's body of that caller's.
    pub(crate) fn claim(&self, caller: &Caller) -> Claim {
        self.bodies.claim(caller.organization())
    }
}
