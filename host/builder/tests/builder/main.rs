//! The guests of this repository, built and judged.

mod crates;
#[path = "../../../../tests/guests/guests.rs"]
mod guests;
mod rebuild;
mod texts;

use std::path::{Path, PathBuf};

/// A folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
