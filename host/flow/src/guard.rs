//! What happens when a part of the house panics.

use tracing::error;

/// To be held by a thread or a task of the river. One that panics holds work which nobody would end: the process ends, and the next start
/// takes it up again.
pub(crate) struct EndOnPanic(pub(crate) &'static str);

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("{} has panicked: ending, so that the next start takes up its work", self.0);
            std::process::abort();
        }
    }
}
