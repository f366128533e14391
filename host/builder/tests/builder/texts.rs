//! The guests in WebAssembly text are what they seem: each is valid, and none is forgotten.

use wasmparser::{Validator, WasmFeatures};

use crate::guests;
use crate::repository;

#[test]
fn every_text_is_a_valid_component() {
    for folder in ["cores", "components"] {
        let files = repository("tests/guests/wat").join(folder);
        for file in files
            .read_dir()
            .expect("the folder is there")
            .map(|file| file.expect("it can be read"))
        {
            let name = file.path().file_stem().expect("files have names").to_string_lossy().into_owned();
            let bytes = parse(&name, "argument");
            let valid = Validator::new_with_features(WasmFeatures::default()).validate_all(&bytes);
            assert!(valid.is_ok(), "{name}: {:?}", valid.err());
        }
    }
}

#[test]
fn an_argument_makes_another_component() {
    assert_ne!(parse("label", "one"), parse("label", "two"));
    let schema = "{\"type\": \"string\", \"pattern\": \"^\\\\d\\u00e9\"}";
    let bytes = parse("schema", schema);
    assert!(bytes.windows(schema.len()).any(|window| window == schema.as_bytes()));
}

fn parse(name: &str, argument: &str) -> Vec<u8> {
    wat::parse_str(guests::wat(name, argument)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
