//! JSON as a tree that keeps keys which stand twice and each leaf's text, read by serde and not by the plugins' own scanner; and the plain
//! way to find what a pointer names in it.

use hookmill_plugin::Json;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// What holds no others: its text.
    Leaf(String),
    /// An object: keys as they are meant.
    Object(Vec<(String, Tree)>),
    /// A list.
    List(Vec<Tree>),
}

/// The tree of a JSON text. None of what is no JSON, or has keys that are half a surrogate pair, which this reader does not know; or is
/// nested so deep that reading it this way takes a large stack.
pub(crate) fn tree(text: &str) -> Option<Tree> {
    const DEPTH_MAX: usize = 100;
    read(text, DEPTH_MAX)
}

fn read(text: &str, depth: usize) -> Option<Tree> {
    struct Members(Vec<(String, Json)>);
    struct Elements(Vec<Json>);

    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Reader;

            impl<'de> Visitor<'de> for Reader {
                type Value = Members;

                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Members(members))
                }
            }

            deserializer.deserialize_map(Reader)
        }
    }

    impl<'de> Deserialize<'de> for Elements {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Reader;

            impl<'de> Visitor<'de> for Reader {
                type Value = Elements;

                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("a list")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Elements, A::Error> {
                    let mut elements = Vec::new();
                    while let Some(element) = list.next_element()? {
                        elements.push(element);
                    }
                    Ok(Elements(elements))
                }
            }

            deserializer.deserialize_seq(Reader)
        }
    }

    let depth = depth.checked_sub(1)?;
    let json = Json::new(text.trim_ascii()).ok()?;
    match json.as_str().as_bytes().first() {
        Some(b'{') => {
            let Members(members) = json.parse().ok()?;
            let members = members.into_iter().map(|(key, value)| Some((key, read(value.as_str(), depth)?)));
            members.collect::<Option<_>>().map(Tree::Object)
        }
        Some(b'[') => {
            let Elements(elements) = json.parse().ok()?;
            let elements = elements.into_iter().map(|value| read(value.as_str(), depth));
            elements.collect::<Option<_>>().map(Tree::List)
        }
        _ => Some(Tree::Leaf(json.as_str().to_owned())),
    }
}

/// The segments of a pointer, as they are written.
pub(crate) fn segments(pointer: &str) -> Vec<&str> {
    pointer.split('/').skip(1).collect()
}

/// Whether a segment leads to the member of that key.
pub(crate) fn leads_to_member(segment: &str, key: &str) -> bool {
    segment == "*" || segment.replace("~1", "/").replace("~0", "~") == key
}

/// Whether a segment leads to the element at that position.
pub(crate) fn leads_to_element(segment: &str, position: usize) -> bool {
    segment == "*" || segment == position.to_string()
}
