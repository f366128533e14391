//! The bare loop: wasmtime and nothing else.

use super::{PLUGINS_MAX, check, nanoseconds_since};
use crate::event;
use anyhow::{Context, Result, bail};
use std::time::Instant;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

mod contract {
    //! What the macro makes of the interface `transformer`.
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package hookmill:bench;
            world transforming { export hookmill:plugin/transformer@1.0.0; }
        ",
        world: "hookmill:bench/transforming",
    });
}

use contract::exports::hookmill::plugin::transformer::{Body, Event, Integration, Outcome};

/// The most of each kind of part that one of these components has.
const PARTS_MAX: u32 = 4;
const MEMORY_KEPT_BYTES: usize = 1024 * 1024;

/// The engine and the components, ready to be instantiated.
pub(super) struct Bare {
    engine: Engine,
    plugins: Vec<contract::TransformingPre<()>>,
}

impl Bare {
    pub(super) fn open(components: &[Vec<u8>]) -> Result<Bare> {
        let engine = engine()?;
        // The passthrough imports nothing.
        let linker = Linker::new(&engine);
        let ready = |bytes: &Vec<u8>| contract::TransformingPre::new(linker.instantiate_pre(&Component::new(&engine, bytes)?)?);
        let plugins = components.iter().map(ready).collect::<wasmtime::Result<_>>();
        Ok(Bare {
            plugins: plugins.map_err(boxed).context("compile the components")?,
            engine,
        })
    }

    /// Calls the plugins in turn, so many times, and tells how long each call took, in nanoseconds.
    pub(super) fn call(&self, calls: u32) -> Result<Vec<u64>> {
        let (posted, data) = event::posted_and_data();
        let event = Event {
            id: event::ID.to_owned(),
            kind: event::KIND.to_owned(),
            organization: event::ORGANIZATION.to_owned(),
            inbox: None,
            project: None,
            accepted_at: event::ACCEPTED_AT.to_owned(),
            data,
        };
        let integration = Integration {
            id: event::INTEGRATION_ID.to_owned(),
            targets: Vec::new(),
            config: "null".to_owned(),
        };
        let mut took_ns = Vec::with_capacity(calls as usize);
        for plugin in self.plugins.iter().cycle().take(calls as usize) {
            let start = Instant::now();
            let answer = self.transform(plugin, &event, &integration).map_err(boxed)?;
            took_ns.push(nanoseconds_since(start));
            let Outcome::Deliver(requests) = answer else {
                bail!("the passthrough did not deliver")
            };
            let Some(Body::Json(body)) = requests.first().map(|request| &request.body) else {
                bail!("it sent no JSON")
            };
            check(body.as_bytes(), &posted)?;
        }
        Ok(took_ns)
    }

    /// One call; the instance is gone when it returns.
    fn transform(&self, plugin: &contract::TransformingPre<()>, event: &Event, integration: &Integration) -> wasmtime::Result<Outcome> {
        let mut store = Store::new(&self.engine, ());
        let instance = plugin.instantiate(&mut store)?;
        instance
            .hookmill_plugin_transformer()
            .call_transform(&mut store, event, integration)
    }
}

fn engine() -> Result<Engine> {
    let slots = PLUGINS_MAX;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * PARTS_MAX)
        .total_memories(slots)
        .total_tables(slots * PARTS_MAX)
        .max_unused_warm_slots(slots * PARTS_MAX);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
            .table_keep_resident(MEMORY_KEPT_BYTES);
    }
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).map_err(boxed)
}

fn boxed(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}
