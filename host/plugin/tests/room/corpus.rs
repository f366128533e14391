//! What fuzzing has found of uploads worth keeping, run through its target as they are.

use crate::open;

#[path = "../../../../tests/fuzz/targets/corpus.rs"]
mod inputs;
#[path = "../../../../tests/fuzz/targets/uploads.rs"]
mod uploads;

#[test]
fn the_corpus_of_uploads() {
    let dir = tempfile::tempdir().expect("a folder");
    let plugins = open(dir.path().join("artifacts"), uploads::limits());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let inputs = inputs::inputs(include_str!("../../../../tests/fuzz/corpus/uploads.txt"));
    inputs.iter().for_each(|input| uploads::run(&plugins, &runtime, input));
}
