#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hookmill_api::fuzzing::run(input));
