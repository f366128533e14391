//! What a call gives the guest, and what it takes from it.

use hookmill_domain::outcome::{Body, GuestRequest, Method, Outcome, ParkCode};
use hookmill_plugin_room::{Call, Refusal};

use crate::guests::{Guest, deliver};
use crate::{DATA, House, an_event, bodies, fault};

/// The built-in plugin, as it stands in the repository.
const PASSTHROUGH: &[u8] = include_bytes!("../../../../plugins/passthrough/passthrough.wasm");

#[tokio::test]
async fn the_passthrough_gives_the_documented_payload_to_the_byte() {
    let house = House::new();
    let component = house.upload(PASSTHROUGH.to_vec()).await;
    let called = house.call(&component).await;
    assert_eq!(
        bodies(&called),
        [format!(
            r#"{{"event": "document_text", "organization": "contractfit1", "data": {DATA}}}"#
        )]
    );
    assert!(called.facts.memory_bytes > 0 && called.facts.log.is_none());
    let of_inbox = Call {
        inbox: Some("in"),
        project: Some("pro\"ject"),
        ..an_event()
    };
    let called = house.plugins.transform(&component, &of_inbox).await;
    assert_eq!(
        bodies(&called),
        [format!(
            r#"{{"event": "document_text", "organization": "contractfit1", "inbox": "in", "project": "pro\"ject", "data": {DATA}}}"#
        )]
    );
    let Ok(Outcome::Deliver(requests)) = called.outcome else {
        unreachable!("it had bodies")
    };
    assert!(matches!(requests[0].body, Body::Json(_)));
    assert_eq!(
        (requests[0].method, &requests[0].target, &requests[0].path),
        (Method::Post, &None, &None)
    );
}

#[tokio::test]
async fn fifty_runs_give_the_same_bytes() {
    let house = House::new();
    let component = house.upload(PASSTHROUGH.to_vec()).await;
    let first = house.call(&component).await;
    for _ in 0..50 {
        assert_eq!(house.call(&component).await.outcome, first.outcome);
    }
}

/// Every parameter in a row, with a stroke after each, as one text.
#[tokio::test]
async fn a_guest_is_given_the_event_and_the_integration() {
    let house = House::new();
    // ptr and len of: id, kind, organization, accepted-at, data, integration's id, the first and second target, config.
    let texts = ["0", "8", "16", "48", "56", "64"].map(|at| {
        let len: u32 = at.parse::<u32>().expect("a number") + 4;
        format!("(call $put (i32.load offset={at} (local.get $args)) (i32.load offset={len} (local.get $args)))")
    });
    let items = r#"
        (global $end (mut i32) (i32.const 4096))
        (func $put (param $ptr i32) (param $len i32)
            (memory.copy (global.get $end) (local.get $ptr) (local.get $len))
            (global.set $end (i32.add (global.get $end) (local.get $len)))
            (i32.store8 (global.get $end) (i32.const 124))
            (global.set $end (i32.add (global.get $end) (i32.const 1))))"#;
    let targets = "(i32.load offset=72 (local.get $args))";
    let transform = format!(
        "{}
         (call $put (i32.load {targets}) (i32.load offset=4 {targets}))
         (call $put (i32.load offset=8 {targets}) (i32.load offset=12 {targets}))
         (call $put (i32.load offset=80 (local.get $args)) (i32.load offset=84 (local.get $args)))
         {}",
        texts.join("\n"),
        deliver("(i32.const 4096)", "(i32.sub (global.get $end) (i32.const 4096))")
    );
    let called = house
        .run(
            Guest {
                items,
                transform: &transform,
                ..Guest::default()
            }
            .build(),
        )
        .await;
    let expected = format!("evt_1|document_text|contractfit1|2026-09-21T14:13:20.120Z|{DATA}|int_1|review|archive|null|");
    assert_eq!(bodies(&called), [expected]);
}

#[tokio::test]
async fn every_field_of_a_request_is_taken() {
    let house = House::new();
    let items = r#"(data (i32.const 100) "bytestarget/pathqvhwtype/x")"#;
    // A list of pairs of strings: (ptr, len, ptr, len).
    let transform = r#"
        (i32.store (i32.const 2048) (i32.const 116)) (i32.store (i32.const 2052) (i32.const 1))
        (i32.store (i32.const 2056) (i32.const 117)) (i32.store (i32.const 2060) (i32.const 1))
        (i32.store (i32.const 2064) (i32.const 118)) (i32.store (i32.const 2068) (i32.const 1))
        (i32.store (i32.const 2072) (i32.const 119)) (i32.store (i32.const 2076) (i32.const 1))
        (i32.store8 (i32.const 1024) (i32.const 2)) (i32.store (i32.const 1028) (i32.const 100)) (i32.store (i32.const 1032) (i32.const 5))
        (i32.store8 (i32.const 1036) (i32.const 1)) (i32.store (i32.const 1040) (i32.const 105)) (i32.store (i32.const 1044) (i32.const 6))
        (i32.store8 (i32.const 1048) (i32.const 1)) (i32.store8 (i32.const 1049) (i32.const 2))
        (i32.store8 (i32.const 1052) (i32.const 1)) (i32.store (i32.const 1056) (i32.const 111)) (i32.store (i32.const 1060) (i32.const 5))
        (i32.store8 (i32.const 1064) (i32.const 1)) (i32.store (i32.const 1068) (i32.const 2048)) (i32.store (i32.const 1072) (i32.const 1))
        (i32.store8 (i32.const 1076) (i32.const 1)) (i32.store (i32.const 1080) (i32.const 2064)) (i32.store (i32.const 1084) (i32.const 1))
        (i32.store8 (i32.const 1088) (i32.const 1)) (i32.store (i32.const 1092) (i32.const 120)) (i32.store (i32.const 1096) (i32.const 6))
        (i32.store (i32.const 516) (i32.const 1024)) (i32.store (i32.const 520) (i32.const 1))
        (i32.const 512)"#;
    let called = house
        .run(
            Guest {
                items,
                transform,
                ..Guest::default()
            }
            .build(),
        )
        .await;
    let text = str::to_owned;
    let expected = GuestRequest {
        body: Body::Bytes("bytes".into()),
        target: Some(text("target")),
        method: Method::Patch,
        path: Some(text("/path")),
        query: vec![(text("q"), text("v"))],
        headers: vec![(text("h"), text("w"))],
        content_type: Some(text("type/x")),
    };
    assert_eq!(called.outcome, Ok(Outcome::Deliver(vec![expected])));
}

#[tokio::test]
async fn skips_and_rejects_carry_their_reasons_cut() {
    let house = House::new();
    for (case, len, kept) in [(1, 3, 3), (2, 5000, 1024)] {
        let transform = format!(
            "(memory.fill (i32.const 16384) (i32.const 97) (i32.const 5000))
             (i32.store8 (i32.const 512) (i32.const {case}))
             (i32.store (i32.const 516) (i32.const 16384)) (i32.store (i32.const 520) (i32.const {len}))
             (i32.const 512)"
        );
        let called = house.run(Guest::of(&transform).build()).await;
        let reason = "a".repeat(kept);
        assert_eq!(
            called.outcome,
            Ok(if case == 1 {
                Outcome::Skip(reason)
            } else {
                Outcome::Reject(reason)
            })
        );
    }
}

#[tokio::test]
async fn two_components_in_turn_keep_apart() {
    let house = House::new();
    let items = "(global $calls (mut i32) (i32.const 0))";
    // Each tells in its body how often this instance was called: always once.
    let one = |letter: &str| {
        let transform = format!(
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (i32.store8 (i32.const 100) (i32.const {})) (i32.store8 (i32.const 101) (i32.add (i32.const 48) (global.get $calls)))
             (i32.store8 (i32.const 102) (i32.add (i32.const 48) (i32.load8_u (i32.const 5000)))) (i32.store8 (i32.const 5000) (i32.const 1))
             {}",
            letter.as_bytes()[0],
            deliver("(i32.const 100)", "(i32.const 3)")
        );
        Guest {
            items,
            transform: &transform,
            ..Guest::default()
        }
        .build()
    };
    let (a, b) = (house.upload(one("a")).await, house.upload(one("b")).await);
    for _ in 0..20 {
        assert_eq!(bodies(&house.call(&a).await), ["a10"]);
        assert_eq!(bodies(&house.call(&b).await), ["b10"]);
    }
}

#[tokio::test]
async fn a_trap_names_the_functions_it_was_in() {
    let house = House::new();
    let items = r#"(func $_ZN5mylib9transform17h0123456789abcdefE unreachable)"#;
    let guest = Guest {
        items,
        transform: "(call $_ZN5mylib9transform17h0123456789abcdefE) (i32.const 0)",
        ..Guest::default()
    };
    let fault = fault(house.run(guest.build()).await, ParkCode::Trap);
    assert!(fault.message.contains("unreachable"), "{}", fault.message);
    assert!(fault.message.contains("at mylib::transform"), "{}", fault.message);
}

#[tokio::test]
async fn a_fault_tells_the_last_error_line() {
    let house = House::new();
    let guest = Guest {
        world: "import hookmill:plugin/log@1.0.0;",
        imports: r#"(import "hookmill:plugin/log@1.0.0" "error" (func $error (param i32 i32)))
                    (import "hookmill:plugin/log@1.0.0" "info" (func $info (param i32 i32)))"#,
        items: r#"(data (i32.const 100) "oh no, it brokefine")"#,
        transform: "(call $error (i32.const 100) (i32.const 15)) (call $info (i32.const 115) (i32.const 4)) unreachable",
        ..Guest::default()
    };
    let called = house.run(guest.build()).await;
    assert_eq!(called.facts.log.as_deref(), Some("error: oh no, it broke\ninfo: fine\n"));
    assert!(fault(called, ParkCode::Trap).message.starts_with("oh no, it broke\n"));
}

#[tokio::test]
async fn text_that_is_no_text_is_a_trap() {
    let house = House::new();
    let transform = format!(
        "(i32.store8 (i32.const 100) (i32.const 255)) {}",
        deliver("(i32.const 100)", "(i32.const 1)")
    );
    let fault = fault(house.run(Guest::of(&transform).build()).await, ParkCode::Trap);
    assert!(fault.message.contains("utf-8"), "{}", fault.message);
}

#[tokio::test]
async fn a_pointer_out_of_bounds_is_a_trap() {
    let house = House::new();
    for transform in ["(i32.const -4)".to_owned(), deliver("(i32.const 100)", "(i32.const -1)")] {
        fault(house.run(Guest::of(&transform).build()).await, ParkCode::Trap);
    }
}

/// Calls can be moved between threads, and many run at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_end_alike() {
    let house = House::new();
    let component = house.upload(PASSTHROUGH.to_vec()).await;
    let expected = house.call(&component).await.outcome;
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let (plugins, component) = (house.plugins.clone(), component.clone());
            tokio::spawn(async move { plugins.transform(&component, &an_event()).await.outcome })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), expected);
    }
}

/// Whatever a caller waits for can wait on any thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wait_can_be_spawned() {
    let house = House::new();
    let plugins = house.plugins.clone();
    let spawned = tokio::spawn(async move {
        let inspection = plugins.inspect(None, PASSTHROUGH.to_vec().into()).await?;
        let fetch = async || std::io::Result::Ok(PASSTHROUGH.into());
        let component = plugins.load(None, inspection.digest, fetch).await.expect("loaded");
        plugins.check_config("true", "null").await.expect("anything fits");
        Ok::<_, Refusal>(plugins.transform(&component, &an_event()).await)
    });
    let called = spawned.await.expect("no panic").expect("a plugin");
    assert_eq!(bodies(&called).len(), 1);
}

#[tokio::test]
async fn not_a_number_has_one_shape() {
    let house = House::new();
    let transform = format!(
        "(f32.store (i32.const 100) (f32.add (f32.reinterpret_i32 (i32.const 0x7fa55aa5)) (f32.const 1)))
         (i32.store (i32.const 100) (i32.eq (i32.load (i32.const 100)) (i32.const 0x7fc00000)))
         (i32.store8 (i32.const 100) (i32.add (i32.const 48) (i32.load (i32.const 100))))
         {}",
        deliver("(i32.const 100)", "(i32.const 1)")
    );
    assert_eq!(bodies(&house.run(Guest::of(&transform).build()).await), ["1"]);
}

/// Interpreted languages bring several modules with a memory each: these get larger slots.
#[tokio::test]
async fn a_component_with_two_memories_runs_in_a_large_slot() {
    let house = House::new();
    let mut bytes = Guest {
        transform: &deliver("(i32.const 100)", "(i32.const 0)"),
        ..Guest::default()
    }
    .build();
    let second = wat::parse_str("(module (memory 1))").expect("well-formed text");
    // A section with a second core module, and one with an instance of it.
    bytes.extend([1, u8::try_from(second.len()).expect("a small module")]);
    bytes.extend(second);
    bytes.extend([2, 4, 1, 0, 1, 0]);
    let inspection = house.plugins.inspect(None, bytes.into()).await.expect("a plugin");
    assert!(inspection.needs.is_large);
    let component = house.plugins.loaded(&inspection.digest).expect("loaded");
    let called = house.call(&component).await;
    assert_eq!(bodies(&called), [""]);
    assert_eq!(called.facts.memory_bytes, 3 * 65536, "both memories are counted");
}

#[tokio::test]
async fn a_module_with_two_memories_is_refused() {
    let house = House::new();
    let refusal = house.plugins.inspect(None, Guest::defining("(memory 1)").build().into()).await;
    assert!(matches!(refusal, Err(Refusal::NeedsTooMuch { .. })), "{refusal:?}");
}
