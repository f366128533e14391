//! The engines: one that compiles, in a child process alone, and two that run, with slots made ready.
//!
//! All three share what decides the compiled code, so that an artifact of the first is loaded by both others; these have no compiler
//! at all. The small one has slots for components with one memory, which is what Rust and C guests are, and the large one larger ones
//! for what interpreted languages bring. No engine knows threads, garbage collection or 64-bit memories.
//!
//! They are metered by epochs, and know no fuel. Where fuel is asked for, there is a second set of code: compiled and run by engines that
//! count it and know no epochs. An engine of one kind refuses code of the other.

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use hookmill_domain::limits::PluginLimits;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig, VariableOperatorCost,
    WasmBacktraceDetails,
};

use crate::fault::FRAMES_MAX;
use crate::linking;
use crate::sandbox::Sandbox;
use crate::settings::OpenError;

/// The stack of WebAssembly in a call: deep recursion ends here, as a trap.
const WASM_STACK_BYTES: usize = 512 * 1024;
/// The stack of a call, the host's functions included.
const FIBER_STACK_BYTES: usize = 1024 * 1024;
/// What of a memory stays resident for the slot's next call. The page-map scan makes this cheap; without it, keeping costs more than
/// it saves.
const MEMORY_KEPT_BYTES: usize = 1024 * 1024;
const TABLE_KEPT_BYTES: usize = 64 * 1024;
/// How many times a call's stacks one that counts fuel has. Its code has larger frames, and how large they are is the processor's affair:
/// what fits a call's stack somewhere shall fit here everywhere.
const STACK_FACTOR_FUEL: usize = 4;
/// How many times as large an instance may be whose memories are filled by code, with the places of each piece in it.
const INSTANCE_FACTOR_FUEL: usize = 16;

/// By what the compiled code is metered: it decides the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metering {
    /// By the clock, as a host's calls are: at each epoch the guest comes by its meter.
    Epochs,
    /// By counting what it executes.
    Fuel,
}

/// A running engine with its linker and its share of calls at once.
pub(crate) struct Tier {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Sandbox>,
    /// It stands before the pool, whose exhaustion is an error and not a wait.
    pub(crate) calls: Semaphore,
    /// What all tables of a call may hold; a single table of the pool holds as many.
    pub(crate) table_elements_max: u64,
}

/// Both engines that run.
#[derive(Clone)]
pub(crate) struct Tiers {
    pub(crate) small: Arc<Tier>,
    pub(crate) large: Arc<Tier>,
}

/// What a component of a tier may have, and how many run and stay warm.
pub(crate) struct Size {
    calls_at_once: u32,
    warm_slots: u32,
    core_instances_per_component: u32,
    memories_per_component: u32,
    tables_per_component: u32,
    table_elements: u32,
    component_instance_bytes: usize,
}

impl Tiers {
    /// Reserves address space for all slots; none of it is resident yet.
    pub(crate) fn open(limits: &PluginLimits, calls_at_once: u32, hot_slots: u32) -> wasmtime::Result<Tiers> {
        let small = Size::small(calls_at_once, hot_slots);
        let large = Size::large(calls_at_once, (hot_slots / 16).max(2));
        Ok(Tiers {
            small: Arc::new(Tier::open(limits, &small, Metering::Epochs)?),
            large: Arc::new(Tier::open(limits, &large, Metering::Epochs)?),
        })
    }
}

impl Size {
    /// For Rust and C.
    pub(crate) fn small(calls_at_once: u32, warm_slots: u32) -> Size {
        Size {
            calls_at_once,
            warm_slots,
            core_instances_per_component: 8,
            memories_per_component: 1,
            tables_per_component: 4,
            table_elements: 4_000,
            component_instance_bytes: 128 * 1024,
        }
    }

    /// For interpreted languages.
    pub(crate) fn large(calls_at_once: u32, warm_slots: u32) -> Size {
        Size {
            calls_at_once,
            warm_slots,
            core_instances_per_component: 200,
            memories_per_component: 8,
            tables_per_component: 32,
            table_elements: 100_000,
            component_instance_bytes: 4 * 1024 * 1024,
        }
    }
}

impl Tier {
    pub(crate) fn open(limits: &PluginLimits, size: &Size, metering: Metering) -> wasmtime::Result<Tier> {
        Tier::with(&running(limits, size, metering), size)
    }

    fn with(config: &Config, size: &Size) -> wasmtime::Result<Tier> {
        let engine = Engine::new(config)?;
        Ok(Tier {
            linker: linking::linker(&engine)?,
            engine,
            calls: Semaphore::new(size.calls_at_once as usize),
            table_elements_max: u64::from(size.table_elements),
        })
    }
}

fn running(limits: &PluginLimits, size: &Size, metering: Metering) -> Config {
    let (stack_factor, instance_factor) = match metering {
        Metering::Epochs => (1, 1),
        Metering::Fuel => (STACK_FACTOR_FUEL, INSTANCE_FACTOR_FUEL),
    };
    let mut pool = pool(limits, size);
    pool.max_component_instance_size(size.component_instance_bytes * instance_factor)
        .max_core_instance_size(size.component_instance_bytes * instance_factor);
    let mut config = shared(metering);
    config.enable_compiler(false);
    config.max_wasm_stack(WASM_STACK_BYTES * stack_factor);
    config.async_stack_size(FIBER_STACK_BYTES * stack_factor);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX));
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

fn pool(limits: &PluginLimits, size: &Size) -> PoolingAllocationConfig {
    let calls = size.calls_at_once.max(size.warm_slots);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_stacks(calls)
        .total_core_instances(calls.saturating_mul(size.core_instances_per_component))
        .total_memories(calls.saturating_mul(size.memories_per_component))
        .total_tables(calls.saturating_mul(size.tables_per_component))
        .max_core_instances_per_component(size.core_instances_per_component)
        .max_memories_per_component(size.memories_per_component)
        .max_tables_per_component(size.tables_per_component)
        .max_tables_per_module(size.tables_per_component)
        .table_elements(size.table_elements as usize)
        .max_memory_size(usize::try_from(limits.memory_bytes_max).unwrap_or(usize::MAX))
        // A slot that was used by one component and is wanted by another costs several times a warm one.
        .max_unused_warm_slots(calls.saturating_mul(size.tables_per_component));
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
            .table_keep_resident(TABLE_KEPT_BYTES);
    }
    pool
}

/// The engine that compiles. It makes no instances, and so needs no slots and little address space.
pub(crate) fn compiling(metering: Metering) -> wasmtime::Result<Engine> {
    Engine::new(&compiler(metering))
}

fn compiler(metering: Metering) -> Config {
    let mut config = shared(metering);
    // The same bits come out for NaNs on every machine.
    config.cranelift_nan_canonicalization(true);
    if metering == Metering::Fuel {
        // A few calls do not make up for the time that optimising takes, and it changes no count.
        config.cranelift_opt_level(OptLevel::None);
    }
    // One child compiles one component on one core: what it may use is then what its limits say.
    config.parallel_compilation(false);
    config
}

/// The part of the configuration that decides the compiled code, the same for all engines of a kind.
fn shared(metering: Metering) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .native_unwind_info(false)
        .generate_address_map(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_relaxed_simd(false);
    match metering {
        Metering::Epochs => config.epoch_interruption(true).memory_init_cow(true),
        // Where the system can not map a memory's first content, or its pages are of another size, code compiled for mapping copies it, and
        // that would count. So it is copied everywhere; and since a host does map it, that costs nothing.
        Metering::Fuel => config.consume_fuel(true).memory_init_cow(false).operator_cost(OperatorCost {
            variable: VariableOperatorCost {
                memory_init_per_byte: 0,
                ..VariableOperatorCost::new()
            },
            ..OperatorCost::new()
        }),
    };
    config
}

/// The name of all that decides what this binary compiles.
pub(crate) fn own_compatibility() -> Result<String, OpenError> {
    Ok(compatibility(&compiling(Metering::Epochs).map_err(OpenError::engine)?))
}

/// The name of all that decides the compiled code: the engine's version, its settings, this machine's processor.
fn compatibility(engine: &Engine) -> String {
    let mut hash = Feed(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hash);
    let digest: [u8; 32] = hash.0.finalize().into();
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Feeds what is hashed to SHA-256: the standard hashers promise no stable result.
struct Feed(Sha256);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        u64::from_le_bytes(digest[..8].try_into().expect("8 of 32 bytes"))
    }
}

#[cfg(test)]
mod tests;
