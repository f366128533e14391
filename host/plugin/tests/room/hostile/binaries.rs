//! Binaries that are no components, or hardly.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hookmill_domain::outcome::ParkCode;

use crate::House;
use crate::guests::{Guest, SKIP, component};

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
        &Guest::of(SKIP).module(),
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
    let mut ends = BTreeMap::<(&str, &str), Vec<Duration>>::new();
    for (name, bytes) in binaries {
        let began = Instant::now();
        let inspected = house.plugins.inspect(None, bytes.into()).await;
        let took = began.elapsed();
        let ended = match inspected {
            Err(refusal) => refusal.code(),
            Ok(inspection) => {
                let component = house.plugins.loaded(&inspection.digest).expect("what is taken is loaded");
                let called = house.call(&component).await;
                assert!(
                    !matches!(&called.outcome, Err(fault) if fault.code == ParkCode::Unavailable),
                    "{called:?}"
                );
                "taken"
            }
        };
        ends.entry((name, ended)).or_default().push(took);
    }
    for ((name, ended), took) in &ends {
        let longest = took.iter().max().expect("there is one");
        println!("{name:18} {ended:16} {:3}, the longest {:>7} us", took.len(), longest.as_micros());
    }
    // What is said of each kind, and nothing else: above all nothing of the host's own.
    let ends_of = |kind: &str| -> Vec<&str> { ends.keys().filter(|(name, _)| *name == kind).map(|(_, ended)| *ended).collect() };
    assert_eq!(ends_of("random"), ["not_a_component"]);
    assert_eq!(ends_of("random module"), ["core_module"]);
    assert_eq!(ends_of("random component"), ["malformed"]);
    assert_eq!(ends_of("truncated"), ["malformed"]);
    assert_eq!(ends_of("overwritten"), ["compile_failed", "malformed", "taken"]);
}
