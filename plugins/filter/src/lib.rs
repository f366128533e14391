//! Delivers the events that satisfy a condition, exactly as the passthrough does; the others are skipped, and the reason
//! says what failed, never what the event holds.
//!
//! ```json
//! {"deliver_if": {"all": [
//!     {"pointer": "/data/prediction/annotations/amount_payable/*/value", "at_least": 1000},
//!     {"not": {"pointer": "/data/prediction/annotations/*/*/confidence", "less_than": 60}}
//! ]}}
//! ```
//!
//! # Conditions
//! A condition holds if everything that it says holds: the operators beside a `pointer`, all of `all`, one of `any`, and not
//! `not`. They stand in one another as deep as `NESTING_MAX` says; the schema says so too, so that
//! a deeper one is refused when the integration is saved.
//!
//! Pointers lead through the payload that would be delivered, `*` to every element or member: see `payload`. A pointer
//! names any number of values:
//! - One of them suffices, but it must pass all the operators beside the pointer. "Every value is" is written as "not one
//!   of them is not".
//! - Where there is none, no operator holds but `"exists": false`. So `not_equals` asks for a value that differs; "nothing
//!   equals, or nothing is there" is `not` around `equals`. `null` is a value.
//! - A key that stands twice in an object names two values.
//!
//! # Operators
//! - `equals`, `not_equals`, `in` compare strings, numbers, `true`, `false` and `null` with the same type alone: `"90"` is not
//!   `90`. Lists and objects equal nothing.
//! - `less_than`, `at_most`, `greater_than`, `at_least` hold for numbers, and for strings that are a number as JSON writes
//!   them, since the product writes some so.
//! - `contains`, `starts_with`, `ends_with` hold for strings, and tell upper from lower case.
//!
//! Numbers are compared digit by digit, never rounded: `1.10` is `1.1` and `11e-1`, and 12345678901234567890 is less than
//! 12345678901234567891. Strings are compared by what they mean, whatever escapes they are written with.

mod condition;
mod judge;
mod number;
mod value;

use hookmill_plugin::{Event, Integration, JsonSchema, Outcome, Plugin, Request, Result};
use payload::payload;
use serde::Deserialize;

use condition::Condition;

/// Which events are delivered.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "hookmill_plugin::schemars", title = "Filter")]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Events that satisfy this are delivered as they are; the others are skipped.
    #[serde(deserialize_with = "condition::checked")]
    #[schemars(schema_with = "condition::schema")]
    deliver_if: Condition,
}

struct Filter;

impl Plugin<Settings> for Filter {
    fn transform(event: Event, integration: Integration<Settings>) -> Result<Outcome> {
        let payload = payload(&event);
        Ok(match judge::judge(&integration.config.deliver_if, &payload)? {
            Ok(()) => Request::raw_json(payload).into(),
            Err(failed) => Outcome::skip(format!("the condition does not hold: {failed}")),
        })
    }
}

hookmill_plugin::export!(Filter, config = Settings);

#[cfg(test)]
mod tests;
