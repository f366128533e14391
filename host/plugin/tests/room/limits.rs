//! Guests that ask for too much: each ends by its own limit, in about the time that it may use, and leaves the host as it was.

use std::pin::pin;
use std::time::{Duration, Instant};

use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::{Outcome, ParkCode};
use hookmill_plugin_room::{Call, Refusal, Stage};

use crate::guests::{Guest, SKIP, deliver};
use crate::{House, an_event, fault};

const LOG: &str = "import hookmill:plugin/log@1.0.0;";
const IMPORT_INFO: &str = r#"(import "hookmill:plugin/log@1.0.0" "info" (func $info (param i32 i32)))"#;
const FOREVER: &str = "(loop $again (br $again)) (unreachable)";

#[tokio::test]
async fn an_endless_loop_ends_at_its_cpu_time() {
    let house = House::new();
    let component = house.upload(Guest::of(FOREVER).build()).await;
    let began = Instant::now();
    let called = house.call(&component).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(200), "{took:?} of 250 ms");
    assert!(took < Duration::from_secs(5), "{took:?} of 250 ms");
    let fault = fault(called, ParkCode::CpuLimit);
    assert!(fault.message.contains("250 ms"), "{}", fault.message);
    // The next call finds a clean slot.
    let skips = house.run(Guest::of(SKIP).build()).await;
    assert!(matches!(skips.outcome, Ok(Outcome::Skip(_))));
}

#[tokio::test]
async fn a_larger_input_gets_more_cpu_time() {
    let house = House::with(PluginLimits {
        cpu_ms: 10,
        cpu_ms_per_mib: 100,
        ..PluginLimits::default()
    });
    let component = house.upload(Guest::of(FOREVER).build()).await;
    let data = format!(r#"{{"id": "{}"}}"#, "x".repeat(2 * 1024 * 1024));
    let fault = fault(
        house.plugins.transform(&component, &Call { data: &data, ..an_event() }).await,
        ParkCode::CpuLimit,
    );
    assert!(fault.message.contains("210 ms"), "{}", fault.message);
}

#[tokio::test]
async fn an_endless_start_function_is_refused_at_upload() {
    let house = House::with(PluginLimits {
        cpu_ms: 50,
        ..PluginLimits::default()
    });
    let items = "(func $start (loop $again (br $again))) (start $start)";
    let refusal = house.plugins.inspect(None, Guest::defining(items).build().into()).await;
    let Err(Refusal::Faulty {
        stage: Stage::Instantiation,
        fault,
    }) = refusal
    else {
        panic!("{refusal:?}")
    };
    assert_eq!(fault.code, ParkCode::CpuLimit);
}

/// While one guest loops, others on the same thread go on: it gives its thread away at every tick.
#[tokio::test(flavor = "current_thread")]
async fn a_looping_guest_holds_up_nobody_on_its_thread() {
    let house = House::new();
    let loops = house.upload(Guest::of(FOREVER).build()).await;
    let skips = house.upload(Guest::of(SKIP).build()).await;
    let mut looping = pin!(house.call(&loops));
    let mut served = 0;
    let looped = loop {
        tokio::select! {
            biased;
            looped = &mut looping => break looped,
            called = house.call(&skips) => {
                assert!(called.outcome.is_ok());
                served += 1;
            }
        }
    };
    fault(looped, ParkCode::CpuLimit);
    assert!(served >= 5, "{served} beside a looping neighbour");
}

#[tokio::test]
async fn memory_that_grows_without_end_is_a_fault() {
    let house = House::new();
    let transform = "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) (unreachable)";
    let called = house.run(Guest::of(transform).build()).await;
    assert!(called.facts.memory_bytes > 60 * 1024 * 1024 && called.facts.memory_bytes <= 64 * 1024 * 1024);
    fault(called, ParkCode::MemoryLimit);
}

#[tokio::test]
async fn a_declared_maximum_of_memory_is_the_guests_own_affair() {
    let house = House::new();
    let module = Guest::of(SKIP).module();
    // Growth past it answers -1, as the specification says, and is no fault.
    let module = module
        .replace(r#"(memory (export "memory") 2)"#, r#"(memory (export "memory") 2 3)"#)
        .replace(
            SKIP,
            &format!("(if (i32.ne (memory.grow (i32.const 10)) (i32.const -1)) (then unreachable)) {SKIP}"),
        );
    let bytes = crate::guests::component(&module, "world guest { export hookmill:plugin/transformer@1.0.0; }");
    assert!(matches!(house.run(bytes).await.outcome, Ok(Outcome::Skip(_))));
}

#[tokio::test]
async fn a_minimum_over_the_limit_is_refused_at_upload() {
    let house = House::new();
    // Over what any call may have, and over what this one may.
    for (pages, named) in [(16_384, "memory"), (1_500, "memory")] {
        let refusal = house
            .plugins
            .inspect(
                None,
                Guest {
                    pages,
                    transform: SKIP,
                    ..Guest::default()
                }
                .build()
                .into(),
            )
            .await;
        let refusal = refusal.expect_err("too much memory");
        assert!(
            matches!(refusal, Refusal::NeedsTooMuch { .. } | Refusal::Faulty { .. }),
            "{refusal:?}"
        );
        assert!(refusal.to_string().contains(named), "{refusal}");
    }
}

#[tokio::test]
async fn a_table_that_grows_without_end_is_a_fault() {
    let house = House::new();
    let items = "(table $t 1 funcref)";
    let transform = "(loop $again (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $again)) (unreachable)";
    fault(
        house
            .run(
                Guest {
                    items,
                    transform,
                    ..Guest::default()
                }
                .build(),
            )
            .await,
        ParkCode::MemoryLimit,
    );
}

/// What comes after the answer is still the call: an answer whose clean-up never ends is none.
#[tokio::test]
async fn an_endless_clean_up_ends_at_the_cpu_time() {
    let house = House::with(PluginLimits {
        cpu_ms: 30,
        ..PluginLimits::default()
    });
    let items = r#"(func (export "cabi_post_hookmill:plugin/transformer@1.0.0#transform") (param i32) (loop $again (br $again)))"#;
    let guest = Guest::defining(items);
    fault(house.run(guest.build()).await, ParkCode::CpuLimit);
}

#[tokio::test]
async fn deep_recursion_is_a_trap() {
    let house = House::new();
    let items = "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))";
    let called = house
        .run(
            Guest {
                items,
                transform: "(call $deep (i32.const 0))",
                ..Guest::default()
            }
            .build(),
        )
        .await;
    let fault = fault(called, ParkCode::Trap);
    assert!(fault.message.contains("stack"), "{}", fault.message);
}

/// A hundred requests that share one body of a MiB: 100 MB of output from 1 MiB of memory.
#[tokio::test]
async fn a_hundred_megabytes_of_output_are_a_fault() {
    let house = House::with(PluginLimits {
        requests_max: 1000,
        ..PluginLimits::default()
    });
    let transform = "(local $i i32)
        (loop $again
            (i32.store (i32.add (i32.const 16388) (i32.mul (local.get $i) (i32.const 76))) (i32.const 65536))
            (i32.store (i32.add (i32.const 16392) (i32.mul (local.get $i) (i32.const 76))) (i32.const 1048576))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))
        (i32.store (i32.const 516) (i32.const 16384)) (i32.store (i32.const 520) (i32.const 100))
        (i32.const 512)";
    let component = house
        .upload(
            Guest {
                pages: 20,
                transform,
                ..Guest::default()
            }
            .build(),
        )
        .await;
    let fault = fault(house.call(&component).await, ParkCode::OutputLimit);
    assert!(fault.message.contains("bytes"), "{}", fault.message);
}

#[tokio::test]
async fn output_is_counted_to_the_byte() {
    let house = House::with(PluginLimits {
        output_bytes_max: 1000,
        ..PluginLimits::default()
    });
    for (len, allowed) in [(1000, true), (1001, false)] {
        let transform = deliver("(i32.const 16384)", &format!("(i32.const {len})"));
        let called = house.run(Guest::of(&transform).build()).await;
        match allowed {
            true => assert!(called.outcome.is_ok(), "{:?}", called.outcome),
            false => drop(fault(called, ParkCode::OutputLimit)),
        }
    }
}

#[tokio::test]
async fn too_many_requests_are_a_fault() {
    let house = House::new();
    let transform = "(i32.store (i32.const 516) (i32.const 16384)) (i32.store (i32.const 520) (i32.const 65)) (i32.const 512)";
    let fault = fault(house.run(Guest::of(transform).build()).await, ParkCode::OutputLimit);
    assert!(fault.message.contains("64 requests"), "{}", fault.message);
}

/// A guest that logs `hello` that many times.
fn talker(lines: u32) -> Vec<u8> {
    let transform = format!(
        "(local $i i32)
         (loop $again
            (call $info (i32.const 100) (i32.const 5))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const {lines}))))
         {SKIP}"
    );
    Guest {
        world: LOG,
        imports: IMPORT_INFO,
        items: r#"(data (i32.const 100) "hello")"#,
        transform: &transform,
        ..Guest::default()
    }
    .build()
}

#[tokio::test]
async fn what_a_log_does_not_keep_is_counted() {
    let called = House::new().run(talker(10_200)).await;
    assert!(called.outcome.is_ok(), "{:?}", called.outcome);
    let log = called.facts.log.expect("a log");
    assert_eq!(log.lines().count(), 201);
    assert!(log.starts_with("info: hello\ninfo: hello\n"));
    assert!(log.ends_with("(the log's limits: 10000 more left out)\n"), "{log}");
}

#[tokio::test]
async fn a_flood_of_the_log_ends_the_call() {
    let called = House::new().run(talker(10_201)).await;
    let log = called.facts.log.clone().expect("a log");
    assert!(log.ends_with("(the log's limits: 10001 more left out)\n"), "{log}");
    let fault = fault(called, ParkCode::OutputLimit);
    assert!(
        fault
            .message
            .starts_with("the plugin flooded its log: 10000 lines more than are kept"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn an_endless_flood_of_long_lines_is_kept_within_the_log() {
    let house = House::new();
    let transform = "(loop $again (call $info (i32.const 65536) (i32.const 65536)) (br $again)) (unreachable)";
    let guest = Guest {
        world: LOG,
        imports: IMPORT_INFO,
        transform,
        ..Guest::default()
    };
    let component = house.upload(guest.build()).await;
    let called = house.call(&component).await;
    let log = called.facts.log.clone().expect("a log");
    assert!(log.len() <= 16 * 1024 + 200, "{} bytes of log", log.len());
    fault(called, ParkCode::OutputLimit);
}

#[tokio::test]
async fn a_line_longer_than_can_be_handed_over_is_a_fault() {
    let house = House::new();
    let guest = Guest {
        world: LOG,
        imports: IMPORT_INFO,
        pages: 200,
        transform: "(call $info (i32.const 0) (i32.const 12000000)) (unreachable)",
        ..Guest::default()
    };
    fault(house.run(guest.build()).await, ParkCode::OutputLimit);
}
