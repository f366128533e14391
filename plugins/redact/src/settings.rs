//! What an integration can ask for in its `plugin_config`, and the rules that come of it.

use hookmill_plugin::JsonSchema;
use payload::{Pointer, Pointers};
use serde::Deserialize;

/// How many values may be dropped, and how many masked: together as many as can be followed at once.
const RULES_MAX: usize = Pointers::MAX / 2;

/// What a pointer may be: into the data, at least one step. `payload::SEGMENTS_MAX` is in it.
const POINTER: &str = "^/data(/([^/~]|~[01])*){1,31}$";

/// The longest replacement, in characters.
const REPLACEMENT_CHARS_MAX: usize = 64;

/// The greatest part of a value that may be kept, in letters and digits.
const KEEP_LAST_MAX: usize = 64;

/// A configuration that is in order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "hookmill_plugin::schemars")]
#[serde(try_from = "Wire")]
pub(crate) struct Settings {
    #[schemars(skip)]
    pub(crate) rules: Rules,
}

/// What is hidden where. The rule that hides most stands first.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) pointers: Pointers,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    hiding: Hiding,
    is_required: bool,
}

/// What becomes of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hiding {
    /// It goes, with its key.
    Drop,
    /// A string takes its place.
    Mask {
        /// What the string says.
        replacement: String,
        /// How many letters and digits of the value follow, if it has enough of them.
        keep_last: usize,
    },
}

/// Which values of the data are hidden, and how. Everything else stays as it was posted, byte for byte.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "hookmill_plugin::schemars", title = "Redact", extend("minProperties" = 1))]
#[serde(deny_unknown_fields)]
struct Wire {
    /// Values that are taken out, with their keys.
    #[schemars(title = "Drop", length(min = 1, max = RULES_MAX), skip_serializing_if = "Vec::is_empty")]
    #[serde(default)]
    drop: Vec<DropRule>,
    /// Values that a text takes the place of.
    #[schemars(title = "Mask", length(min = 1, max = RULES_MAX), skip_serializing_if = "Vec::is_empty")]
    #[serde(default)]
    mask: Vec<MaskRule>,
}

/// A value that is taken out.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "hookmill_plugin::schemars", title = "Drop a value")]
#[serde(deny_unknown_fields)]
struct DropRule {
    /// Which values, as a JSON pointer: /data/text. A segment * is every element of a list and every member of an object.
    #[schemars(title = "Pointer", with = "String", regex(pattern = POINTER))]
    pointer: Pointer,
    /// Whether an event that has no such value is rejected.
    #[schemars(title = "Required")]
    #[serde(default)]
    required: bool,
}

/// A value that a text takes the place of.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "hookmill_plugin::schemars", title = "Mask a value")]
#[serde(deny_unknown_fields)]
struct MaskRule {
    /// Which values, as a JSON pointer: /data/text. A segment * is every element of a list and every member of an object.
    #[schemars(title = "Pointer", with = "String", regex(pattern = POINTER))]
    pointer: Pointer,
    /// The text in place of the value.
    #[schemars(title = "Replacement", length(max = REPLACEMENT_CHARS_MAX))]
    #[serde(default = "stars")]
    replacement: String,
    /// How many of the last letters and digits of a string or a number follow the replacement. Values that have not at least
    /// twice as many are hidden whole. Nothing else of a value counts or is shown: no signs, points, spaces, zeros in front
    /// or exponents.
    #[schemars(title = "Keep last", range(max = KEEP_LAST_MAX))]
    #[serde(default)]
    keep_last: usize,
    /// Whether an event that has no such value is rejected.
    #[schemars(title = "Required")]
    #[serde(default)]
    required: bool,
}

fn stars() -> String {
    "***".to_owned()
}

impl TryFrom<Wire> for Settings {
    type Error = String;

    fn try_from(mut wire: Wire) -> Result<Self, String> {
        wire.mask.sort_by_key(|rule| rule.keep_last);
        let dropped = wire.drop.into_iter().map(|rule| {
            let hiding = Hiding::Drop;
            (rule.pointer, hiding, rule.required)
        });
        let masked = wire.mask.into_iter().map(|rule| {
            let hiding = Hiding::Mask {
                replacement: rule.replacement,
                keep_last: rule.keep_last,
            };
            (rule.pointer, hiding, rule.required)
        });
        let mut pointers = Vec::new();
        let mut rules = Vec::new();
        for (pointer, hiding, is_required) in dropped.chain(masked) {
            if !pointer.is_below("data") {
                return Err(format!("{} does not lead into /data/", pointer.as_str()));
            }
            pointers.push(pointer);
            rules.push(Rule { hiding, is_required });
        }
        if rules.is_empty() {
            return Err("there is nothing to drop or to mask".to_owned());
        }
        let pointers = Pointers::new(pointers).ok_or_else(|| format!("there are more than {} rules", Pointers::MAX))?;
        Ok(Self {
            rules: Rules { pointers, rules },
        })
    }
}

impl Rules {
    /// What the rules at these positions do together: what hides most, which is the first.
    pub(crate) fn strictest(&self, mut numbers: impl Iterator<Item = usize>) -> Option<&Hiding> {
        numbers.next().and_then(|number| self.rules.get(number)).map(|rule| &rule.hiding)
    }

    /// The pointer of a rule that is required and has met nothing; `met` tells of each rule whether it has.
    pub(crate) fn missed(&self, met: impl Fn(usize) -> bool) -> Option<&Pointer> {
        let required = self.rules.iter().enumerate().filter(|(_, rule)| rule.is_required);
        let missed = required.map(|(number, _)| number).find(|number| !met(*number));
        missed.and_then(|number| self.pointers.get(number))
    }
}
