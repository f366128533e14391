//! Guests that do harm by number: floods of each kind of host call, parts without end, inputs that are huge, binaries that are none. Each
//! test prints what ended it and after how long (`cargo test -- --nocapture`).

use hookmill_domain::outcome::ParkCode;
use hookmill_plugin_room::{Call, Called, Refusal};

use crate::guests::{Guest, SKIP, component};
use crate::{House, an_event, bodies, fault};

/// The built-in plugin, as it stands in the repository.
const PASSTHROUGH: &[u8] = include_bytes!("../../../../plugins/passthrough/passthrough.wasm");

/// Prints how a call ended.
fn tell(name: &str, called: &Called) {
    let (ended, message) = match &called.outcome {
        Ok(_) => ("an outcome", ""),
        Err(fault) => (fault.code.as_str(), fault.message.lines().next().unwrap_or_default()),
    };
    println!("{name:34} {ended:12} {:>9} us  {message}", called.facts.duration_us);
}

/// A host call in a loop without end.
struct Flood {
    name: &'static str,
    world: &'static str,
    imports: &'static str,
    /// Once before the loop, with a local `$it`.
    before: &'static str,
    /// Again and again.
    again: &'static str,
    /// How it may end.
    codes: &'static [ParkCode],
}

const FLOODS: [Flood; 16] = [
    Flood {
        name: "the wall clock",
        world: "import wasi:clocks/wall-clock@0.2.6;",
        imports: r#"(import "wasi:clocks/wall-clock@0.2.6" "now" (func $now (param i32)))"#,
        before: "",
        again: "(call $now (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "the monotonic clock",
        world: "import wasi:clocks/monotonic-clock@0.2.6;",
        imports: r#"(import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))"#,
        before: "",
        again: "(drop (call $now))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "random numbers",
        world: "import wasi:random/random@0.2.6;",
        imports: r#"(import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))"#,
        before: "",
        again: "(drop (call $random))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "random bytes that are kept",
        world: "import wasi:random/random@0.2.6;",
        imports: r#"(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))"#,
        before: "",
        again: "(call $random (i64.const 262144) (i32.const 256))",
        // Whichever a machine comes to first.
        codes: &[ParkCode::MemoryLimit, ParkCode::CpuLimit],
    },
    Flood {
        name: "random bytes at the same place",
        world: "import wasi:random/random@0.2.6;",
        imports: r#"(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))"#,
        before: "",
        again: "(global.set $next (i32.const 8192)) (call $random (i64.const 65536) (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "too many random bytes at once",
        world: "import wasi:random/random@0.2.6;",
        imports: r#"(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))"#,
        before: "",
        again: "(call $random (i64.const -1) (i32.const 256))",
        codes: &[ParkCode::Trap],
    },
    Flood {
        name: "the environment",
        world: "import wasi:cli/environment@0.2.6;",
        imports: r#"(import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))"#,
        before: "",
        again: "(call $environment (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "preopened folders",
        world: "import wasi:filesystem/preopens@0.2.6;",
        imports: r#"(import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))"#,
        before: "",
        again: "(call $directories (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "sockets",
        world: "import wasi:sockets/tcp-create-socket@0.2.6;",
        imports: r#"(import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $socket (param i32 i32)))"#,
        before: "",
        again: "(call $socket (i32.const 0) (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "streams that are kept",
        world: "import wasi:cli/stdout@0.2.6;",
        imports: r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))"#,
        before: "",
        again: "(drop (call $stdout))",
        codes: &[ParkCode::Trap],
    },
    Flood {
        name: "streams that are dropped",
        world: "import wasi:cli/stdout@0.2.6; import wasi:io/streams@0.2.6;",
        imports: r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
            (import "wasi:io/streams@0.2.6" "[resource-drop]output-stream" (func $drop (param i32)))"#,
        before: "",
        again: "(call $drop (call $stdout))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "writes of nothing",
        world: "import wasi:cli/stdout@0.2.6; import wasi:io/streams@0.2.6;",
        imports: r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
            (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))"#,
        before: "(local.set $it (call $stdout))",
        again: "(call $write (local.get $it) (i32.const 0) (i32.const 0) (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "reads of standard input",
        world: "import wasi:cli/stdin@0.2.6; import wasi:io/streams@0.2.6;",
        imports: r#"(import "wasi:cli/stdin@0.2.6" "get-stdin" (func $stdin (result i32)))
            (import "wasi:io/streams@0.2.6" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))"#,
        before: "(local.set $it (call $stdin))",
        again: "(call $read (local.get $it) (i64.const 1000000) (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "a timer that is polled",
        world: "import wasi:clocks/monotonic-clock@0.2.6; import wasi:io/poll@0.2.6;",
        imports: r#"(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $sleep (param i64) (result i32)))
            (import "wasi:io/poll@0.2.6" "[method]pollable.ready" (func $ready (param i32) (result i32)))"#,
        before: "(local.set $it (call $sleep (i64.const 1000000000)))",
        again: "(drop (call $ready (local.get $it)))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "a thousand timers in each poll",
        world: "import wasi:clocks/monotonic-clock@0.2.6; import wasi:io/poll@0.2.6;",
        imports: r#"(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $sleep (param i64) (result i32)))
            (import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))"#,
        before: "(loop $more
                (i32.store (i32.add (i32.const 65536) (local.get $it)) (call $sleep (i64.const 1)))
                (local.set $it (i32.add (local.get $it) (i32.const 4)))
                (br_if $more (i32.lt_u (local.get $it) (i32.const 4000))))",
        again: "(global.set $next (i32.const 8192)) (call $poll (i32.const 65536) (i32.const 1000) (i32.const 256))",
        codes: &[ParkCode::CpuLimit],
    },
    Flood {
        name: "a million timers in one poll",
        world: "import wasi:io/poll@0.2.6;",
        imports: r#"(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))"#,
        before: "",
        again: "(call $poll (i32.const 65536) (i32.const 1000000) (i32.const 256))",
        codes: &[ParkCode::Trap],
    },
];

#[tokio::test]
async fn a_flood_of_each_host_call_ends_by_its_code() {
    let house = House::new();
    for Flood {
        name,
        world,
        imports,
        before,
        again,
        codes,
    } in FLOODS
    {
        let transform = format!("(local $it i32) {before} (loop $again {again} (br $again)) (unreachable)");
        let guest = Guest {
            world,
            imports,
            transform: &transform,
            ..Guest::default()
        };
        let called = house.run(guest.build()).await;
        tell(name, &called);
        let ended = called.outcome.as_ref().err().map(|fault| fault.code);
        assert!(ended.is_some_and(|code| codes.contains(&code)), "{name}: {:?}", called.outcome);
    }
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
    let many = |part: &str, count: usize| part.repeat(count);
    let instances = |count| format!("(core module $m) {}", many("(core instance (instantiate $m))", count));
    let memories = |count: usize, pages: u32| {
        format!(
            "(core module $m (memory {pages})) {}",
            many("(core instance (instantiate $m))", count)
        )
    };
    let tables = |count: usize| {
        format!(
            "(core module $m (table 1 funcref)) {}",
            many("(core instance (instantiate $m))", count)
        )
    };
    for (name, before, code, says) in [
        ("500 instances", instances(500), "needs_too_much", "instance"),
        ("50,000 instances", instances(50_000), "compile_failed", "instances"),
        ("20 memories", memories(20, 1), "needs_too_much", "memor"),
        // Each of them would fit.
        ("seven memories of 10 MiB each", memories(7, 160), "faulty", "memory"),
        ("100 tables", tables(100), "needs_too_much", "table"),
        (
            "2,000 modules",
            many("(core module)", 2000),
            "too_complex",
            "modules and components",
        ),
        (
            "40 nested components",
            format!("{}{}", many("(component ", 40), many(")", 40)),
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
    house.upload(shell(&instances(100), &skipping("", ""), "")).await;
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
    let component = house
        .upload(
            Guest {
                transform: SKIP,
                ..Guest::default()
            }
            .build(),
        )
        .await;
    let called = house.plugins.transform(&component, &many).await;
    tell("200,000 targets", &called);
    assert!(called.outcome.is_ok(), "{:?}", called.outcome);
}

/// A generator of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.roll() as u8).collect()
    }
}

/// Truncated, overwritten and random binaries: each answer is a name for what is wrong, or a plugin that can be called.
#[tokio::test]
async fn broken_binaries_are_refused_by_name() {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    let house = House::new();
    let whole = component(
        &Guest {
            transform: SKIP,
            ..Guest::default()
        }
        .module(),
        "world guest { export hookmill:plugin/transformer@1.0.0; }",
    );
    let dice = &mut Dice(48);
    let mut binaries: Vec<(&str, Vec<u8>)> = Vec::new();
    for number in 0..60 {
        let length = 1 + dice.roll() as usize % 400;
        binaries.push(("random", dice.bytes(length)));
        binaries.push(("random module", [MODULE, &dice.bytes(length)].concat()));
        binaries.push(("random component", [COMPONENT, &dice.bytes(length)].concat()));
        binaries.push(("truncated", whole[..dice.roll() as usize % whole.len()].to_vec()));
        let mut overwritten = whole.clone();
        let at = 8 + dice.roll() as usize % (whole.len() - 8);
        let end = whole.len().min(at + 1 + number % 8);
        overwritten[at..end].copy_from_slice(&dice.bytes(end - at));
        binaries.push(("overwritten", overwritten));
    }
    let began = std::time::Instant::now();
    let mut ends = std::collections::BTreeMap::<(&str, &str), usize>::new();
    for (name, bytes) in binaries {
        let ended = match house.plugins.inspect(None, bytes.into()).await {
            Err(refusal) => {
                assert!(!matches!(refusal, Refusal::Host(_) | Refusal::Busy), "{refusal:?}");
                refusal.code()
            }
            Ok(inspection) => {
                assert!(["truncated", "overwritten"].contains(&name), "{name}: {inspection:?}");
                let component = house.plugins.loaded(&inspection.digest).expect("what is taken is loaded");
                let called = house.call(&component).await;
                assert!(
                    !matches!(&called.outcome, Err(fault) if fault.code == ParkCode::Unavailable),
                    "{called:?}"
                );
                "taken"
            }
        };
        *ends.entry((name, ended)).or_default() += 1;
    }
    for ((name, ended), count) in &ends {
        println!("{name:18} {ended:16} {count}");
    }
    println!("300 binaries in {} ms", began.elapsed().as_millis());
    let of_random = ends.keys().filter(|(name, _)| *name == "random");
    assert!(of_random.map(|(_, ended)| *ended).eq(["not_a_component"]));
}
