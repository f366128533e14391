//! Points in time, as whole milliseconds since the Unix epoch.

use std::fmt;
use std::str::FromStr;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z. Shown and serialized as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// The greatest time that the house knows (its keys have 44 bits of milliseconds, one of them for the sign).
    pub const MAX: Time = Time((1 << 43) - 1);

    /// The time that many milliseconds after the epoch; what lies outside of `0..=MAX` is moved to the nearer end.
    pub fn from_millis(millis: i64) -> Time {
        Time(millis.clamp(0, Time::MAX.0))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub fn seconds(self) -> i64 {
        self.0 / 1000
    }

    /// The time `millis` later, at most [`Time::MAX`].
    pub fn plus_millis(self, millis: u64) -> Time {
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        Time::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; 0 if it is not earlier.
    pub fn since_millis(self, earlier: Time) -> u64 {
        u64::try_from(self.0 - earlier.0).unwrap_or(0)
    }
}

/// Says that a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time by RFC 3339 between 1970 and {}, such as 2030-01-31T12:00:00.000Z", Time::MAX)]
pub struct NotATime;

/// RFC 3339; what is finer than a millisecond is cut.
impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Time, NotATime> {
        let at: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        let time = Time::from_millis(at.as_millisecond());
        if time.0 == at.as_millisecond() { Ok(time) } else { Err(NotATime) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.0).expect("clamped to the years 1970 to 2248");
        write!(f, "{at:.3}")
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_rfc_3339_with_milliseconds() {
        assert_eq!(Time::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Time::from_millis(1_790_000_000_120).to_string(), "2026-09-21T14:13:20.120Z");
        assert_eq!(Time::MAX.to_string(), "2248-09-26T15:10:22.207Z");
    }

    #[test]
    fn read_from_rfc_3339() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-09-21T14:13:20.120Z", 1_790_000_000_120),
            ("2026-09-21T16:13:20.1209+02:00", 1_790_000_000_120),
        ] {
            assert_eq!(text.parse(), Ok(Time::from_millis(millis)), "{text}");
        }
        assert_eq!(Time::MAX.to_string().parse(), Ok(Time::MAX));
        for text in ["", "2026", "2026-09-21T14:13:20", "1969-12-31T23:59:59Z", "2300-01-01T00:00:00Z"] {
            assert_eq!(text.parse::<Time>(), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn arithmetic_stays_in_range() {
        assert_eq!(Time::from_millis(-5), Time::from_millis(0));
        assert_eq!(Time::MAX.plus_millis(u64::MAX), Time::MAX);
        assert_eq!(Time::from_millis(5).since_millis(Time::from_millis(9)), 0);
    }
}
