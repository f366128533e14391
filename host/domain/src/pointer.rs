//! JSON Pointers (RFC 6901), by which what is wrong is told.

/// A longer name is cut: it is for somebody to read.
const NAME_BYTES_MAX: usize = 256;

/// The pointer to a member of what `pointer` points to.
pub fn below(pointer: &str, name: &str) -> String {
    let (name, cut) = match name.len() {
        0..=NAME_BYTES_MAX => (name, ""),
        _ => (&name[..name.floor_char_boundary(NAME_BYTES_MAX)], "…"),
    };
    format!("{pointer}/{}{cut}", name.replace('~', "~0").replace('/', "~1"))
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
    fn long_names_are_cut() {
        assert_eq!(below("", &"a".repeat(256)).len(), 257);
        assert_eq!(below("", &"é~".repeat(1_000_000)), format!("/{}…", "é~0".repeat(85)));
    }
}
