//! What an integration can ask for in its `plugin_config`: conditions in conditions.

use hookmill_plugin::schemars::{Schema, SchemaGenerator};
use hookmill_plugin::{JsonSchema, Value, json};
use payload::Pointer;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::value::{Number, Scalar};

/// How deep `all`, `any` and `not` may stand in one another.
pub(crate) const NESTING_MAX: usize = 4;

/// What a pointer may be: into the data, or to one of the names beside it. `payload::SEGMENTS_MAX` is in it.
const POINTER: &str = "^/(event|organization|inbox|project|data(/([^/~]|~[01])*){0,31})$";

const OPERATORS: [&str; 11] = [
    "exists",
    "equals",
    "not_equals",
    "in",
    "less_than",
    "at_most",
    "greater_than",
    "at_least",
    "contains",
    "starts_with",
    "ends_with",
];

/// Holds if everything that it says holds.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(crate = "hookmill_plugin::schemars", title = "Condition")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Condition {
    /// Which values of the payload the operators look at, as a JSON pointer: /data/text, /inbox. A segment * is every
    /// element of a list and every member of an object. One of the values must pass all the operators; where there is
    /// none, only "exists": false holds.
    #[schemars(title = "Pointer", with = "String", regex(pattern = POINTER))]
    #[serde(deserialize_with = "given")]
    pub(crate) pointer: Option<Pointer>,
    /// Whether there is such a value; null is one.
    #[schemars(title = "Exists", with = "bool")]
    #[serde(deserialize_with = "given")]
    pub(crate) exists: Option<bool>,
    /// The value is this one, of the same type; numbers are compared as numbers.
    #[schemars(title = "Equals", with = "Scalar")]
    #[serde(deserialize_with = "given")]
    pub(crate) equals: Option<Scalar>,
    /// There is a value, and it is another one than this.
    #[schemars(title = "Does not equal", with = "Scalar")]
    #[serde(deserialize_with = "given")]
    pub(crate) not_equals: Option<Scalar>,
    /// The value is one of these.
    #[schemars(title = "Is one of", with = "Vec<Scalar>", length(min = 1))]
    #[serde(rename = "in", deserialize_with = "given")]
    pub(crate) one_of: Option<Vec<Scalar>>,
    /// The value is a number, or a string that is one, and less than this.
    #[schemars(title = "Is less than", with = "Number")]
    #[serde(deserialize_with = "given")]
    pub(crate) less_than: Option<Number>,
    /// The value is a number, or a string that is one, and this or less.
    #[schemars(title = "Is at most", with = "Number")]
    #[serde(deserialize_with = "given")]
    pub(crate) at_most: Option<Number>,
    /// The value is a number, or a string that is one, and greater than this.
    #[schemars(title = "Is greater than", with = "Number")]
    #[serde(deserialize_with = "given")]
    pub(crate) greater_than: Option<Number>,
    /// The value is a number, or a string that is one, and this or greater.
    #[schemars(title = "Is at least", with = "Number")]
    #[serde(deserialize_with = "given")]
    pub(crate) at_least: Option<Number>,
    /// The value is a string with this in it.
    #[schemars(title = "Contains", with = "String")]
    #[serde(deserialize_with = "given")]
    pub(crate) contains: Option<String>,
    /// The value is a string that starts with this.
    #[schemars(title = "Starts with", with = "String")]
    #[serde(deserialize_with = "given")]
    pub(crate) starts_with: Option<String>,
    /// The value is a string that ends with this.
    #[schemars(title = "Ends with", with = "String")]
    #[serde(deserialize_with = "given")]
    pub(crate) ends_with: Option<String>,
    #[schemars(skip)]
    #[serde(deserialize_with = "given")]
    pub(crate) all: Option<Vec<Condition>>,
    #[schemars(skip)]
    #[serde(deserialize_with = "given")]
    pub(crate) any: Option<Vec<Condition>>,
    #[schemars(skip)]
    #[serde(deserialize_with = "given")]
    pub(crate) not: Option<Box<Condition>>,
}

/// Reads what is there: `null` is a value like any other, and not the same as nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a condition and looks at what its type does not say; the schema says the same.
pub(crate) fn checked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
    let condition = Condition::deserialize(deserializer)?;
    condition.check(0).map_err(D::Error::custom)?;
    Ok(condition)
}

impl Condition {
    fn check(&self, depth: usize) -> Result<(), String> {
        if self.pointer.is_some() != self.has_operators() {
            return Err("a pointer stands with operators, and operators with a pointer".to_owned());
        }
        let within: Vec<&Condition> = self.within().collect();
        let is_empty = |list: &Option<Vec<Condition>>| list.as_ref().is_some_and(Vec::is_empty);
        if is_empty(&self.all) || is_empty(&self.any) || (self.pointer.is_none() && within.is_empty()) {
            return Err("a condition says something, and all and any hold conditions".to_owned());
        }
        if depth == NESTING_MAX && !within.is_empty() {
            return Err(format!("all, any and not stand in one another at most {NESTING_MAX} deep"));
        }
        within.into_iter().try_for_each(|condition| condition.check(depth + 1))
    }

    /// The conditions that stand directly in this one.
    pub(crate) fn within(&self) -> impl Iterator<Item = &Condition> {
        let lists = self.all.iter().flatten().chain(self.any.iter().flatten());
        lists.chain(self.not.as_deref())
    }

    fn has_operators(&self) -> bool {
        self.exists.is_some() || self.asks_for_a_value()
    }

    /// Whether there are operators that no missing value can pass.
    pub(crate) fn asks_for_a_value(&self) -> bool {
        [&self.equals, &self.not_equals].into_iter().any(Option::is_some)
            || self.one_of.is_some()
            || [&self.less_than, &self.at_most, &self.greater_than, &self.at_least]
                .into_iter()
                .any(Option::is_some)
            || [&self.contains, &self.starts_with, &self.ends_with]
                .into_iter()
                .any(Option::is_some)
    }
}

/// The schema of a condition. A schema that refers to itself could not say how deep it goes, so there is one for each
/// depth, and the deepest has nothing in it.
pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    let mut within = None;
    for depth in (0..=NESTING_MAX).rev() {
        let mut schema = Condition::json_schema(generator);
        say_what_belongs_together(&mut schema);
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            // Left out is left out: no operator has a value by default.
            for property in properties.values_mut().filter_map(Value::as_object_mut) {
                property.remove("default");
            }
            if let Some(within) = within {
                let list = |title: &str, description: &str| json!({"title": title, "description": description, "type": "array", "minItems": 1, "items": {"$ref": within}});
                properties.insert("all".to_owned(), list("All of", "All of these hold."));
                properties.insert("any".to_owned(), list("Any of", "One of these holds, or more."));
                let not = json!({"title": "Not", "description": "This does not hold.", "$ref": within});
                properties.insert("not".to_owned(), not);
            }
        }
        let name = if depth == 0 {
            "Condition".to_owned()
        } else {
            format!("Condition{depth}")
        };
        within = Some(format!("#/$defs/{name}"));
        generator.definitions_mut().insert(name, schema.into());
    }
    let mut reference = Schema::default();
    reference.insert("$ref".to_owned(), within.into());
    reference
}

fn say_what_belongs_together(schema: &mut Schema) {
    let needs_pointer = OPERATORS.map(|operator| (operator.to_owned(), json!(["pointer"])));
    let needs_operator = OPERATORS.map(|operator| json!({"required": [operator]}));
    schema.insert("minProperties".to_owned(), 1.into());
    schema.insert("dependentRequired".to_owned(), Value::Object(needs_pointer.into_iter().collect()));
    schema.insert("dependentSchemas".to_owned(), json!({"pointer": {"anyOf": needs_operator}}));
}
