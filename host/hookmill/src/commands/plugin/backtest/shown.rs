//! What came of a backtest, as people read it.

use std::io::{self, Write};

use super::answer::{Counts, First, Side, Summary};
use crate::screen::{Piece, Screen, Style, faint, good, name, odd, plain, strong};

/// The columns of a count's name.
const NAME_COLUMNS: usize = 18;

/// The kinds of events that are told of one by one, the worst first: the name of its count, and how it looks.
const KINDS: [(&str, Style); 6] = [
    ("newly_failing", Style::Bad),
    ("changed", Style::Odd),
    ("newly_skipped", Style::Odd),
    ("newly_delivered", Style::Odd),
    ("no_longer_failing", Style::Good),
    ("still_failing", Style::Plain),
];

/// Prints what came of it.
pub(super) fn show<W: Write>(screen: &mut Screen<W>, summary: &Summary) -> io::Result<()> {
    let counts = &summary.counts;
    let different = counts.different();
    let (new, old) = (&summary.new, &summary.old);
    screen.line(&[
        strong(format!("{}@{}", new.plugin, new.version)),
        plain(format!(" beside {}@{}: ", old.plugin, old.version)),
        match (counts.compared, different) {
            (0, _) => odd("there was no event to compare"),
            (compared, 0) => good(format!("{}, none is different", compared_events(compared))),
            (compared, 1) => odd(format!("{}, 1 is different", compared_events(compared))),
            (compared, _) => odd(format!("{}, {different} are different", compared_events(compared))),
        },
    ])?;
    for (count, title, style, note) in rows(counts) {
        if count > 0 {
            let title = format!("  {title:<NAME_COLUMNS$}");
            screen.line(&[plain(title), Piece::new(style, format!("{count:>8}")), faint(note)])?;
        }
    }
    if let Some(limit) = &summary.stopped_by {
        let reached = counts.reached.as_deref().unwrap_or("its beginning");
        screen.line(&[odd(format!(
            "  the host's limit {limit} ended it at {reached}: there are older events"
        ))])?;
    }
    for (kind, style) in KINDS {
        if let Some(first) = summary.first.get(kind) {
            screen.gap()?;
            show_first(screen, Piece::new(style, kind.replace('_', " ")), first)?;
        }
    }
    Ok(())
}

fn compared_events(count: u64) -> String {
    match count {
        1 => "1 event compared".to_owned(),
        count => format!("{count} events compared"),
    }
}

fn rows(counts: &Counts) -> [(u64, &'static str, Style, &'static str); 9] {
    [
        (counts.same, "same", Style::Good, ""),
        (counts.changed, "changed", Style::Odd, ""),
        (counts.newly_skipped, "newly skipped", Style::Odd, ""),
        (counts.newly_failing, "newly failing", Style::Bad, ""),
        (counts.newly_delivered, "newly delivered", Style::Odd, ""),
        (counts.no_longer_failing, "no longer failing", Style::Good, ""),
        (counts.still_failing, "still failing", Style::Plain, ""),
        (counts.payload_gone, "payload gone", Style::Plain, "  not compared"),
        (counts.unavailable, "not called", Style::Bad, "  the host could not: not compared"),
    ]
}

fn show_first<W: Write>(screen: &mut Screen<W>, kind: Piece, first: &First) -> io::Result<()> {
    screen.line(&[
        kind,
        plain(", first "),
        name(&first.event),
        plain(format!(" of {}", first.accepted_at)),
    ])?;
    show_side(screen, "  old  ", &first.old)?;
    show_side(screen, "  new  ", &first.new)?;
    for found in &first.differences {
        screen.line(&[plain("  "), name(&found.at)])?;
        for (mark, value, style) in [("    - ", &found.old, Style::Bad), ("    + ", &found.new, Style::Good)] {
            for (number, line) in value.iter().flat_map(|value| value.lines().enumerate()) {
                screen.line(&[faint(if number == 0 { mark } else { "      " }), Piece::new(style, line)])?;
            }
        }
    }
    if first.more {
        screen.line(&[faint("  …")])?;
    }
    Ok(())
}

fn show_side<W: Write>(screen: &mut Screen<W>, title: &str, side: &Side) -> io::Result<()> {
    let mut outcome = side.outcome.clone();
    if let Some(code) = &side.code {
        outcome = format!("{outcome}: {code}");
    }
    if side.requests > 0 {
        outcome = format!("{outcome} {} request{}", side.requests, if side.requests == 1 { "" } else { "s" });
    }
    screen.line(&[faint(title), plain(outcome)])?;
    for line in side.reason.iter().flat_map(|reason| reason.lines()) {
        screen.line(&[plain("       "), plain(line)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::tests::{screen, text};

    #[test]
    fn a_summary_is_told_with_the_worst_first() {
        let summary = r#"{"old": {"plugin": "p", "version": 1}, "new": {"plugin": "p", "version": 2}, "scanned": 9, "compared": 6,
            "same": 3, "changed": 1, "newly_skipped": 0, "newly_failing": 2, "newly_delivered": 0, "no_longer_failing": 0,
            "still_failing": 0, "payload_gone": 1, "unavailable": 0, "reached": "then", "stopped_by": "events_max", "first": {
            "changed": {"event": "evt_1", "accepted_at": "now", "old": {"outcome": "deliver", "requests": 1},
                "new": {"outcome": "deliver", "requests": 2}, "more": true, "differences": [
                {"at": "/requests/0/body/a", "old": "1", "new": "2"}, {"at": "/requests/1", "new": "a\nb\u001b"}]},
            "newly_failing": {"event": "evt_2", "accepted_at": "now", "old": {"outcome": "skip", "reason": "so", "requests": 0},
                "new": {"outcome": "park", "code": "trap", "reason": "oh", "requests": 0}, "differences": [], "more": false}}}"#;
        let summary: Summary = serde_json::from_str(summary).expect("a summary");
        assert!(!summary.counts.is_well());
        let mut screen = screen(80);
        show(&mut screen, &summary).expect("written");
        let expected = "p@2 beside p@1: 6 events compared, 3 are different
  same                     3
  changed                  1
  newly failing            2
  payload gone             1  not compared
  the host's limit events_max ended it at then: there are older events

newly failing, first evt_2 of now
  old  skip
       so
  new  park: trap
       oh

changed, first evt_1 of now
  old  deliver 1 request
  new  deliver 2 requests
  /requests/0/body/a
    - 1
    + 2
  /requests/1
    + a
      b\\u{1b}
  …
";
        assert_eq!(text(screen), expected);
    }
}
