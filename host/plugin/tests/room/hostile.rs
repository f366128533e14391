//! Guests that do harm by number: floods of each kind of host call, parts without end, inputs that are huge, binaries that are none. Each
//! test prints what ended it and after how long (`cargo test -- --nocapture`).

mod binaries;
mod floods;

use hookmill_domain::outcome::ParkCode;
use hookmill_plugin_room::{Call, Called, Refusal};

use crate::guests::{Guest, SKIP};
use crate::{House, an_event, bodies, fault};

/// The built-in plugin, as it stands in the repository.
const PASSTHROUGH: &[u8] = include_bytes!("../../../../plugins/passthrough/passthrough.wasm");

/// Prints how a call ended.
pub(crate) fn tell(name: &str, called: &Called) {
    let (ended, message) = match &called.outcome {
        Ok(_) => ("an outcome", ""),
        Err(fault) => (fault.code.as_str(), fault.message.lines().next().unwrap_or_default()),
    };
    println!("{name:34} {ended:12} {:>9} us  {message}", called.facts.duration_us);
}

/// The text of a guest's component with more in it, in front of its core module and around its instance.
fn shell(before: &str, core: &str, with: &str) -> Vec<u8> {
    let shell = include_str!("../../../../tests/guests/wat/shell.wat")
        .replace(";; the core module", &format!("{before} {core}"))
        .replace("(instantiate $guest)", &format!("(instantiate $guest {with})"));
    wat::parse_str(shell).expect("well-formed text")
}

/// A core module that skips, once it has done that.
fn skipping(imports: &str, first: &str) -> String {
    format!(
        r#"(core module $guest
            {imports}
            (memory (export "memory") 2)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func (export "transform") (param i32) (result i32)
                {first}
                (i32.store8 (i32.const 512) (i32.const 1)) (i32.const 512)))"#
    )
}

/// A resource of the component's own, whose destructor does that, is made and dropped in the call.
fn destructor(body: &str) -> Vec<u8> {
    let before = format!(
        r#"(core module $end (func (export "end") (param i32) {body}))
           (core instance $end (instantiate $end))
           (type $resource (resource (rep i32) (dtor (core func $end "end"))))
           (core func $make (canon resource.new $resource))
           (core func $drop (canon resource.drop $resource))"#
    );
    let imports = r#"(import "own" "make" (func $make (param i32) (result i32))) (import "own" "drop" (func $drop (param i32)))"#;
    let with = r#"(with "own" (instance (export "make" (func $make)) (export "drop" (func $drop))))"#;
    shell(&before, &skipping(imports, "(call $drop (call $make (i32.const 7)))"), with)
}

#[tokio::test]
async fn a_resources_destructor_is_a_part_of_the_call() {
    let house = House::new();
    for (name, body, code) in [
        ("an endless destructor", "(loop $again (br $again))", Some(ParkCode::CpuLimit)),
        ("a destructor that traps", "unreachable", Some(ParkCode::Trap)),
        ("a destructor that does nothing", "", None),
    ] {
        let called = house.run(destructor(body)).await;
        tell(name, &called);
        assert_eq!(called.outcome.err().map(|fault| fault.code), code, "{name}");
    }
}

/// Handles to the component's own resources, never given back.
#[tokio::test]
async fn resources_without_end_are_a_trap() {
    let house = House::new();
    let before = "(type $resource (resource (rep i32))) (core func $make (canon resource.new $resource))";
    let imports = r#"(import "own" "make" (func $make (param i32) (result i32)))"#;
    let with = r#"(with "own" (instance (export "make" (func $make))))"#;
    let core = skipping(imports, "(loop $again (drop (call $make (i32.const 7))) (br $again))");
    let called = house.run(shell(before, &core, with)).await;
    tell("resources that are kept", &called);
    fault(called, ParkCode::Trap);
}

#[tokio::test]
async fn parts_without_end_are_refused_by_what_there_is_too_much_of() {
    let house = House::new();
    let instances = |module: &str, count: usize| format!("(core module $m {module}) {}", "(core instance (instantiate $m))".repeat(count));
    for (name, before, code, says) in [
        ("500 instances", instances("", 500), "needs_too_much", "instance"),
        ("50,000 instances", instances("", 50_000), "compile_failed", "instances"),
        ("20 memories", instances("(memory 1)", 20), "needs_too_much", "memor"),
        // Each of them would fit.
        ("seven memories of 10 MiB each", instances("(memory 160)", 7), "faulty", "memory"),
        ("100 tables", instances("(table 1 funcref)", 100), "needs_too_much", "table"),
        (
            "2,000 modules",
            "(core module)".repeat(2000),
            "too_complex",
            "modules and components",
        ),
        (
            "40 nested components",
            format!("{}{}", "(component ".repeat(40), ")".repeat(40)),
            "too_complex",
            "nested",
        ),
    ] {
        let began = std::time::Instant::now();
        let refusal = house.plugins.inspect(None, shell(&before, &skipping("", ""), "").into()).await;
        let refusal = refusal.expect_err(name);
        println!(
            "{name:34} {:16} {:>6} ms  {}",
            refusal.code(),
            began.elapsed().as_millis(),
            first_line(&refusal)
        );
        assert_eq!(refusal.code(), code, "{name}: {refusal}");
        assert!(refusal.to_string().contains(says), "{name}: {refusal}");
    }
    // What is not too much.
    house.upload(shell(&instances("", 100), &skipping("", ""), "")).await;
}

fn first_line(refusal: &Refusal) -> String {
    refusal.to_string().lines().next().unwrap_or_default().chars().take(120).collect()
}

/// As much as one event can bring, to a plugin that copies it and to one that has no room for it.
#[tokio::test]
async fn the_largest_input_is_handed_over_or_is_the_guests_fault() {
    let house = House::new();
    let data = format!(r#"{{"id": "{}"}}"#, "x".repeat(16 * 1024 * 1024 - 10));
    let large = Call { data: &data, ..an_event() };
    let component = house.upload(PASSTHROUGH.to_vec()).await;
    let called = house.plugins.transform(&component, &large).await;
    tell("16 MiB, copied", &called);
    assert!(bodies(&called)[0].ends_with(&format!("{data}}}")));

    let component = house.upload(shell("", &skipping("", ""), "")).await;
    let called = house.plugins.transform(&component, &large).await;
    tell("16 MiB, and no room for it", &called);
    fault(called, ParkCode::Trap);

    // A list is as many strings, each with a place of its own.
    let names: Vec<String> = (0..200_000).map(|number| format!("target{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = Call {
        targets: &names,
        ..an_event()
    };
    let component = house.upload(Guest::of(SKIP).build()).await;
    let called = house.plugins.transform(&component, &many).await;
    tell("200,000 targets", &called);
    assert!(called.outcome.is_ok(), "{:?}", called.outcome);
}
