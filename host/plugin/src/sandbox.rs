//! The state behind one call, and the store that holds a fresh instance to its limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookmill_domain::limits::PluginLimits;
use hookmill_domain::time::Time;
use wasmtime::Store;

use crate::contract::handed_over_bytes_max;
use crate::engine::Tier;
use crate::log::Log;
use crate::memory::Memory;
use crate::wasi::Wasi;

/// The most handles that a guest's components hold among each other.
const HANDLES_MAX: usize = 10_000;

/// What the host's functions see of a call.
pub(crate) struct Sandbox {
    memory: Memory,
    log: Arc<Mutex<Log>>,
    accepted_at: Time,
    seed: [u8; 32],
    wasi: Option<Box<Wasi>>,
}

impl Sandbox {
    /// The log, which streams share.
    pub(crate) fn log(&self) -> &Arc<Mutex<Log>> {
        &self.log
    }

    /// What random numbers come from.
    pub(crate) fn seed(&self) -> [u8; 32] {
        self.seed
    }

    /// The largest sum of the memories so far.
    pub(crate) fn memory_bytes_peak(&self) -> u64 {
        self.memory.bytes_peak()
    }

    /// WASI, made when a guest first asks for it: most calls of small guests never do.
    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(self.accepted_at, self.seed)))
    }
}

/// The log, whoever has it. No holder leaves it half changed.
pub(crate) fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store for one call on so much data. The limits hold from the first instruction, that of a start function included; the one on time is
/// the caller's to set.
pub(crate) fn store(tier: &Tier, limits: &PluginLimits, data_bytes: u64, accepted_at: Time, seed: [u8; 32]) -> Store<Sandbox> {
    let sandbox = Sandbox {
        memory: Memory::new(limits.memory_bytes_for(data_bytes), tier.table_elements_max),
        log: Arc::new(Mutex::new(Log::new(limits))),
        accepted_at,
        seed,
        wasi: None,
    };
    let mut store = Store::new(&tier.engine, sandbox);
    store.limiter(|sandbox| &mut sandbox.memory);
    store.set_hostcall_fuel(handed_over_bytes_max(limits.output_bytes_for(data_bytes)));
    store.set_max_component_handles(HANDLES_MAX);
    store
}
