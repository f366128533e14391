//! `Retry-After` (RFC 9110 section 10.2.3): seconds or a date.

use std::time::{Duration, UNIX_EPOCH};

/// How long the receiver asks to wait by that field, at most `max`. `wall_seconds` is the present by the wall clock, which a date is compared
/// with; a date in the past is no wait. A value that is neither is as good as none.
pub(crate) fn read(field: &str, wall_seconds: i64, max: Duration) -> Option<Duration> {
    let text = field.trim();
    let seconds = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Only digits: what does not fit is longer than any maximum.
        text.parse().unwrap_or(u64::MAX)
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        let at = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
        at.saturating_sub(u64::try_from(wall_seconds).unwrap_or(0))
    };
    Some(Duration::from_secs(seconds).min(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        const NOW: i64 = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
        const MAX: Duration = Duration::from_secs(3600);
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("3601", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("+5", None),
            ("soon", None),
        ] {
            let read = read(text, NOW, MAX).map(|wait| wait.as_secs());
            assert_eq!(read, expected, "{text:?}");
        }
    }
}
