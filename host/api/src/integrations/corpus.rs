//! What fuzzing has found of integrations worth keeping, run through its target as they are.

#[path = "../../../../tests/fuzz/targets/corpus.rs"]
mod inputs;

#[test]
fn the_corpus_of_integrations() {
    let inputs = inputs::inputs(include_str!("../../../../tests/fuzz/corpus/integrations.txt"));
    inputs.iter().for_each(|input| super::fuzzing::run(input));
}
