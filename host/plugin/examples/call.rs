//! How long a call takes: the passthrough in this room, beside a bare loop of the same engine settings without any limit but the slots.
//!
//! `cargo run --release -p hookmill-plugin-room --example call`. It prints medians and 99th percentiles of fresh calls, for one plugin and
//! for 64 in turn, and their ratios. It starts itself as the child that compiles.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use hookmill_domain::time::Time;
use hookmill_plugin_room::{Call, CompilerCommand, Plugins, Settings, compile_child};
use wasmtime::component::{Component, ComponentType, Lift, Linker, Lower};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreContextMut};

const PASSTHROUGH: &[u8] = include_bytes!("../../../plugins/passthrough/passthrough.wasm");
const CHILD: &str = "compile-component";
const CALLS: usize = 20_000;
const WARM_UP: usize = 2_000;
const PLUGINS: usize = 64;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(CHILD) {
        return compile_child(args);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match runtime.block_on(measure()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), Box<dyn Error>> {
    let data = format!(r#"{{"id": "doc_1", "text": "{}"}}"#, "x".repeat(990));
    let dir = tempfile::tempdir()?;
    let plugins = Plugins::open(Settings::new(dir.path(), CompilerCommand::this_program([CHILD])?))?;
    let mut components = Vec::new();
    for number in 0..PLUGINS {
        let inspection = plugins.inspect(None, numbered(number).into()).await?;
        components.push(plugins.loaded(&inspection.digest).ok_or("it is loaded")?);
    }
    let bare = Bare::new()?;
    println!(
        "{} cores, {} bytes of data, {CALLS} calls each",
        std::thread::available_parallelism()?,
        data.len()
    );
    for plugins_in_turn in [1, PLUGINS] {
        let mut room = Times::default();
        let mut alone = Times::default();
        for call in 0..WARM_UP + CALLS {
            let component = &components[call % plugins_in_turn];
            let began = Instant::now();
            let called = plugins.transform(component, &an_event(&data)).await;
            room.push(call, began);
            called.outcome?;
            let began = Instant::now();
            bare.call(call % plugins_in_turn, &data).await?;
            alone.push(call, began);
        }
        let (room_us, room_99_us) = room.summary();
        let (bare_us, bare_99_us) = alone.summary();
        println!(
            "{plugins_in_turn:>3} in turn: room {room_us:.1} us (p99 {room_99_us:.1}), bare {bare_us:.1} us (p99 {bare_99_us:.1}), ratio {:.2}",
            room_us / bare_us
        );
    }
    Ok(())
}

/// The passthrough with a further custom section: another component that does the same.
fn numbered(number: usize) -> Vec<u8> {
    let mut bytes = PASSTHROUGH.to_vec();
    bytes.extend([0, 3, 1, b'n', u8::try_from(number).unwrap_or(0)]);
    bytes
}

fn an_event(data: &str) -> Call<'_> {
    Call {
        event_id: "evt_1",
        kind: "document_text",
        organization: "contractfit1",
        inbox: None,
        project: None,
        accepted_at: Time::from_millis(1_790_000_000_000),
        data,
        integration_id: "int_1",
        targets: &[],
        config: "null",
        seed: [0; 32],
    }
}

#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn push(&mut self, call: usize, began: Instant) {
        if call >= WARM_UP {
            self.0.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }

    fn summary(mut self) -> (f64, f64) {
        self.0.sort_unstable_by(f64::total_cmp);
        (self.0[self.0.len() / 2], self.0[self.0.len() * 99 / 100])
    }
}

/// The same engine without what the room adds.
struct Bare {
    engine: Engine,
    plugins: Vec<(wasmtime::component::InstancePre<()>, wasmtime::component::ComponentExportIndex)>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Event<'a> {
    id: &'a str,
    kind: &'a str,
    organization: &'a str,
    inbox: Option<&'a str>,
    project: Option<&'a str>,
    #[component(name = "accepted-at")]
    accepted_at: &'a str,
    data: &'a str,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Integration<'a> {
    id: &'a str,
    targets: &'a [&'a str],
    config: &'a str,
}

#[derive(ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifted and dropped")]
enum Method {
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "patch")]
    Patch,
    #[component(name = "delete")]
    Delete,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
#[expect(dead_code, reason = "lifted and dropped")]
enum Body {
    #[component(name = "json")]
    Json(String),
    #[component(name = "text")]
    Text(String),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
}

#[derive(ComponentType, Lift)]
#[component(record)]
#[expect(dead_code, reason = "lifted and dropped")]
struct Request {
    body: Body,
    target: Option<String>,
    method: Option<Method>,
    path: Option<String>,
    query: Option<Vec<(String, String)>>,
    headers: Option<Vec<(String, String)>>,
    #[component(name = "content-type")]
    content_type: Option<String>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
#[expect(dead_code, reason = "lifted and dropped")]
enum Outcome {
    #[component(name = "deliver")]
    Deliver(Vec<Request>),
    #[component(name = "skip")]
    Skip(String),
    #[component(name = "reject")]
    Reject(String),
}

impl Bare {
    fn new() -> wasmtime::Result<Bare> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(256)
            .total_memories(256)
            .total_stacks(256)
            .max_unused_warm_slots(1024);
        pool.total_tables(1024).total_core_instances(2048).max_memory_size(128 << 20);
        if PoolingAllocationConfig::is_pagemap_scan_available() {
            pool.pagemap_scan(Enabled::Yes)
                .linear_memory_keep_resident(1 << 20)
                .table_keep_resident(64 << 10);
        }
        let mut config = Config::new();
        config.concurrency_support(false).async_stack_size(1 << 20);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::<()>::new(&engine);
        let mut log = linker.instance("hookmill:plugin/log@1.0.0")?;
        for level in ["debug", "info", "warn", "error"] {
            log.func_wrap(level, |_: StoreContextMut<'_, ()>, (_,): (String,)| Ok(()))?;
        }
        let mut plugins = Vec::new();
        for number in 0..PLUGINS {
            let component = Component::from_binary(&engine, &numbered(number))?;
            let interface = component
                .get_export_index(None, "hookmill:plugin/transformer@1.0.0")
                .expect("the interface");
            let transform = component.get_export_index(Some(&interface), "transform").expect("the function");
            plugins.push((linker.instantiate_pre(&component)?, transform));
        }
        Ok(Bare { engine, plugins })
    }

    async fn call(&self, plugin: usize, data: &str) -> wasmtime::Result<()> {
        let (pre, transform) = &self.plugins[plugin];
        let mut store = Store::new(&self.engine, ());
        let instance = pre.instantiate_async(&mut store).await?;
        let transform = instance.get_typed_func::<(Event<'_>, Integration<'_>), (Outcome,)>(&mut store, transform)?;
        let event = Event {
            id: "evt_1",
            kind: "document_text",
            organization: "contractfit1",
            inbox: None,
            project: None,
            accepted_at: "2026-09-21T13:33:20.000Z",
            data,
        };
        let integration = Integration {
            id: "int_1",
            targets: &[],
            config: "null",
        };
        transform.call_async(&mut store, (event, integration)).await?;
        Ok(())
    }
}
