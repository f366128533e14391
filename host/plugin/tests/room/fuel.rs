//! Fuel is a number of the component and the call alone, and tells more where more is computed.

use std::fs;

use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::{Outcome, ParkCode};
use hookmill_plugin_room::{Call, Component, Fuel, Fueled, LoadError, Uncounted};
use serde_json::Value;

use crate::guests::{Guest, SKIP};
use crate::{House, an_event, fault};

const PASSTHROUGH: &[u8] = include_bytes!("../../../../plugins/passthrough/passthrough.wasm");
const FLATTEN: &[u8] = include_bytes!("../../../../plugins/flatten/flatten.wasm");
const PREDICT: &str = include_str!("../../../../tests/samples/document_predict.json");
const FOREVER: &str = "(loop $again (br $again)) (unreachable)";

async fn upload(house: &House, bytes: &[u8]) -> (Component, Fueled) {
    let component = house.upload(bytes.to_vec()).await;
    let fueled = house.plugins.with_fuel(&component, bytes.to_vec().into()).await;
    (component, fueled.expect("what can be called can be counted"))
}

/// The fuel of a guest's call on an event, by two calls, and how the call ends.
async fn counted(house: &House, guest: Guest<'_>) -> (Fuel, hookmill_plugin_room::Called) {
    let (component, fueled) = upload(house, &guest.build()).await;
    let first = house.plugins.count_fuel(&fueled, &an_event()).await;
    assert_eq!(house.plugins.count_fuel(&fueled, &an_event()).await, first);
    (first, house.call(&component).await)
}

#[track_caller]
fn used(fuel: Fuel) -> u64 {
    match fuel {
        Fuel::Used(used) => used,
        other => panic!("{other:?}, not a count"),
    }
}

/// The number is pinned, since it is promised to be the same on every machine: if it differs here, then the promise is broken, or the
/// committed component or the version of wasmtime is another one, and with it goes a new number.
#[tokio::test]
async fn the_passthroughs_fuel_is_this_number_on_every_machine() {
    let house = House::new();
    let (_, fueled) = upload(&house, PASSTHROUGH).await;
    assert_eq!(house.plugins.count_fuel(&fueled, &an_event()).await, Fuel::Used(4124));
}

#[tokio::test]
async fn equal_calls_have_equal_fuel_and_larger_ones_more() {
    let predict: Value = serde_json::from_str(PREDICT).expect("an event");
    let data = predict["data"].to_string();
    let longer = format!("{}{}", data, " ".repeat(100_000));
    for component in [PASSTHROUGH, FLATTEN] {
        let mut before = None;
        // Rooms with little and much time,
        for cpu_ms in [1, 10_000] {
            let house = House::with(PluginLimits {
                cpu_ms,
                ..PluginLimits::default()
            });
            let (_, fueled) = upload(&house, component).await;
            let count = |data| {
                let (plugins, fueled) = (&house.plugins, &fueled);
                let call = Call {
                    kind: "document_predict",
                    data,
                    ..an_event()
                };
                async move { used(plugins.count_fuel(fueled, &call).await) }
            };
            let counts = [count(&data).await, count(&data).await, count(&longer).await];
            assert_eq!(counts[0], counts[1]);
            assert!(counts[1] < counts[2], "{counts:?}");
            assert_eq!(before.unwrap_or(counts), counts);
            before = Some(counts);
        }
    }
}

/// A loop of 8 instructions.
fn turns(count: u32) -> String {
    format!(
        "(local $i i32)
         (loop $again
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.ne (local.get $i) (i32.const {count}))))"
    )
}

#[tokio::test]
async fn each_instruction_counts_and_a_start_function_too() {
    let house = House::new();
    let count = async |before: &str, items: &str| {
        let transform = format!("{before} {SKIP}");
        let guest = Guest {
            items,
            transform: &transform,
            ..Guest::default()
        };
        let (fuel, called) = counted(&house, guest).await;
        assert!(matches!(called.outcome, Ok(Outcome::Skip(_))), "{:?}", called.outcome);
        used(fuel)
    };
    let none = count("", "").await;
    assert_eq!(count(&turns(1), "").await, none + 8);
    assert_eq!(count(&turns(1_000_001), "").await, none + 8_000_008);
    let start = format!("(func $start {}) (start $start)", turns(1_000_000));
    assert!(count("", &start).await > none + 8_000_000);
    let fill = "(memory.fill (i32.const 1024) (i32.const 0) (i32.const 5000))";
    assert_eq!(count(fill, "").await, none + 5004);
    // What stands in the memory at the start costs nothing, however much it is: a host maps it.
    let data = |bytes: usize| format!("(data (i32.const 16384) \"{}\")", "x".repeat(bytes));
    assert_eq!(count("", &data(1)).await, count("", &data(50_000)).await);
}

/// The call that is counted is the one that is made: with the same seed it throws the same dice, with another one others.
#[tokio::test]
async fn random_numbers_come_out_of_the_calls_seed() {
    let house = House::new();
    let transform = format!(
        "(local $left i32)
         (local.set $left (i32.wrap_i64 (i64.and (call $random) (i64.const 0xffff))))
         (loop $again (br_if $again (i32.gt_s (local.tee $left (i32.sub (local.get $left) (i32.const 1))) (i32.const 0))))
         {SKIP}"
    );
    let guest = Guest {
        world: "import wasi:random/random@0.2.6;",
        imports: r#"(import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))"#,
        transform: &transform,
        ..Guest::default()
    };
    let (_, fueled) = upload(&house, &guest.build()).await;
    let count = async |seed| {
        let call = Call {
            seed: [seed; 32],
            ..an_event()
        };
        used(house.plugins.count_fuel(&fueled, &call).await)
    };
    let [first, again, other] = [count(7).await, count(7).await, count(8).await];
    assert!(first == again && first != other, "{first}, {again}, {other}");
    // 7 instructions for each unit of the first number of the frozen stream.
    let number = u64::from(u16::from_le_bytes([0x49, 0xec]));
    assert!((7 * number..7 * number + 1000).contains(&first), "{first} for {number}");
}

#[tokio::test]
async fn an_endless_loop_ends_and_is_told_as_such() {
    let house = House::new();
    let guest = Guest::of(FOREVER);
    let (component, fueled) = upload(&house, &guest.build()).await;
    assert_eq!(house.plugins.count_fuel(&fueled, &an_event()).await, Fuel::MoreThan(10_000_000_000));
    fault(house.call(&component).await, ParkCode::CpuLimit);
}

#[tokio::test]
async fn a_call_that_ends_in_a_fault_has_fuel() {
    let house = House::new();
    let long = turns(1_000_000);
    for (what, code, more) in [
        ("(unreachable)", ParkCode::Trap, ""),
        ("(drop (i32.load (i32.const -4))) (unreachable)", ParkCode::Trap, ""),
        (
            "(drop (i32.div_s (i32.const 1) (local.get $zero))) (unreachable)",
            ParkCode::Trap,
            "(local $zero i32)",
        ),
        ("(drop (memory.grow (i32.const 5000))) (unreachable)", ParkCode::MemoryLimit, ""),
    ] {
        let transform = format!("{more} {long} {what}");
        let guest = Guest::of(&transform);
        let (fuel, called) = counted(&house, guest).await;
        let fuel = used(fuel);
        assert!((7_990_000..8_010_000).contains(&fuel), "{what}: {fuel}");
        fault(called, code);
    }
}

#[tokio::test]
async fn a_stack_that_is_full_has_no_fuel_that_would_be_the_same_elsewhere() {
    let house = House::new();
    let guest = Guest {
        items: "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))",
        transform: "(call $deep (i32.const 0))",
        ..Guest::default()
    };
    let (fuel, called) = counted(&house, guest).await;
    assert_eq!(fuel, Fuel::Uncounted(Uncounted::Stack));
    fault(called, ParkCode::Trap);
}

#[tokio::test]
async fn counting_leaves_no_artifact_and_takes_the_components_own_bytes_alone() {
    let house = House::new();
    let component = house.upload(PASSTHROUGH.to_vec()).await;
    let files = || {
        let entries = fs::read_dir(house.dir.path().join("artifacts")).expect("the folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        let new = fs::read_dir(house.dir.path().join("artifacts/new")).expect("the folder");
        (names, new.count())
    };
    let before = files();
    let fueled = house.plugins.with_fuel(&component, PASSTHROUGH.into()).await.expect("it compiles");
    used(house.plugins.count_fuel(&fueled, &an_event()).await);
    assert_eq!(files(), before);
    assert!(before.0.len() > 2 && before.1 == 0, "{before:?}");
    // The call itself goes on as ever.
    assert!(house.call(&component).await.outcome.is_ok());

    let other = house.plugins.with_fuel(&component, FLATTEN.into()).await;
    assert!(matches!(other, Err(LoadError::WrongBytes { .. })), "{other:?}");
}
