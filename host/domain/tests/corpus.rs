//! What fuzzing has found of inputs worth keeping, run through its targets as they are.

#[path = "../../../tests/fuzz/targets/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/targets/events.rs"]
mod events;
#[path = "../../../tests/fuzz/targets/requests.rs"]
mod requests;

#[test]
fn the_corpus_of_events() {
    let inputs = corpus::inputs(include_str!("../../../tests/fuzz/corpus/events.txt"));
    inputs.iter().for_each(|input| events::run(input));
}

#[test]
fn the_corpus_of_requests() {
    let inputs = corpus::inputs(include_str!("../../../tests/fuzz/corpus/requests.txt"));
    inputs.iter().for_each(|input| requests::run(input));
}
