//! The run's log: lines that the host keeps with the run, where the plugin's author reads them.
//!
//! The host keeps 200 lines, 4 KiB of each, 16 KiB in all; what is over is counted and said. On other targets than
//! WebAssembly, as in a plugin's own tests, lines go to stderr.

/// Says something for whoever looks for a fault.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message.as_ref());
}

/// Says what happened.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message.as_ref());
}

/// Says that something is odd, though it is handled.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message.as_ref());
}

/// Says that something went wrong.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message.as_ref());
}

#[derive(Debug, Clone, Copy)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[cfg(target_family = "wasm")]
fn write(level: Level, message: &str) {
    use crate::__bindings::log;
    match level {
        Level::Debug => log::debug(message),
        Level::Info => log::info(message),
        Level::Warn => log::warn(message),
        Level::Error => log::error(message),
    }
}

#[cfg(not(target_family = "wasm"))]
fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
