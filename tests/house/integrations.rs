//! Integrations by the API: made, listed, read, changed and deleted; what goes in and never comes out; and what a deletion cancels.

mod changes;
mod deletion;
mod sealed;
