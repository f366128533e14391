//! JSON Pointers (RFC 6901), by which what is wrong is told.

use std::borrow::Cow;

/// A longer name is cut where it is for somebody to read.
const TOLD_BYTES_MAX: usize = 256;

/// The pointer to a member of what `pointer` points to.
pub fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// As much of a name as is told to whoever has sent it.
pub fn told(name: &str) -> Cow<'_, str> {
    match name.len() {
        0..=TOLD_BYTES_MAX => name.into(),
        _ => format!("{}…", &name[..name.floor_char_boundary(TOLD_BYTES_MAX)]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(below("", "a"), "/a");
        assert_eq!(below("/a/0", "b/~1"), "/a/0/b~1~01");
    }

    #[test]
    fn long_names_are_told_in_part() {
        assert_eq!(told(&"a".repeat(256)).len(), 256);
        assert_eq!(told(&"é".repeat(1_000_000)), format!("{}…", "é".repeat(128)));
    }
}
