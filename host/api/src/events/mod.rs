//! Events: posted in [`post`], which is the hot path, and read one by one in [`read`].

pub(crate) mod post;
pub(crate) mod read;
