//! What stands in a README between its marks for code.

/// The blocks in that language, in their order.
pub fn blocks<'a>(readme: &'a str, language: &str) -> Vec<&'a str> {
    let begins = format!("\n```{language}\n");
    let block = |rest: &'a str| rest.split_once("```").expect("the block ends").0;
    readme.split(&*begins).skip(1).map(block).collect()
}

/// The one block in that language.
pub fn block<'a>(readme: &'a str, language: &str) -> &'a str {
    let blocks = blocks(readme, language);
    let [block] = blocks[..] else {
        panic!("one block in {language}: {blocks:?}")
    };
    block
}
