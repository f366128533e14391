//! A run as people read it.

use std::io::{self, Write};

use hookmill_domain::outcome::Fault;
use hookmill_domain::request::Request;
use hookmill_domain::state::RunState;
use hookmill_flow::Came;
use hookmill_plugin_room::Fuel;

use super::told::Told;
use crate::commands::plugin::component::size;
use crate::json::shorten;
use crate::screen::{Piece, Screen, Style, faint, grouped, name, odd, plain, strong};

/// The most lines of a body that are shown.
const BODY_LINES_MAX: usize = 40;
/// What stands before a request's lines.
const INDENT: &str = "     ";

/// Prints a run.
pub(crate) fn show<W: Write>(screen: &mut Screen<W>, told: &Told) -> io::Result<()> {
    let (style, outcome, reason) = match &told.tried.came {
        Came::Requests(_) => (Style::Good, RunState::Done.as_str().to_owned(), None),
        Came::Skipped(reason) => (Style::Odd, RunState::Skipped.as_str().to_owned(), Some(reason)),
        Came::Parked(Fault { code, message }) => {
            let parked = format!("{}: {}", RunState::Parked.as_str(), code.as_str());
            (Style::Bad, parked, Some(message))
        }
    };
    let call = &told.tried.call;
    let mut cost = format!("{:.2} ms, {}", call.duration_us as f64 / 1000.0, size(call.memory_bytes));
    match told.fuel {
        Some(Fuel::Used(used)) => cost.push_str(&format!(", fuel {}", grouped(used))),
        Some(Fuel::MoreThan(max)) => cost.push_str(&format!(", fuel more than {}", grouped(max))),
        Some(Fuel::Uncounted(_)) | None => {}
    }
    let pieces = vec![
        name(told.kind.as_str()),
        plain(format!(" {} ", told.document)),
        Piece::new(style, outcome),
    ];
    screen.line_to_end(pieces, faint(cost))?;
    for line in reason.iter().flat_map(|reason| reason.lines()) {
        screen.line(&[plain("  "), plain(line)])?;
    }
    if let Came::Requests(requests) = &told.tried.came {
        for (number, request) in requests.iter().enumerate() {
            show_request(screen, number + 1, request)?;
        }
    }
    if let Some(Fuel::Uncounted(why)) = told.fuel {
        screen.line(&[plain("  "), odd(format!("no fuel is told: {why}"))])?;
    }
    for warning in &told.tried.warnings {
        screen.line(&[plain("  "), odd(format!("warning: {warning}"))])?;
    }
    for line in call.log.iter().flat_map(|log| log.lines()) {
        screen.line(&[faint("  log  "), faint(line)])?;
    }
    screen.gap()
}

fn show_request<W: Write>(screen: &mut Screen<W>, number: usize, request: &Request) -> io::Result<()> {
    let target = match &request.target {
        Some(target) => format!("target {target}"),
        None => "the default target".to_owned(),
    };
    let mut line = vec![
        faint(format!("{number:>3}  ")),
        strong(request.method.as_str()),
        plain(format!(" to {target}")),
    ];
    if let Some(path) = &request.path {
        line.extend([plain(", below its path: "), plain(path)]);
    }
    screen.line(&line)?;
    for (key, value) in &request.query {
        screen.line(&[plain(INDENT), faint("query "), name(key), plain(" = "), plain(value)])?;
    }
    for (key, value) in &request.headers {
        screen.line(&[plain(INDENT), name(key), plain(": "), plain(value)])?;
    }
    let of_body = faint(format!("  ({})", size(request.body.len() as u64)));
    screen.line(&[
        plain(INDENT),
        name("content-type"),
        plain(": "),
        plain(&request.content_type),
        of_body,
    ])?;
    let columns = screen.columns().saturating_sub(INDENT.len());
    for mut line in body(request, columns) {
        line.insert(0, plain(INDENT));
        screen.line(&line)?;
    }
    Ok(())
}

fn body(request: &Request, columns: usize) -> Vec<Vec<Piece>> {
    let Ok(text) = std::str::from_utf8(&request.body) else {
        return vec![vec![faint("no text: --json shows it in base64")]];
    };
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return shorten(text, &[], columns, BODY_LINES_MAX);
    }
    let mut lines = text.lines();
    let mut shown: Vec<Vec<Piece>> = lines.by_ref().take(BODY_LINES_MAX).map(|line| vec![plain(line)]).collect();
    if lines.next().is_some() {
        shown.push(vec![faint("…")]);
    }
    shown
}
