//! WASI as guests find it: deterministic, and empty.

use hookmill_domain::outcome::ParkCode;
use hookmill_plugin_room::Call;

use crate::guests::{Guest, SKIP, deliver};
use crate::hostile::tell;
use crate::{ACCEPTED_AT_MS, House, an_event, bodies, fault};

/// Writes numbers as 16 hexadecimal digits from 4096 on.
const HEX: &str = r#"
    (global $end (mut i32) (i32.const 4096))
    (func $hex (param $n i64)
        (local $i i32) (local $digit i32)
        (loop $again
            (local.set $digit (i32.wrap_i64 (i64.shr_u (local.get $n) (i64.const 60))))
            (local.set $n (i64.shl (local.get $n) (i64.const 4)))
            (i32.store8 (global.get $end) (i32.add (local.get $digit)
                (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
            (global.set $end (i32.add (global.get $end) (i32.const 1)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 16)))))"#;

fn deliver_hex() -> String {
    deliver("(i32.const 4096)", "(i32.sub (global.get $end) (i32.const 4096))")
}

fn numbers(body: &str) -> Vec<u64> {
    let digits: Vec<char> = body.chars().collect();
    digits
        .chunks(16)
        .map(|digits| u64::from_str_radix(&digits.iter().collect::<String>(), 16).expect("digits"))
        .collect()
}

const CLOCKS: Guest<'_> = Guest {
    world: "import wasi:clocks/wall-clock@0.2.6; import wasi:clocks/monotonic-clock@0.2.6; import wasi:io/poll@0.2.6;",
    imports: r#"
        (import "wasi:clocks/wall-clock@0.2.6" "now" (func $wall (param i32)))
        (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $monotonic (result i64)))
        (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $sleep (param i64) (result i32)))
        (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
        (import "wasi:io/poll@0.2.6" "[method]pollable.ready" (func $ready (param i32) (result i32)))
        (import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))"#,
    pages: 0,
    items: HEX,
    transform: "",
};

#[tokio::test]
async fn clocks_stand_and_a_sleep_moves_them_on_at_once() {
    let house = House::new();
    let wall = "(call $wall (i32.const 256)) (call $hex (i64.load (i32.const 256))) (call $hex (i64.load32_u (i32.const 264)))";
    // An hour.
    let transform = format!(
        "{wall} (call $hex (call $monotonic)) (call $block (call $sleep (i64.const 3600000000000))) {wall} (call $hex (call $monotonic)) {}",
        deliver_hex()
    );
    let component = house
        .upload(
            Guest {
                transform: &transform,
                ..CLOCKS
            }
            .build(),
        )
        .await;
    let called = house.call(&component).await;
    let ms = ACCEPTED_AT_MS as u64;
    let (s, ns) = (ms / 1000, ms % 1000 * 1_000_000);
    let monotonic = ms * 1_000_000;
    assert_eq!(
        numbers(&bodies(&called)[0]),
        [s, ns, monotonic, s + 3600, ns, monotonic + 3_600_000_000_000]
    );
    assert!(called.facts.duration_us < 1_000_000, "{} us for an hour", called.facts.duration_us);
    assert_eq!(house.call(&component).await.outcome, called.outcome);
}

/// Of several timers the earliest is ready first, and only it.
#[tokio::test]
async fn waiting_for_several_timers_ends_with_the_earliest() {
    let house = House::new();
    let transform = format!(
        "(local $late i32)
         (local.set $late (call $sleep (i64.const 5000000)))
         (i32.store (i32.const 300) (local.get $late))
         (i32.store (i32.const 304) (call $sleep (i64.const 2000000)))
         (call $hex (i64.extend_i32_u (call $ready (local.get $late))))
         (call $poll (i32.const 300) (i32.const 2) (i32.const 320))
         (call $hex (i64.load32_u (i32.const 324))) (call $hex (i64.load32_u (i32.load (i32.const 320))))
         (call $hex (call $monotonic))
         (call $block (local.get $late))
         (call $hex (call $monotonic))
         {}",
        deliver_hex()
    );
    let called = house
        .run(
            Guest {
                transform: &transform,
                ..CLOCKS
            }
            .build(),
        )
        .await;
    let start = ACCEPTED_AT_MS as u64 * 1_000_000;
    // Not ready at first; one is ready, the second; 2 ms later; 5 ms later.
    assert_eq!(numbers(&bodies(&called)[0]), [0, 1, 1, start + 2_000_000, start + 5_000_000]);
}

#[tokio::test]
async fn an_endless_sleeper_ends_at_its_cpu_time() {
    let house = House::new();
    let transform = "(local $timer i32) (local.set $timer (call $sleep (i64.const 1000000000)))
        (loop $again (call $block (local.get $timer)) (drop (call $monotonic)) (br $again)) (unreachable)";
    let component = house.upload(Guest { transform, ..CLOCKS }.build()).await;
    let called = house.call(&component).await;
    tell("an endless sleeper", &called);
    assert!(called.facts.duration_us < 5_000_000);
    fault(called, ParkCode::CpuLimit);
}

#[tokio::test]
async fn timers_without_end_are_a_fault() {
    let house = House::new();
    let transform = "(loop $again (drop (call $sleep (i64.const 1))) (br $again)) (unreachable)";
    let called = house.run(Guest { transform, ..CLOCKS }.build()).await;
    tell("timers without end", &called);
    fault(called, ParkCode::Trap);
}

#[tokio::test]
async fn random_numbers_come_out_of_the_seed() {
    let house = House::new();
    let transform = format!(
        "(call $hex (call $random)) (call $hex (call $random)) (call $hex (call $insecure))
         (call $seed (i32.const 256)) (call $hex (i64.load (i32.const 256))) (call $hex (i64.load (i32.const 264))) {}",
        deliver_hex()
    );
    let guest = Guest {
        world: "import wasi:random/random@0.2.6; import wasi:random/insecure@0.2.6; import wasi:random/insecure-seed@0.2.6;",
        imports: r#"
            (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
            (import "wasi:random/insecure@0.2.6" "get-insecure-random-u64" (func $insecure (result i64)))
            (import "wasi:random/insecure-seed@0.2.6" "insecure-seed" (func $seed (param i32)))"#,
        items: HEX,
        transform: &transform,
        ..Guest::default()
    };
    let component = house.upload(guest.build()).await;
    let first = numbers(&bodies(&house.call(&component).await)[0]);
    // Frozen: plugins' answers to old events hang on them.
    assert_eq!(first[0], u64::from_le_bytes([0x49, 0xec, 0xca, 0x03, 0x4f, 0xb1, 0xf1, 0x94]));
    for (i, number) in first.iter().enumerate() {
        assert!(!first[..i].contains(number), "{first:?}");
    }
    assert_eq!(numbers(&bodies(&house.call(&component).await)[0]), first);
    let other = house
        .plugins
        .transform(
            &component,
            &Call {
                seed: [8; 32],
                ..an_event()
            },
        )
        .await;
    assert_ne!(numbers(&bodies(&other)[0]), first);
}

#[tokio::test]
async fn standard_output_and_error_go_to_the_log() {
    let house = House::new();
    let write = "[method]output-stream.blocking-write-and-flush";
    let imports = format!(
        r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
           (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
           (import "wasi:io/streams@0.2.6" "{write}" (func $write (param i32 i32 i32 i32)))"#
    );
    let guest = Guest {
        world: "import wasi:cli/stdout@0.2.6; import wasi:cli/stderr@0.2.6; import wasi:io/streams@0.2.6;",
        imports: &imports,
        items: r#"(data (i32.const 100) "one\ntwo panicked here\n")"#,
        transform: "(call $write (call $stdout) (i32.const 100) (i32.const 7) (i32.const 256))
            (call $write (call $stderr) (i32.const 108) (i32.const 14) (i32.const 256))
            unreachable",
        ..Guest::default()
    };
    let called = house.run(guest.build()).await;
    assert_eq!(
        called.facts.log.as_deref(),
        Some("stdout: one\nstderr: panicked here\nstdout: two\n")
    );
    assert!(fault(called, ParkCode::Trap).message.starts_with("panicked here\n"));
}

#[tokio::test]
async fn a_flood_of_standard_output_ends_the_call() {
    let house = House::new();
    let write = "[method]output-stream.blocking-write-and-flush";
    let imports = format!(
        r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
           (import "wasi:io/streams@0.2.6" "{write}" (func $write (param i32 i32 i32 i32)))"#
    );
    let guest = Guest {
        world: "import wasi:cli/stdout@0.2.6; import wasi:io/streams@0.2.6;",
        imports: &imports,
        transform: "(local $stdout i32)
            (local.set $stdout (call $stdout))
            (memory.fill (i32.const 65536) (i32.const 10) (i32.const 4096))
            (loop $again
                (call $write (local.get $stdout) (i32.const 65536) (i32.const 4096) (i32.const 256))
                (br $again))
            unreachable",
        ..Guest::default()
    };
    let called = house.run(guest.build()).await;
    tell("a flood of standard output", &called);
    let fault = fault(called, ParkCode::OutputLimit);
    assert!(fault.message.starts_with("the plugin flooded its log"), "{}", fault.message);
}

#[tokio::test]
async fn an_exit_is_a_trap_whatever_its_status() {
    let house = House::new();
    for status in [0, 1] {
        let transform = format!("(call $exit (i32.const {status})) {SKIP}");
        let guest = Guest {
            world: "import wasi:cli/exit@0.2.6;",
            imports: r#"(import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))"#,
            transform: &transform,
            ..Guest::default()
        };
        let fault = fault(house.run(guest.build()).await, ParkCode::Trap);
        assert!(fault.message.contains(&format!("exit({status})")), "{}", fault.message);
    }
}

#[tokio::test]
async fn there_are_no_folders_sockets_arguments_and_variables() {
    let house = House::new();
    let counts = ["directories", "environment", "arguments"]
        .map(|of| format!("(call ${of} (i32.const 256)) (call $hex (i64.load32_u (i32.const 260)))"));
    let sockets = ["tcp", "udp"].map(|of| {
        format!(
            "(call ${of} (i32.const 0) (i32.const 256))
             (call $hex (i64.load8_u (i32.const 256))) (call $hex (i64.load8_u (i32.const 260)))"
        )
    });
    let transform = format!("{} {} {}", counts.join(" "), sockets.join(" "), deliver_hex());
    let guest = Guest {
        world: "import wasi:filesystem/preopens@0.2.6; import wasi:cli/environment@0.2.6;
                import wasi:sockets/tcp-create-socket@0.2.6; import wasi:sockets/udp-create-socket@0.2.6;",
        imports: r#"
            (import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))
            (import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
            (import "wasi:cli/environment@0.2.6" "get-arguments" (func $arguments (param i32)))
            (import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $tcp (param i32 i32)))
            (import "wasi:sockets/udp-create-socket@0.2.6" "create-udp-socket" (func $udp (param i32 i32)))"#,
        items: HEX,
        transform: &transform,
        ..Guest::default()
    };
    let called = house.run(guest.build()).await;
    // Three lists of nothing; both results are an error, and the error is the first but one: access denied.
    assert_eq!(numbers(&bodies(&called)[0]), [0, 0, 0, 1, 1, 1, 1]);
}
