//! `--fuel`: how much a call computes.

use serde_json::{Value, json};

use super::{PREDICT, TEXT, ran};
use crate::commands::{Files, Said, command};
use crate::parts::components::{FLATTEN, PASSTHROUGH, wat};
use crate::parts::host::text;

/// Two processes, of which one gives the call so little time that a slow machine would park it.
#[test]
fn fuel_is_told_when_it_is_asked_for_and_is_the_same_each_time() {
    let files = Files::new();
    for (component, event) in [(PASSTHROUGH, TEXT), (FLATTEN, PREDICT)] {
        let component = files.write("component.wasm", component);
        let event = files.write("event.json", event);
        let fuel = |cpu_ms: &str| {
            let mut command = command(["run".as_ref(), component.as_os_str(), "--event".as_ref(), event.as_os_str()]);
            command.args(["--json", "--fuel"]).env("HOOKMILL_LIMITS__PLUGIN__CPU_MS", cpu_ms);
            let said = Said::from(command.output().expect("the binary starts"));
            let [told] = said.json().try_into().unwrap_or_else(|_| panic!("{said:?}"));
            told["fuel"].as_u64().unwrap_or_else(|| panic!("{told}"))
        };
        assert_eq!(fuel("1"), fuel("10000"));
    }
    let said = ran(&files, PASSTHROUGH, TEXT, &["--fuel"]);
    assert!(said.expect(0).contains(" MiB, fuel 3,"), "{}", said.out);
    let said = ran(&files, PASSTHROUGH, TEXT, &["--json"]);
    assert!(
        said.expect(0).contains("memory_bytes") && !said.out.contains("fuel"),
        "{}",
        said.out
    );
}

#[test]
fn what_fails_has_fuel_too_or_is_told_why_not() {
    let files = Files::new();
    let told = |guest: &str| {
        let said = ran(&files, &wat(guest, ""), TEXT, &["--fuel", "--json"]);
        said.expect(1);
        let [told] = said.json().try_into().expect("one event");
        let shown = ran(&files, &wat(guest, ""), TEXT, &["--fuel"]);
        shown.expect(1);
        (told, shown.out)
    };
    let (trap, shown) = told("trap");
    assert_eq!(text(&trap, "/code"), "trap");
    let fuel = trap["fuel"].as_u64().expect("a number");
    assert!(
        fuel > 0 && fuel < 1000 && shown.contains(&format!(", fuel {fuel}\n")),
        "{fuel}: {shown}"
    );
    let (endless, shown) = told("loop");
    assert_eq!(text(&endless, "/code"), "cpu_limit");
    assert_eq!(
        (&endless["fuel"], &endless["fuel_more_than"]),
        (&Value::Null, &json!(10_000_000_000_u64))
    );
    assert!(shown.contains("fuel more than 10,000,000,000"), "{shown}");
    let (deep, shown) = told("recurse");
    assert_eq!((text(&deep, "/code"), deep.get("fuel")), ("trap", Some(&Value::Null)));
    let why = text(&deep, "/fuel_uncounted");
    assert!(
        why.contains("stack") && shown.contains(&format!("no fuel is told: {why}")),
        "{deep}: {shown}"
    );
}
