//! Floods: each host call in a loop without end.

use hookmill_domain::outcome::ParkCode;

use super::tell;
use crate::House;
use crate::guests::Guest;

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
