//! The handle of clock and dice. The front door makes the real one; tests turn theirs by hand.

use std::pin::Pin;

use crate::time::Time;

/// What a [`Clock`] gives to those who wait for a time.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Time and chance, as the rooms below the front door see them. Nothing else in the house asks the system for either.
pub trait Clock: Send + Sync + 'static {
    /// The present time. It never goes back.
    fn now(&self) -> Time;

    /// Seconds since the epoch by the wall clock, for `webhook-timestamp` alone: it may jump.
    fn wall_seconds(&self) -> i64;

    /// Waits until `now()` has reached `at`.
    fn sleep_until(&self, at: Time) -> Sleep;

    /// Fills `bytes` from a cryptographically secure source.
    fn random(&self, bytes: &mut [u8]);
}
