//! Pieces of text, cut between characters, with an ellipsis where something is left out.

/// What is shown of the text before the first difference.
const BEFORE_BYTES: usize = 40;

/// The first bytes of a text.
pub(super) fn beginning(text: &str, bytes_max: usize) -> String {
    piece(text, 0, bytes_max)
}

/// Two different texts, each from a little before where they begin to differ.
pub(super) fn around(old: &str, new: &str, bytes_max: usize) -> (String, String) {
    let same = old.bytes().zip(new.bytes()).take_while(|(old, new)| old == new).count();
    let from = if old.len().max(new.len()) <= bytes_max {
        0
    } else {
        old.floor_char_boundary(same.saturating_sub(BEFORE_BYTES))
    };
    (piece(old, from, bytes_max), piece(new, from, bytes_max))
}

/// `from` is at a character's boundary, or past the text's end.
fn piece(text: &str, from: usize, bytes_max: usize) -> String {
    let rest = text.get(from..).unwrap_or_default();
    let shown = &rest[..rest.floor_char_boundary(bytes_max)];
    let (before, after) = (if from > 0 { "…" } else { "" }, if shown.len() < rest.len() { "…" } else { "" });
    format!("{before}{shown}{after}")
}
