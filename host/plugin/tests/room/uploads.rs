//! What is refused at an upload, and by what name.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hookmill_domain::digest::Digest;
use hookmill_domain::limits::PluginLimits;
use hookmill_plugin_room::{CompileLimit, Refusal};

use crate::House;
use crate::guests::{Guest, SKIP, component};

async fn refused(bytes: Vec<u8>) -> Refusal {
    House::new().plugins.inspect(None, bytes.into()).await.expect_err("refused")
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("well-formed text")
}

#[tokio::test]
async fn a_plugin_is_described() {
    let house = House::new();
    let bytes = Guest {
        world: "import hookmill:plugin/log@1.0.0; import wasi:cli/stdout@0.2.6;",
        transform: SKIP,
        ..Guest::default()
    };
    let bytes = Guest {
        imports: r#"(import "hookmill:plugin/log@1.0.0" "info" (func (param i32 i32)))"#,
        ..bytes
    }
    .build();
    let inspection = house.plugins.inspect(None, bytes.clone().into()).await.expect("a plugin");
    assert_eq!(inspection.digest, Digest::of(&bytes));
    assert_eq!(inspection.contract.to_string(), "1.0.0");
    assert!(
        inspection.imports.contains(&"hookmill:plugin/log@1.0.0".to_owned()),
        "{:?}",
        inspection.imports
    );
    assert_eq!((inspection.schema, inspection.needs.is_large), (None, false));
    assert_eq!(inspection.component_bytes, bytes.len() as u64);
    assert!(inspection.artifact_bytes > inspection.component_bytes);
    assert_eq!(house.plugins.loaded_count(), 1);
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    assert!(matches!(refused(b"hello".to_vec()).await, Refusal::NotAComponent { .. }));
    assert!(matches!(refused(text("(module)")).await, Refusal::CoreModule));
    let whole = Guest::of(SKIP).build();
    for end in [9, whole.len() / 2, whole.len() - 1] {
        let refusal = refused(whole[..end].to_vec()).await;
        assert!(
            matches!(
                refusal,
                Refusal::Malformed { .. } | Refusal::WrongWorld { .. } | Refusal::CompileFailed { .. }
            ),
            "{refusal:?}"
        );
    }
}

#[tokio::test]
async fn flipped_bits_never_pass_as_something_else() {
    let house = House::new();
    let whole = Guest::of(SKIP).build();
    let mut ends = BTreeMap::<&str, Vec<Duration>>::new();
    // A sample of places: each ends in an answer.
    for at in (8..whole.len()).step_by(whole.len() / 12) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let began = Instant::now();
        let inspected = house.plugins.inspect(None, bytes.into()).await;
        let ended = inspected.as_ref().map_or_else(Refusal::code, |_| "taken");
        ends.entry(ended).or_default().push(began.elapsed());
    }
    for (ended, took) in &ends {
        let longest = took.iter().max().expect("there is one");
        println!("{ended:16} {:3}, the longest {:>7} us", took.len(), longest.as_micros());
    }
    // A bit of a name or of a number may be another one's: then it is a plugin, too.
    assert_eq!(ends.into_keys().collect::<Vec<_>>(), ["compile_failed", "malformed", "taken"]);
}

#[tokio::test]
async fn a_compiled_artifact_is_no_component() {
    let house = House::new();
    house.upload(Guest::of(SKIP).build()).await;
    let artifact = std::fs::read_dir(house.dir.path().join("artifacts"))
        .expect("the folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
        .expect("an artifact");
    let artifact = std::fs::read(artifact).expect("its bytes");
    let began = Instant::now();
    let refusal = refused(artifact).await;
    println!("{} after {} us: {refusal}", refusal.code(), began.elapsed().as_micros());
    assert!(matches!(refusal, Refusal::NotAComponent { what } if what.contains("compiled")));
}

#[tokio::test]
async fn a_component_that_is_no_plugin_is_refused() {
    let refusal = refused(component(
        r#"(module (func (export "run")))"#,
        "world guest { export run: func(); }",
    ))
    .await;
    assert!(
        refusal.to_string().contains("`run`") && refusal.to_string().contains("1.0.0"),
        "{refusal}"
    );
    assert!(matches!(refusal, Refusal::WrongWorld { .. }));
}

#[tokio::test]
async fn imports_that_are_not_offered_are_refused_by_name() {
    let world = "import secret: interface { steal: func(); } export hookmill:plugin/transformer@1.0.0;";
    let imports = r#"(import "secret" "steal" (func))"#;
    let module = Guest {
        imports,
        transform: SKIP,
        ..Guest::default()
    }
    .module();
    let refusal = refused(component(&module, &format!("world guest {{ {world} }}"))).await;
    assert!(matches!(refusal, Refusal::ImportNotOffered { name, .. } if name == "secret"));
}

/// The names that the scan lets through are those that the linker has.
#[tokio::test]
async fn every_offered_interface_is_linked() {
    let house = House::new();
    for interface in [
        "hookmill:plugin/log@1.0.0",
        "hookmill:plugin/log@1.7.0",
        "hookmill:plugin/types@1.0.0",
        "wasi:cli/environment@0.2.0",
        "wasi:cli/exit@0.2.0",
        "wasi:cli/stderr@0.2.0",
        "wasi:cli/stdin@0.2.0",
        "wasi:cli/stdout@0.2.9",
        "wasi:cli/terminal-input@0.2.0",
        "wasi:cli/terminal-output@0.2.0",
        "wasi:cli/terminal-stderr@0.2.0",
        "wasi:cli/terminal-stdin@0.2.0",
        "wasi:cli/terminal-stdout@0.2.0",
        "wasi:clocks/monotonic-clock@0.2.0",
        "wasi:clocks/wall-clock@0.2.99",
        "wasi:filesystem/preopens@0.2.0",
        "wasi:filesystem/types@0.2.0",
        "wasi:io/error@0.2.0",
        "wasi:io/poll@0.2.0",
        "wasi:io/streams@0.2.0",
        "wasi:random/insecure@0.2.0",
        "wasi:random/insecure-seed@0.2.0",
        "wasi:random/random@0.2.0",
        "wasi:sockets/instance-network@0.2.0",
        "wasi:sockets/ip-name-lookup@0.2.0",
        "wasi:sockets/network@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:sockets/tcp-create-socket@0.2.0",
        "wasi:sockets/udp@0.2.0",
        "wasi:sockets/udp-create-socket@0.2.0",
    ] {
        // An instance of nothing is satisfied by any that is there. Without a function `transform` it gets no further.
        let bytes = text(&format!(
            r#"(component (import "{interface}" (instance)) (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#
        ));
        let refusal = house.plugins.inspect(None, bytes.into()).await.expect_err("no transform");
        assert!(matches!(refusal, Refusal::WrongShape { .. }), "{interface}: {refusal}");
    }
}

#[tokio::test]
async fn an_offered_interface_in_another_shape_is_refused() {
    let bytes = text(
        r#"(component
            (import "hookmill:plugin/log@1.0.0" (instance (export "info" (func (param "message" u32)))))
            (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#,
    );
    let refusal = refused(bytes).await;
    assert!(
        matches!(&refusal, Refusal::ImportMismatch { message } if message.contains("hookmill:plugin/log")),
        "{refusal}"
    );
    let bytes = text(
        r#"(component
            (import "hookmill:plugin/log@1.0.0" (instance (export "shout" (func (param "message" string)))))
            (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#,
    );
    let refusal = refused(bytes).await;
    assert!(
        matches!(&refusal, Refusal::ImportMismatch { message } if message.contains("shout")),
        "{refusal}"
    );
}

#[tokio::test]
async fn an_export_in_another_shape_is_refused() {
    let bytes = text(
        r#"(component
            (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
            (core instance $m (instantiate $m))
            (func $f (param "event" u32) (result u32) (canon lift (core func $m "f")))
            (instance $i (export "transform" (func $f)))
            (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#,
    );
    let refusal = refused(bytes).await;
    assert!(matches!(refusal, Refusal::WrongShape { .. }), "{refusal}");
}

#[tokio::test]
async fn later_minor_versions_are_taken_and_other_majors_named() {
    let version = |version: &str| {
        text(&format!(
            r#"(component (instance $i) (export "hookmill:plugin/transformer@{version}" (instance $i)))"#
        ))
    };
    // It gets as far as its missing function.
    assert!(matches!(refused(version("1.9.3")).await, Refusal::WrongShape { .. }));
    let refusal = refused(version("2.0.0")).await;
    assert_eq!(
        refusal.to_string(),
        "the component was built for version 2.0.0 of `hookmill:plugin`; this host knows 1.0.0"
    );
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_before_anything_else() {
    let house = House::with(PluginLimits {
        component_bytes_max: 100,
        ..PluginLimits::default()
    });
    let refusal = house.plugins.inspect(None, vec![0; 101].into()).await.expect_err("too large");
    assert!(matches!(
        refusal,
        Refusal::TooLarge {
            bytes: 101,
            bytes_max: 100
        }
    ));
}

#[tokio::test]
async fn a_refused_component_leaves_nothing_behind() {
    let house = House::with(PluginLimits {
        cpu_ms: 20,
        ..PluginLimits::default()
    });
    let items = "(func $start unreachable) (start $start)";
    let refusal = house.plugins.inspect(None, Guest::defining(items).build().into()).await;
    assert!(matches!(refusal, Err(Refusal::Faulty { .. })), "{refusal:?}");
    assert_eq!(house.plugins.loaded_count(), 0);
    let left = std::fs::read_dir(house.dir.path().join("artifacts")).expect("the folder");
    let left: Vec<_> = left
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|name| name != "new" && !name.to_string_lossy().ends_with(".engine"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// One function of some hundred KB, whose compile time grows with its square: the child's CPU time ends it.
#[tokio::test]
async fn a_compile_bomb_ends_at_the_childs_cpu_time() {
    let house = House::with(PluginLimits {
        compile_cpu_seconds: 1,
        ..PluginLimits::default()
    });
    let mut items = String::from("(func $bomb (param i32) (result i32) (local i32)");
    for _ in 0..60_000 {
        items.push_str("(block (br_if 0 (local.get 0)) (local.set 1 (i32.add (local.get 1) (local.get 0))))");
    }
    items.push_str("(local.get 1))");
    let began = Instant::now();
    let refusal = house.plugins.inspect(None, Guest::defining(&items).build().into()).await;
    let Err(Refusal::CompileLimit { limit }) = refusal else {
        panic!("{refusal:?}")
    };
    // On a machine that is busy enough, the wall clock comes first.
    assert!(
        matches!(
            limit,
            CompileLimit::Cpu { cpu_seconds: 1 } | CompileLimit::Wall { wall_seconds: 10 }
        ),
        "{limit}"
    );
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_compile_that_needs_too_much_memory_ends() {
    let house = House::with(PluginLimits {
        compile_memory_bytes: 64 * 1024 * 1024,
        ..PluginLimits::default()
    });
    let mut items = String::new();
    for name in 0..20_000 {
        items.push_str(&format!(
            "(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {name})))"
        ));
    }
    let refusal = house.plugins.inspect(None, Guest::defining(&items).build().into()).await;
    let Err(Refusal::CompileLimit { limit }) = refusal else {
        panic!("{refusal:?}")
    };
    assert_eq!(
        limit,
        CompileLimit::Memory {
            memory_bytes: 64 * 1024 * 1024
        }
    );
}
