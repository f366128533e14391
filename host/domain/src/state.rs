//! The states of events, runs and deliveries, as the API shows them.

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Each of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// As the API shows it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            /// The state of that text.
            pub fn from_text(text: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|state| state.as_str() == text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                $name::from_text(&text).ok_or_else(|| serde::de::Error::custom("there is no such state"))
            }
        }
    };
}

states! {
    /// What became of an event. Computed from its runs; no row holds it.
    EventState {
        /// No integration wanted it.
        Unmatched = "unmatched",
        /// Something is open.
        Pending = "pending",
        /// Nothing is open.
        Settled = "settled",
    }
}

states! {
    /// What became of a run.
    RunState {
        /// Owed, and no row yet: computed.
        Pending = "pending",
        /// Waits in the queue on disk.
        Queued = "queued",
        /// The plugin answered with requests; their deliveries tell the rest.
        Done = "done",
        /// The plugin answered that nothing is owed.
        Skipped = "skipped",
        /// The plugin failed or rejected the event; it waits until somebody acts.
        Parked = "parked",
        /// Its next generation took over.
        Resumed = "resumed",
        /// Its integration was deleted.
        Cancelled = "cancelled",
        /// Older than the age cap.
        Expired = "expired",
        /// Its payload was erased.
        Erased = "erased",
    }
}

states! {
    /// What became of a delivery.
    DeliveryState {
        /// Owed, and not yet tried.
        Pending = "pending",
        /// A receiver has taken it.
        Delivered = "delivered",
        /// An attempt failed; the next one has its time.
        Waiting = "waiting",
        /// The attempts are used up.
        Exhausted = "exhausted",
        /// Its integration was deleted.
        Cancelled = "cancelled",
        /// Older than the age cap.
        Expired = "expired",
        /// Its payload was erased.
        Erased = "erased",
    }
}

impl DeliveryState {
    /// Whether an attempt is still to come by itself.
    pub fn is_open(self) -> bool {
        matches!(self, DeliveryState::Pending | DeliveryState::Waiting)
    }
}

impl RunState {
    /// Whether its plugin is still to be called, by itself or when somebody acts.
    pub fn is_open(self) -> bool {
        matches!(self, RunState::Pending | RunState::Queued | RunState::Parked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for state in RunState::ALL {
            assert_eq!(RunState::from_text(state.as_str()), Some(*state));
        }
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_text(state.as_str()), Some(*state));
        }
        assert_eq!(EventState::from_text("Pending"), None);
    }
}
