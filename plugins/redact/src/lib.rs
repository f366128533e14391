//! Drops or masks values of the data, and leaves every other byte as it is: order of keys, digits, escapes, white space,
//! keys that stand twice.
//!
//! ```json
//! {"drop": [{"pointer": "/data/text"}, {"pointer": "/data/prediction/lines"}],
//!  "mask": [{"pointer": "/data/*/annotations/IBAN/*/value", "keep_last": 4, "required": true}]}
//! ```
//!
//! # Rules
//! Pointers lead through the payload that is delivered, `*` to every element or member: see `payload`. All of them begin
//! with `/data/`; what stands beside the data is never touched.
//! - `drop` takes a member out of its object, or an element out of its list, with the comma that belongs to it. Positions
//!   in pointers are those in the list as it was posted.
//! - `mask` puts a string in place of the value, whatever that was: `replacement`, and behind it the last `keep_last`
//!   letters and digits of a string or a number. They are kept only where at least as many are hidden, so that a short value
//!   is not given away. What does not identify a value neither counts as hidden nor is kept: signs, points,
//!   spaces and the like, zeros in front, a number's exponent. So `-7` and `0.57` are hidden whole. Of other values nothing is
//!   ever kept.
//!
//! # Nothing leaks
//! - Each pointer means every place that it leads to: a key that stands twice is redacted twice, and keys are compared by
//!   what they mean, whatever escapes they are written with.
//! - Of the rules for one place the one that hides most counts, in whatever order they stand: `drop`, then the `mask` that
//!   keeps least, then the first. A rule for a value hides all that is within.
//! - A pointer that leads nowhere is no error, since kinds of events differ, unless the rule is `required`: then the event is
//!   rejected and nothing is sent. So it is where the data can not be followed.
//! - Neither log nor reasons ever hold anything of the data.

mod redactor;
mod settings;

use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result};

use settings::Settings;

struct Redact;

impl Plugin<Settings> for Redact {
    fn transform(event: Event, integration: Integration<Settings>) -> Result<Outcome> {
        let mut payload = payload::head(&event, event.data.len());
        redactor::redact(&event.data, &integration.config.rules, &mut payload)?;
        payload.push('}');
        Ok(Request::raw_json(payload).into())
    }
}

hookmill_plugin::export!(Redact, config = Settings);

#[cfg(test)]
mod tests;
