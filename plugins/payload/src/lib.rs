//! What the built-in plugins share: the documented payload as text, and the places in it that JSON pointers name.
//!
//! A payload stays the text that was posted. A [`Scanner`] goes through it token by token, and a [`Trail`] says at each
//! place which of some [`Pointers`] have led there, so that a plugin finds what it looks for in one pass, without reading
//! the rest.
//!
//! # Pointers
//! JSON pointers as in RFC 6901, on the payload as a receiver gets it: `/event`, `/data/prediction/sections/0/page`. A
//! segment `*` means every element of a list and every member of an object; so a key that is a star itself can not be
//! named alone.
//!
//! # What holds
//! - A pointer names every place that it leads to: a key that stands twice in an object is two places.
//! - Keys are compared by what they mean, whatever escapes they are written with.
//! - Nothing here is recursive, allocates for what it passes over, or panics, whatever the text. It takes the text for JSON,
//!   which the host vouches for, and does not check what it passes over.

mod frame;
mod pointer;
mod scanner;
mod string;

pub use frame::{head, payload};
pub use pointer::{Pointer, PointerError, Pointers, SEGMENTS_MAX, Step, Trail};
pub use scanner::{Container, Key, NotJson, Scanner};
pub use string::{Chars, push_string};
