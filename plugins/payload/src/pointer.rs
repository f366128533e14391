//! JSON pointers with stars, and following many of them at once.

use std::fmt;

use serde::Deserialize;

use crate::scanner::Key;

/// How many segments a pointer may have: so deep goes whoever follows it.
pub const SEGMENTS_MAX: usize = 32;

/// A JSON pointer (RFC 6901), whose segments may be stars.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// Every element or member.
    Every,
    /// The members of that name. In a list, the element at that position if it is one.
    Name { name: String, position: Option<usize> },
}

/// Why some text is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointerError {
    /// It does not begin with `/`.
    NoSlash,
    /// A `~` that is followed neither by `0` nor by `1`.
    Escape,
    /// It has more than [`SEGMENTS_MAX`] segments.
    TooDeep,
}

/// Pointers that are followed together.
#[derive(Debug, Clone)]
pub struct Pointers(Vec<Pointer>);

/// Which of some pointers have led to a place. Positions in their list are bits of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trail {
    depth: usize,
    alive: u128,
}

/// A step from a container to what it holds.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// To the element at that position.
    Element(usize),
    /// To the member of that key.
    Member(Key<'a>),
}

impl Pointer {
    /// The pointer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether its first segment is that name, and others follow.
    pub fn is_below(&self, first: &str) -> bool {
        self.segments.len() > 1 && matches!(&self.segments[0], Segment::Name { name, .. } if name == first)
    }
}

impl TryFrom<String> for Pointer {
    type Error = PointerError;

    fn try_from(text: String) -> Result<Self, PointerError> {
        let segments = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let segments: Vec<Segment> = segments.split('/').map(segment).collect::<Result<_, _>>()?;
        if segments.len() > SEGMENTS_MAX {
            return Err(PointerError::TooDeep);
        }
        Ok(Self { text, segments })
    }
}

fn segment(text: &str) -> Result<Segment, PointerError> {
    if text == "*" {
        return Ok(Segment::Every);
    }
    let mut name = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        name.push(match char {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::Escape),
            },
            char => char,
        });
    }
    // Leading zeros and signs are no positions.
    let is_position = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    let position = if is_position { text.parse().ok() } else { None };
    Ok(Segment::Name { name, position })
}

impl Segment {
    fn leads(&self, step: Step<'_>) -> bool {
        match (self, step) {
            (Self::Every, _) => true,
            (Self::Name { position, .. }, Step::Element(at)) => *position == Some(at),
            (Self::Name { name, .. }, Step::Member(key)) => key.is(name),
        }
    }
}

impl Pointers {
    /// How many can be followed together: the bits of a number.
    pub const MAX: usize = u128::BITS as usize;

    /// Takes pointers, if they are not more than [`Pointers::MAX`].
    pub fn new(pointers: Vec<Pointer>) -> Option<Self> {
        (pointers.len() <= Self::MAX).then_some(Self(pointers))
    }

    /// Where all of them stand once so many of their segments have been followed: 0 at the whole payload.
    pub fn after(&self, depth: usize) -> Trail {
        let alive = (0..self.0.len()).fold(0, |alive, number| alive | 1 << number);
        Trail { depth, alive }
    }

    /// The pointer at this position in the list.
    pub fn get(&self, number: usize) -> Option<&Pointer> {
        self.0.get(number)
    }

    /// The pointers that lead on by this step.
    pub fn step(&self, trail: Trail, step: Step<'_>) -> Trail {
        let mut alive = 0;
        for number in numbers(trail.alive) {
            let segment = self.0.get(number).and_then(|pointer| pointer.segments.get(trail.depth));
            if segment.is_some_and(|segment| segment.leads(step)) {
                alive |= 1 << number;
            }
        }
        Trail {
            depth: trail.depth + 1,
            alive,
        }
    }

    /// The positions of those that end here.
    pub fn ending(&self, trail: Trail) -> impl Iterator<Item = usize> {
        numbers(trail.alive).filter(move |number| self.segments(*number) == trail.depth)
    }

    /// Whether some lead further down.
    pub fn lead_on(&self, trail: Trail) -> bool {
        numbers(trail.alive).any(|number| self.segments(number) > trail.depth)
    }

    fn segments(&self, number: usize) -> usize {
        self.0.get(number).map_or(0, |pointer| pointer.segments.len())
    }
}

/// The positions of the bits that are set, the lowest first.
fn numbers(mut bits: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = bits.trailing_zeros();
        bits &= bits.checked_sub(1)?;
        Some(lowest as usize)
    })
}

impl fmt::Display for PointerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash => formatter.write_str("a pointer begins with /"),
            Self::Escape => formatter.write_str("in a pointer, ~ is written ~0, and / in a name ~1"),
            Self::TooDeep => write!(formatter, "a pointer has at most {SEGMENTS_MAX} segments"),
        }
    }
}

impl std::error::Error for PointerError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::{Container, NotJson, Scanner};

    fn pointer(text: &str) -> Result<Pointer, PointerError> {
        Pointer::try_from(text.to_owned())
    }

    /// The values in a text that each of some pointers names.
    fn found(text: &str, pointers: &[&str]) -> Vec<Vec<String>> {
        fn walk(scanner: &mut Scanner<'_>, pointers: &Pointers, trail: Trail, found: &mut [Vec<String>]) -> Result<(), NotJson> {
            scanner.pass_space()?;
            let start = scanner.at();
            match scanner.enter()? {
                None => {
                    scanner.value()?;
                }
                Some(container) => {
                    let mut position = 0;
                    while scanner.next(container, position == 0)? {
                        let step = match container {
                            Container::Object => Step::Member(scanner.key()?),
                            Container::List => Step::Element(position),
                        };
                        walk(scanner, pointers, pointers.step(trail, step), found)?;
                        position += 1;
                    }
                }
            }
            for number in pointers.ending(trail) {
                found[number].push(scanner.between(start..scanner.at()).to_owned());
            }
            Ok(())
        }
        let parsed = pointers.iter().map(|text| pointer(text).expect("a pointer")).collect();
        let parsed = Pointers::new(parsed).expect("not too many");
        let mut found = vec![Vec::new(); pointers.len()];
        walk(&mut Scanner::new(text), &parsed, parsed.after(0), &mut found).expect("JSON");
        found
    }

    #[track_caller]
    fn check(text: &str, pointer: &str, expected: &[&str]) {
        assert_eq!(found(text, &[pointer]), [expected], "{pointer} in {text}");
    }

    #[test]
    fn pointers_are_followed() {
        // The example of RFC 6901, section 5.
        let text = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#;
        check(text, "/foo", &[r#"["bar", "baz"]"#]);
        check(text, "/foo/0", &[r#""bar""#]);
        check(text, "/", &["0"]);
        check(text, "/a~1b", &["1"]);
        check(text, "/c%d", &["2"]);
        check(text, "/i\\j", &["5"]);
        check(text, "/k\"l", &["6"]);
        check(text, "/ ", &["7"]);
        check(text, "/m~0n", &["8"]);
        check(text, "/foo/2", &[]);
        check(text, "/foo/-", &[]);
        check(text, "/foo/00", &[]);
        check(text, "/foo/bar", &[]);
        check(text, "//0", &[]);
        check(r#"{"a":{"0":1,"00":2,"99999999999999999999":3},"b":[1]}"#, "/a/0", &["1"]);
        check(r#"{"a":{"0":1,"00":2,"99999999999999999999":3},"b":[1]}"#, "/a/00", &["2"]);
        check(
            r#"{"a":{"0":1,"00":2,"99999999999999999999":3},"b":[1]}"#,
            "/a/99999999999999999999",
            &["3"],
        );
        check(r#"{"~1":1,"/":2,"~":3}"#, "/~01", &["1"]);
    }

    #[test]
    fn stars_are_every_element_and_every_member() {
        let text = r#"{"a": {"x": [{"v": 1}, {"v": 2}, 3], "y": [], "z": [{"v": [4]}]}, "*": 5}"#;
        check(text, "/a/*/*/v", &["1", "2", "[4]"]);
        check(text, "/a/*/0/v", &["1", "[4]"]);
        check(text, "/*", &[r#"{"x": [{"v": 1}, {"v": 2}, 3], "y": [], "z": [{"v": [4]}]}"#, "5"]);
        check(text, "/a/**", &[]);
        check("[]", "/*", &[]);
        check("1", "/*", &[]);
    }

    #[test]
    fn a_key_is_what_it_means_and_counts_as_often_as_it_stands() {
        let text = r#"{"iban":1,"\u0069ban":2,"\u0069\u0062an":3,"IBAN":4,"iban ":5,"\\u0069ban":6,"iban":{"iban":7}}"#;
        check(text, "/iban", &["1", "2", "3", r#"{"iban":7}"#]);
        check(text, "/iban/iban", &["7"]);
        check(r#"{"\ud83d\ude00":1,"😀":2,"\uD83D":3}"#, "/😀", &["1", "2"]);
        check(r#"{"a\/b":1,"a\u002fb":2}"#, "/a~1b", &["1", "2"]);
    }

    #[test]
    fn many_are_followed_at_once() {
        let text = r#"{"a":{"b":[1,2]},"c":3}"#;
        assert_eq!(
            found(text, &["/a/b/1", "/c", "/a", "/a/*", "/a/b", "/*/b/0", "/d"]),
            [
                vec!["2"],
                vec!["3"],
                vec![r#"{"b":[1,2]}"#],
                vec!["[1,2]"],
                vec!["[1,2]"],
                vec!["1"],
                vec![],
            ]
        );
        let all: Vec<String> = (0..Pointers::MAX).map(|number| format!("/{number}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(found(r#"{"127":"last"}"#, &all)[127], [r#""last""#]);
        assert!(Pointers::new(vec![pointer("/a").expect("a pointer"); Pointers::MAX + 1]).is_none());
    }

    #[test]
    fn what_is_no_pointer_says_why() {
        assert_eq!(pointer(""), Err(PointerError::NoSlash));
        assert_eq!(pointer("a/b"), Err(PointerError::NoSlash));
        assert_eq!(pointer("/a~"), Err(PointerError::Escape));
        assert_eq!(pointer("/~2"), Err(PointerError::Escape));
        assert!(pointer(&"/*".repeat(SEGMENTS_MAX)).is_ok());
        assert_eq!(pointer(&"/*".repeat(SEGMENTS_MAX + 1)), Err(PointerError::TooDeep));
        let below = |text: &str| pointer(text).expect("a pointer").is_below("data");
        assert!(below("/data/a") && below("/data/"));
        assert!(!below("/data") && !below("/dat/a") && !below("/*/a"));
    }
}
