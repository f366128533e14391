//! The built-in components that stand in the repository do what their sources do, by whatever toolchain these are built here. That the bytes
//! are the same, too, by the recorded toolchain, is tested where they are built.

use std::fs;
use std::path::Path;

use hookmill_builder::{Options, build_all};
use serde_json::{Value, json};

use super::{Files, plugin};

#[test]
fn what_is_built_here_does_the_same_as_what_stands_in_the_repository() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = Files::new();
    let mut samples: Vec<_> = fs::read_dir(repository.join("tests/samples"))
        .expect("the samples")
        .map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a sample"))
        .collect();
    samples.sort();
    let events = files.write("events.json", format!("[{}]", samples.join(",")));
    let plugins = repository.join("plugins");
    let configs = [
        ("passthrough", json!(null)),
        ("flatten", json!({"review_below": 70})),
        (
            "filter",
            json!({"deliver_if": {"pointer": "/data/prediction/annotations/gross_amount/*/confidence", "at_least": 70}}),
        ),
        (
            "redact",
            json!({"drop": [{"pointer": "/data/text"}], "mask": [{"pointer": "/data/*/annotations/IBAN/*/value", "keep_last": 4}]}),
        ),
    ];
    let options = Options {
        locked: true,
        target_dir: None,
    };
    let built = build_all(&plugins, &configs.each_ref().map(|(name, _)| *name), &options).expect("the plugins build");
    for ((name, config), built) in configs.iter().zip(built) {
        assert_eq!(built.package, *name);
        let told = |component: &Path| -> Vec<Value> {
            let said = plugin([
                "run".as_ref(),
                component.as_os_str(),
                "--json".as_ref(),
                "--event".as_ref(),
                events.as_os_str(),
                "--target=review".as_ref(),
                "--plugin-config".as_ref(),
                config.to_string().as_ref(),
            ]);
            said.expect(0);
            let mut told = said.json();
            for run in &mut told {
                assert!(run["duration_us"].take().is_u64() && run["memory_bytes"].take().is_u64(), "{run}");
            }
            told
        };
        let committed = told(&plugins.join(name).join(format!("{name}.wasm")));
        assert_eq!(committed.len(), samples.len());
        assert!(committed.iter().any(|run| run["outcome"] == "deliver"), "{name}: {committed:?}");
        assert_eq!(told(&built.component_path), committed, "{name}");
    }
}
