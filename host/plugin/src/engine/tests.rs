use hookmill_domain::digest::Digest;
use hookmill_domain::time::Time;
use serde::Deserialize;
use serde_json::value::RawValue;
use wasmtime::OptLevel;

use super::*;
use crate::call::Call;
use crate::compiling::Fresh;
use crate::fuel::{Fuel, count};
use crate::inspect::link;
use crate::mapping::taken;
use crate::sandbox::store;

const PASSTHROUGH: &[u8] = include_bytes!("../../../../plugins/passthrough/passthrough.wasm");
const FLATTEN: &[u8] = include_bytes!("../../../../plugins/flatten/flatten.wasm");
const PREDICT: &str = include_str!("../../../../tests/samples/document_predict.json");

#[test]
fn the_compatible_name_is_stable() {
    let name = |metering| compatibility(&compiling(metering).expect("an engine"));
    let once = name(Metering::Epochs);
    assert_eq!(once, name(Metering::Epochs));
    assert_eq!(once.len(), 16);
    assert_eq!(once, own_compatibility().expect("an engine"));
    assert_ne!(once, name(Metering::Fuel), "code that counts fuel has another name");
}

#[test]
fn a_hosts_engines_know_no_fuel_and_the_one_that_counts_it_no_epochs() {
    let limits = PluginLimits::default();
    let tiers = Tiers::open(&limits, 1, 1).expect("engines");
    let counting = Tier::open(&limits, &Size::small(1, 1), Metering::Fuel).expect("an engine");
    let compilers = [Metering::Epochs, Metering::Fuel].map(|metering| compiling(metering).expect("an engine"));
    for (engine, counts) in [
        (&tiers.small.engine, false),
        (&tiers.large.engine, false),
        (&compilers[0], false),
        (&counting.engine, true),
        (&compilers[1], true),
    ] {
        assert_eq!((engine.get_consume_fuel(), engine.get_epoch_interruption()), (counts, !counts));
    }
}

#[test]
fn an_engine_refuses_code_that_is_metered_otherwise() {
    let limits = PluginLimits::default();
    let kinds = [Metering::Epochs, Metering::Fuel];
    for (compiled, run) in kinds.into_iter().flat_map(|compiled| kinds.map(|run| (compiled, run))) {
        let artifact = Fresh::by(&compiling(compiled).expect("an engine"), PASSTHROUGH);
        let tier = Tier::open(&limits, &Size::small(1, 1), run).expect("an engine");
        let taken = taken(&tier.engine, &artifact);
        assert_eq!(taken.is_ok(), compiled == run, "{compiled:?} on {run:?}: {:?}", taken.err());
    }
}

/// Other processors and systems, as far as one machine can play them: a processor without what newer ones have, code that nobody has
/// optimised, and a system with few addresses or without signals, where the code itself checks each access.
#[tokio::test]
async fn the_count_is_the_same_whatever_the_code_is_compiled_to() {
    const NEWER: &[&str] = match () {
        () if cfg!(target_arch = "x86_64") => &[
            "has_sse41",
            "has_avx",
            "has_avx2",
            "has_bmi1",
            "has_bmi2",
            "has_popcnt",
            "has_lzcnt",
        ],
        () if cfg!(target_arch = "aarch64") => &["has_lse"],
        () => &[],
    };
    type Change = fn(&mut Config, &mut Config);
    let others: [Change; 4] = [
        |compiler, _| {
            for feature in NEWER {
                // SAFETY: code that uses less of the processor runs on it, too.
                #[expect(unsafe_code, reason = "the engine can not know what a flag does")]
                unsafe {
                    compiler.cranelift_flag_set(feature, "false");
                }
            }
        },
        |compiler, _| {
            compiler.cranelift_opt_level(OptLevel::None);
        },
        |compiler, running| {
            for config in [compiler, running] {
                config
                    .memory_reservation(PluginLimits::default().memory_bytes_max)
                    .memory_guard_size(0);
            }
        },
        |compiler, running| {
            for config in [compiler, running] {
                config.signals_based_traps(false);
            }
        },
    ];
    #[derive(Deserialize)]
    struct Posted<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let predict: Posted<'_> = serde_json::from_str(PREDICT).expect("an event");
    for component in [PASSTHROUGH, FLATTEN] {
        let here = counted(component, predict.data.get(), |_, _| ()).await;
        assert!(matches!(here, Fuel::Used(used) if used > 1000), "{here:?}");
        for (number, other) in others.into_iter().enumerate() {
            assert_eq!(counted(component, predict.data.get(), other).await, here, "other {number}");
        }
    }
}

/// The fuel of a call by engines that differ from those of this machine.
async fn counted(component: &[u8], data: &str, change: fn(&mut Config, &mut Config)) -> Fuel {
    let (limits, size) = (PluginLimits::default(), Size::small(1, 1));
    let mut compiler = compiler(Metering::Fuel);
    let mut running = running(&limits, &size, Metering::Fuel);
    change(&mut compiler, &mut running);
    let artifact = Fresh::by(&Engine::new(&compiler).expect("an engine"), component);
    let tier = Arc::new(Tier::with(&running, &size).expect("an engine"));
    let made = taken(&tier.engine, &artifact).expect("of the same kind");
    let component = link(&tier, Digest::of(component), &made, 0, 0).expect("a plugin");
    let call = Call {
        event_id: "evt_1",
        kind: "document_predict",
        organization: "contractfit1",
        inbox: None,
        project: None,
        accepted_at: Time::default(),
        data,
        integration_id: "int_1",
        targets: &[],
        config: "null",
        seed: [7; 32],
    };
    let mut store = store(&tier, &limits, data.len() as u64, call.accepted_at, call.seed);
    count(component.ready(), &mut store, &call).await
}
