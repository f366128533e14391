//! The kinds of events.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::names::Kind;

/// The catalogue of event kinds, from the host's configuration. It grows; it is never an enum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kinds(BTreeSet<Kind>);

impl Kinds {
    /// The kinds that the product documents.
    pub const PRODUCT: [&'static str; 7] = [
        "document_text",
        "document_split",
        "document_predict",
        "document_evaluate",
        "document_delete",
        "document_fail",
        "document_reject",
    ];

    /// The kind of that name, if the catalogue has it.
    pub fn get(&self, name: &str) -> Option<&Kind> {
        self.0.iter().find(|kind| kind.as_str() == name)
    }

    /// The product's kinds and these.
    pub fn with(mut self, more: impl IntoIterator<Item = Kind>) -> Kinds {
        self.0.extend(more);
        self
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.0.iter()
    }
}

impl Default for Kinds {
    fn default() -> Kinds {
        Kinds(
            Kinds::PRODUCT
                .iter()
                .map(|name| name.parse().expect("the product's kinds are kinds"))
                .collect(),
        )
    }
}
