//! What is printed: who is there, then for each integration what was posted above what it received, then how to go on.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::plan::{ORGANIZATION, REVIEW_BELOW, ROUTES, Route, SAMPLES, Shape};
use super::play::{Attempt, Parcel, Played};
use super::receiver::Arrival;
use super::verdict::{Verdict, judge};
use crate::json::shorten;
use crate::screen::{Piece, Screen, bad, columns, faint, good, grouped, name, odd, plain, strong};

/// Where everything begins but the titles.
const INDENT: &str = "    ";
/// `posted   14,873 B  `
const LABEL_COLUMNS: usize = 19;
/// An address, and the gap behind it.
const NAME_COLUMNS: usize = 24;
/// Lines of a payload, on a wide screen and on a narrow one.
const LINES_MAX: usize = 3;
const NARROW_LINES_MAX: usize = 5;
/// A screen with fewer columns is narrow.
const WIDE_COLUMNS: usize = 90;
/// Lines of a flat form, which is shown whole.
const FLAT_LINES_MAX: usize = 12;
/// What is shown of a receiver's answer.
const ANSWER_CHARACTERS_MAX: usize = 40;
/// The longest line of a component's log that is shown.
const LOG_CHARACTERS_MAX: usize = 200;

/// Who is there.
pub(crate) fn opening<W: Write>(screen: &mut Screen<W>, host: SocketAddr, receiver: SocketAddr) -> io::Result<()> {
    screen.gap()?;
    screen.line(&[strong("  Hookmill demo")])?;
    screen.line(&[plain(
        "  Document events in, a WebAssembly component run on each, signed webhooks out.",
    )])?;
    screen.gap()?;
    let who = |what: &str, name_of: String, note: &str| {
        let gap = " ".repeat(NAME_COLUMNS.saturating_sub(name_of.len()));
        [faint(format!("  {what:<14}")), name(name_of), faint(format!("{gap}{note}"))]
    };
    screen.line(&who("host", format!("http://{host}"), "its data in a temporary folder"))?;
    screen.line(&who("receiver", format!("http://{receiver}"), "verifies what it receives"))?;
    let counts = format!("{} integrations, {} events, all by the API", ROUTES.len(), SAMPLES.len());
    screen.line(&who("organization", ORGANIZATION.to_owned(), &counts))?;
    screen.flush()
}

/// What each integration received. Answers whether all of it is as it should be.
pub(crate) fn sections<W: Write>(screen: &mut Screen<W>, played: &Played) -> io::Result<bool> {
    let mut faulty = Vec::new();
    for (number, (route, parcels)) in played.acts.iter().enumerate() {
        title(screen, number + 1, route, parcels)?;
        for parcel in parcels {
            let verdict = judge(route, parcel);
            screen.gap()?;
            show(screen, route, parcel, &verdict)?;
            if !verdict.faults.is_empty() {
                faulty.push((parcel, verdict.faults));
            }
        }
    }
    screen.gap()?;
    let all: usize = played.acts.iter().map(|(_, parcels)| parcels.len()).sum();
    summary(screen, all, played.elapsed, &faulty)?;
    screen.flush()?;
    Ok(faulty.is_empty())
}

/// How to go on.
pub(crate) fn closing<W: Write>(screen: &mut Screen<W>, host: SocketAddr, played: &Played) -> io::Result<()> {
    let key = format!("-H 'X-API-Key: {}'", played.key);
    screen.gap()?;
    screen.line(&[
        name(format!("  http://{host}")),
        plain(" serves until Ctrl-C. To go on, in another terminal:"),
    ])?;
    let mut hint = |what: &str, lines: &[String]| {
        screen.gap()?;
        screen.line(&[faint(format!("  # {what}"))])?;
        lines.iter().try_for_each(|line| screen.line(&[plain(format!("  {line}"))]))
    };
    hint(
        "post an event: it arrives below",
        &[
            format!("curl http://{host}/events \\"),
            format!("  {key} \\"),
            "  -d '{\"event\": \"document_text\", \"data\": {\"id\": \"5e7a0daf255bf93741177061\", \"text\": \"hello\"}}'".to_owned(),
        ],
    )?;
    let read = |path: &str| [format!("curl 'http://{host}{path}' \\"), format!("  {key}")];
    hint(
        "what became of the first event: its runs, and their deliveries",
        &read(&format!("/events/{}", played.event)),
    )?;
    hint("the newest deliveries", &read("/deliveries?limit=5"))?;
    screen.gap()?;
    screen.flush()
}

/// One request that came later.
pub(crate) fn arrived<W: Write>(screen: &mut Screen<W>, arrival: &Arrival) -> io::Result<()> {
    let kind = serde_json::from_slice::<serde_json::Value>(&arrival.body).ok();
    let kind = kind.as_ref().and_then(|body| body["event"].as_str()).unwrap_or("a request");
    let status = arrival.status.as_u16().to_string();
    let verified = match (arrival.signature_fault.is_none(), arrival.is_authorized) {
        (true, true) => "verified",
        (false, _) => "signature",
        (true, false) => "authorization",
    };
    screen.line(&[
        name(format!("  {kind}")),
        plain(format!(" → {}  {} B  ", arrival.path, grouped(arrival.body.len()))),
        mark(verified == "verified"),
        plain(format!(" {verified}  ")),
        if arrival.is_taken() { good(status) } else { odd(status) },
    ])?;
    screen.flush()
}

/// The end: a terminal has written `^C` where the next line would begin.
pub(crate) fn ending<W: Write>(screen: &mut Screen<W>) -> io::Result<()> {
    screen.gap()?;
    screen.line(&[faint("  The host is closed and its folder removed.")])?;
    screen.flush()
}

fn title<W: Write>(screen: &mut Screen<W>, number: usize, route: &Route, parcels: &[Parcel]) -> io::Result<()> {
    screen.gap()?;
    let mut line = vec![faint(format!("  {number} ")), strong(route.title), plain(" ")];
    let plugin = parcels.iter().find_map(|parcel| parcel.run.as_ref()).map(|run| &run.plugin);
    let plugin = plugin.map_or_else(String::new, |plugin| format!(" component {}@{}", plugin.name, plugin.version));
    let plugin = plain(plugin);
    let rule = screen.columns().saturating_sub(columns(&line) + plugin.columns());
    line.extend([faint("─".repeat(rule)), plugin]);
    screen.line(&line)?;
    for (target, door) in route.doors() {
        let line = vec![
            plain(format!("{INDENT}→ ")),
            name(door.path),
            faint(format!("  Authorization: {}", door.authorization)),
        ];
        match target {
            None => screen.line(&line)?,
            Some(target) => screen.line_to_end(line, faint(format!("target {target}: confidence below {REVIEW_BELOW}")))?,
        }
    }
    if !route.delays_ms.is_empty() {
        let delays: Vec<String> = route.delays_ms.iter().map(u64::to_string).collect();
        screen.line(&[faint(format!(
            "{INDENT}waits {} … ms: compressed for the demo, by default 2, 4, 8 … 512 s",
            delays.join(", ")
        ))])?;
    }
    Ok(())
}

fn show<W: Write>(screen: &mut Screen<W>, route: &Route, parcel: &Parcel, verdict: &Verdict) -> io::Result<()> {
    let mut head = vec![
        name(format!("{INDENT}{}", parcel.sample.kind)),
        plain(format!("  {}", parcel.sample.what)),
    ];
    if let Shape::Flat { .. } = route.shape {
        head.extend([plain("  → "), name(parcel.door.path)]);
    }
    screen.line(&head)?;
    let lines_max = if screen.columns() < WIDE_COLUMNS {
        NARROW_LINES_MAX
    } else {
        LINES_MAX
    };
    let (focus, received_focus, received_lines_max, promise) = match route.shape {
        Shape::Documented => (parcel.sample.focus, parcel.sample.focus, lines_max, "payload to the byte"),
        Shape::Flat { .. } => (parcel.sample.flat_focus, [].as_slice(), FLAT_LINES_MAX, "flat short form"),
    };
    payload(screen, "posted", parcel.sample.text.as_bytes(), focus, lines_max)?;
    let Some(last) = parcel.arrivals.last() else {
        return told_faults(screen, verdict);
    };
    payload(screen, "received", &last.body, received_focus, received_lines_max)?;
    for line in parcel.run.iter().flat_map(|run| &run.log) {
        let line: String = line.chars().take(LOG_CHARACTERS_MAX).collect();
        screen.line(&[faint(format!("{INDENT}{:<LABEL_COLUMNS$}", "log")), plain(line)])?;
    }
    attempts(screen, route, parcel)?;
    let marks = vec![
        plain(INDENT),
        mark(verdict.is_signed),
        plain(" signature  "),
        mark(verdict.is_authorized),
        plain(" authorization  "),
        mark(verdict.is_as_promised),
        plain(format!(" {promise}")),
    ];
    match parcel.run.as_ref().and_then(|run| run.duration_us) {
        Some(ran) => screen.line_to_end(marks, faint(format!("component ran {} µs", grouped(ran))))?,
        None => screen.line(&marks)?,
    }
    told_faults(screen, verdict)
}

fn told_faults<W: Write>(screen: &mut Screen<W>, verdict: &Verdict) -> io::Result<()> {
    for fault in &verdict.faults {
        screen.line(&[plain(INDENT), mark(false), plain(format!(" {fault}"))])?;
    }
    Ok(())
}

fn payload<W: Write>(screen: &mut Screen<W>, label: &str, body: &[u8], focus: &[&str], lines_max: usize) -> io::Result<()> {
    let columns = screen.columns().saturating_sub(INDENT.len() + LABEL_COLUMNS);
    let size = format!("{} B", grouped(body.len()));
    let mut label = faint(format!("{INDENT}{label:<8} {size:>8}  "));
    for mut line in shorten(&String::from_utf8_lossy(body), focus, columns, lines_max) {
        line.insert(0, label);
        screen.line(&line)?;
        label = plain(" ".repeat(INDENT.len() + LABEL_COLUMNS));
    }
    Ok(())
}

/// The attempts of a delivery that had several, with what came between them.
fn attempts<W: Write>(screen: &mut Screen<W>, route: &Route, parcel: &Parcel) -> io::Result<()> {
    let Some(first) = parcel.attempts.first() else { return Ok(()) };
    for attempt in &parcel.attempts {
        let mut line = vec![
            faint(format!("{INDENT}attempt {}", attempt.number)),
            plain(format!("{:>9}  ", since(first, attempt))),
        ];
        match attempt.status {
            Some(status) if (200..300).contains(&status) => line.push(good(status.to_string())),
            Some(status) => line.push(odd(status.to_string())),
            None => line.push(odd(attempt.code.as_deref().unwrap_or("no answer"))),
        }
        line.push(plain(quoted(&attempt.response)));
        let delay = usize::try_from(attempt.number)
            .ok()
            .and_then(|number| route.delays_ms.get(number.checked_sub(1)?));
        if let (Some(delay), true) = (delay, attempt.number < parcel.attempts.len() as u32) {
            line.push(faint(format!("  next in {delay} ms")));
        }
        screen.line(&line)?;
    }
    let is_alike = parcel.arrivals.windows(2).all(|pair| pair[0].body == pair[1].body);
    screen.line(&[
        plain(INDENT),
        mark(is_alike),
        plain(" the same webhook-id and the same bytes each time, signed anew"),
    ])
}

/// The time from the end of the first attempt to the end of another.
fn since(first: &Attempt, attempt: &Attempt) -> String {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    match (millis_of_day(&first.ended_at), millis_of_day(&attempt.ended_at)) {
        (Some(first), Some(ended)) => format!("{} ms", grouped((ended + DAY_MS - first) % DAY_MS)),
        _ => attempt.ended_at.clone(),
    }
}

/// Of `2026-09-21T14:13:20.120Z`.
fn millis_of_day(time: &str) -> Option<u64> {
    let time = time.split_once('T')?.1.strip_suffix('Z')?;
    let (time, millis) = time.split_once('.')?;
    let mut of_day = 0;
    for part in time.split(':') {
        of_day = of_day * 60 + part.parse::<u64>().ok()?;
    }
    Some(of_day * 1000 + millis.parse::<u64>().ok()?)
}

fn summary<W: Write>(screen: &mut Screen<W>, all: usize, elapsed: Duration, faulty: &[(&Parcel, Vec<String>)]) -> io::Result<()> {
    screen.line(&[faint(format!("  {}", "─".repeat(screen.columns().saturating_sub(2))))])?;
    if faulty.is_empty() {
        let text = format!(" {all} of {all} deliveries arrived and verified, in {:.1} s", elapsed.as_secs_f64());
        return screen.line(&[plain("  "), mark(true), strong(text)]);
    }
    let text = format!(" {} of {all} deliveries not as they should be", faulty.len());
    screen.line(&[plain("  "), mark(false), strong(text)])?;
    for (parcel, faults) in faulty {
        screen.line(&[
            name(format!("{INDENT}{}", parcel.sample.kind)),
            plain(" → "),
            name(parcel.door.path),
        ])?;
        for fault in faults {
            screen.line(&[plain(format!("{INDENT}  {fault}"))])?;
        }
    }
    Ok(())
}

fn mark(holds: bool) -> Piece {
    if holds { good("✓") } else { bad("✗") }
}

/// The beginning of what a receiver answered.
fn quoted(text: &str) -> String {
    let text: String = text.chars().take(ANSWER_CHARACTERS_MAX).collect();
    if text.is_empty() { String::new() } else { format!(" “{text}”") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::tests::{screen, text};

    #[test]
    fn a_refused_delivery() {
        let run = r#"{"integration": "int_1", "plugin": {"name": "passthrough", "version": 1}, "state": "done", "duration_us": 1234,
            "log": ["warn: \u001b[2J"], "deliveries": [{"id": "dlv_1", "state": "waiting", "attempts": 2, "status": 503}]}"#;
        let attempts = r#"[
            {"number": 1, "ended_at": "2026-09-21T23:59:59.900Z", "status": 503, "code": "status", "response": "no\u202e"},
            {"number": 2, "ended_at": "2026-09-22T00:00:00.210Z", "code": "connect"}]"#;
        let body = r#"{"event": "document_delete", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061"}}"#;
        let arrival = Arrival {
            path: "/archive",
            id: "dlv_1".to_owned(),
            at: std::time::Instant::now(),
            status: http::StatusCode::SERVICE_UNAVAILABLE,
            signature_fault: None,
            is_authorized: true,
            body: bytes::Bytes::from_static(body.as_bytes()),
        };
        let parcel = Parcel {
            sample: &SAMPLES[7],
            door: &ROUTES[4].door,
            run: serde_json::from_str(run).expect("a run"),
            attempts: serde_json::from_str(attempts).expect("attempts"),
            arrivals: vec![arrival],
        };
        let played = Played {
            key: "k".to_owned(),
            event: "evt_1".to_owned(),
            elapsed: Duration::from_millis(1),
            acts: vec![(&ROUTES[4], vec![parcel])],
        };
        let mut screen = screen(80);
        let is_well = sections(&mut screen, &played).expect("written");
        assert!(!is_well);
        let rule = "─".repeat(78);
        let expected = format!(
            r#"
  1 A receiver that refuses twice ────────────────────── component passthrough@1
    → /archive  Authorization: Bearer archive-77e0d5b2
    waits 300, 600, 1200 … ms: compressed for the demo, by default 2, 4, 8 … 512 s

    document_delete  a document is deleted
    posted       79 B  {{"event": "document_delete",
                        "data": {{"id": "5e7a0daf255bf93741177061"}}}}
    received    104 B  {{"event": "document_delete",
                        "organization": "contractfit1",
                        "data": {{"id": "5e7a0daf255bf93741177061"}}}}
    log                warn: \u{{1b}}[2J
    attempt 1     0 ms  503 “no\u{{202e}}”  next in 300 ms
    attempt 2   310 ms  connect
    ✓ the same webhook-id and the same bytes each time, signed anew
    ✓ signature  ✓ authorization  ✓ payload to the byte   component ran 1,234 µs
    ✗ it was not taken within 20 s; its delivery is waiting after 2 attempts, last status 503

  {rule}
  ✗ 1 of 1 deliveries not as they should be
    document_delete → /archive
      it was not taken within 20 s; its delivery is waiting after 2 attempts, last status 503
"#
        );
        assert_eq!(text(screen).trim_end(), expected.trim_end());
    }

    #[test]
    fn numbers_and_times() {
        assert_eq!(
            [0_u64, 999, 1000, 14_873, 1_234_567].map(grouped),
            ["0", "999", "1,000", "14,873", "1,234,567"]
        );
        assert_eq!(millis_of_day("2026-09-21T14:13:20.120Z"), Some(51_200_120));
        assert_eq!(millis_of_day("yesterday"), None);
    }
}
