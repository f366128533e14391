//! How a call ends when it does not end in an outcome: the limits that a guest can meet, and the words for its author.
//!
//! Whatever wasmtime reports becomes one of the codes of a parked run. A fault's text is made of what the guest said last, what
//! went wrong, and the functions it was in, by name; it never holds the host's own addresses or paths.

use std::fmt::Write as _;

use hookmill_domain::outcome::{Fault, ParkCode, cut};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// The most frames of a backtrace that are shown (and captured).
pub(crate) const FRAMES_MAX: usize = 16;
const FUNCTION_NAME_BYTES_MAX: usize = 120;

/// A limit that the guest met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitMet {
    #[error("the call used up its CPU time of {budget_ms} ms")]
    Cpu { budget_ms: u64 },
    #[error("the call did not end within {wall_ms} ms")]
    Time { wall_ms: u64 },
    #[error("the plugin asked for more memory than the {bytes_max} bytes that this call may have")]
    Memory { bytes_max: u64 },
    #[error("the plugin asked for more than {elements_max} table elements")]
    Tables { elements_max: u64 },
    #[error("the plugin handed over more than {bytes_max} bytes")]
    Output { bytes_max: u64 },
    #[error("the plugin flooded its log: {left_out_max} lines more than are kept")]
    Log { left_out_max: u32 },
    #[error("the plugin asked for more than {requests_max} requests")]
    Requests { requests_max: u32 },
}

impl LimitMet {
    fn code(self) -> ParkCode {
        match self {
            LimitMet::Cpu { .. } => ParkCode::CpuLimit,
            LimitMet::Time { .. } => ParkCode::TimeLimit,
            LimitMet::Memory { .. } | LimitMet::Tables { .. } => ParkCode::MemoryLimit,
            LimitMet::Output { .. } | LimitMet::Log { .. } | LimitMet::Requests { .. } => ParkCode::OutputLimit,
        }
    }
}

/// The host failed the guest: it is no fault of the plugin.
#[derive(Debug, thiserror::Error)]
#[error("the host could not give the plugin {what}")]
pub(crate) struct HostFailed {
    pub(crate) what: &'static str,
    #[source]
    pub(crate) source: wasmtime::Error,
}

/// The fault that `error` is, after a guest whose last words were `last_words`; `handed_over_bytes_max` is what it could hand to the
/// host in one piece.
pub(crate) fn fault(error: &wasmtime::Error, last_words: &str, handed_over_bytes_max: usize) -> Fault {
    let (code, what) = judge(error, handed_over_bytes_max);
    let mut message = String::new();
    if !last_words.is_empty() {
        message.push_str(last_words);
        message.push('\n');
    }
    message.push_str(&what);
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        for frame in backtrace.frames().iter().take(FRAMES_MAX) {
            message.push_str("\n  at ");
            push_function(&mut message, frame);
        }
    }
    Fault::new(code, message)
}

/// Whether the host failed, and not the guest.
pub(crate) fn is_of_host(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>() || error.is::<wasmtime::OutOfMemory>() || error.is::<HostFailed>()
}

fn judge(error: &wasmtime::Error, handed_over_bytes_max: usize) -> (ParkCode, String) {
    if let Some(limit) = error.downcast_ref::<LimitMet>() {
        return (limit.code(), limit.to_string());
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return (ParkCode::Trap, format!("the plugin left by exit({status})"));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return (ParkCode::Trap, trap.to_string());
    }
    if is_of_host(error) {
        return (
            ParkCode::Unavailable,
            format!("the host could not run the plugin: {}", error.root_cause()),
        );
    }
    let what = error.root_cause().to_string();
    // The type of this error is private to wasmtime; its version is pinned, and a test meets it.
    if what.contains("fuel allocated for hostcalls has been exhausted") {
        let limit = LimitMet::Output {
            bytes_max: handed_over_bytes_max as u64,
        };
        return (limit.code(), limit.to_string());
    }
    (ParkCode::Trap, what)
}

fn push_function(message: &mut String, frame: &wasmtime::FrameInfo) {
    let mut name = match frame.func_name() {
        // The alternate form leaves out the hash.
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
        None => format!("function {}", frame.func_index()),
    };
    cut(&mut name, FUNCTION_NAME_BYTES_MAX);
    message.push_str(&name);
    if let Some(module) = frame.module().name() {
        let mut module = module.to_owned();
        cut(&mut module, FUNCTION_NAME_BYTES_MAX);
        let _ = write!(message, " ({module})");
    }
}
