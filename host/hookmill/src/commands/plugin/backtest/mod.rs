//! `hookmill plugin backtest`: what a version would have made of a host's stored events, beside the version that an integration has.

mod answer;
mod shown;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use hookmill_domain::names::{OrganizationName, PluginName};
use hookmill_domain::time::Time;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use self::answer::{Counts, Line, Summary};
use crate::commands::host::{Call, Host, Lines};
use crate::screen::Screen;

/// What was compared is well, and there is more that was not, or the host can not be asked. That is never told as a change.
const UNKNOWN: u8 = 2;
/// How long the host may take until it answers: it may have to compile first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Ends with 0 where all was compared and nothing would come out otherwise but what fails no longer, with 1 where something would, and with 2
/// where that can not be told of all: the host has ended it early or can not be asked, a payload is gone, or there was no event.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// The version to try
    #[arg(value_name = "NAME@N")]
    version: Version,
    /// The integration whose events are taken: its id, or after an `@` the name of a file with one as it is posted
    #[arg(long, value_name = "ID|@FILE")]
    integration: String,
    /// How many of the newest events that it matches [default: 1000, or as many as the host allows]
    #[arg(long, value_name = "N", conflicts_with = "since")]
    last: Option<u64>,
    /// All events that it matches since then
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
    #[command(flatten)]
    host: Host,
    /// Prints what came of it as one JSON object
    #[arg(long)]
    json: bool,
}

/// A version of a plugin, as integrations pin one.
#[derive(Debug, Clone)]
struct Version {
    name: PluginName,
    number: u32,
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Version, String> {
        let (name, number) = text.rsplit_once('@').ok_or("a version is a name and a number, such as totals@3")?;
        Ok(Version {
            name: name.parse::<PluginName>().map_err(|error| error.to_string())?,
            number: number.parse().map_err(|_| format!("`{number}` is not the number of a version"))?,
        })
    }
}

/// What the host is asked.
#[derive(Serialize)]
struct Asked<'a> {
    integration: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a OrganizationName>,
}

impl Backtest {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        self.ask().or_else(|error| {
            crate::screen::report(&error);
            Ok(ExitCode::from(UNKNOWN))
        })
    }

    fn ask(&self) -> anyhow::Result<ExitCode> {
        let asked = Asked {
            integration: self.integration()?,
            last: self.last,
            since: self.since,
            organization: self.host.organization.as_ref(),
        };
        let asked = serde_json::to_string(&asked)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let summary = runtime.block_on(self.answer(asked))?;
        runtime.shutdown_background();
        let read: Summary = serde_json::from_str(summary.get()).context("the summary can not be read")?;
        let mut screen = Screen::stdout();
        if self.json {
            screen.json(&summary)?;
        } else {
            shown::show(&mut screen, &read)?;
        }
        screen.flush()?;
        Ok(match (read.counts.is_well(), read.stopped_by.is_none() && read.counts.is_whole()) {
            (true, true) => ExitCode::SUCCESS,
            (true, false) => ExitCode::from(UNKNOWN),
            (false, _) => ExitCode::FAILURE,
        })
    }

    /// The integration as it is asked for: an id, or JSON as it stands in a file.
    fn integration(&self) -> anyhow::Result<Box<RawValue>> {
        let json = match self.integration.strip_prefix('@') {
            Some(file) => std::fs::read_to_string(file).with_context(|| format!("can not read {file}"))?,
            None => serde_json::to_string(&self.integration)?,
        };
        RawValue::from_string(json.trim().to_owned()).context("the integration is not JSON")
    }

    /// Reads the answer to its end, and shows on a terminal how far it has come.
    async fn answer(&self, asked: String) -> anyhow::Result<Box<RawValue>> {
        let Version { name, number } = &self.version;
        let path = format!("/plugins/{name}/versions/{number}/backtest");
        let mut lines = self
            .host
            .lines(Call {
                method: Method::POST,
                path: &path,
                query: Vec::new(),
                content_type: Some("application/json"),
                body: asked.into(),
                timeout: HEAD_TIMEOUT,
            })
            .await?;
        let progress = Progress {
            last: self.last,
            is_shown: std::io::stderr().is_terminal(),
        };
        let ended = read_to_end(&mut lines, &progress).await;
        progress.end();
        ended
    }
}

async fn read_to_end(lines: &mut Lines, progress: &Progress) -> anyhow::Result<Box<RawValue>> {
    while let Some(line) = lines.next().await? {
        match serde_json::from_str(&line).context("the answer can not be read")? {
            Line::Progress(counts) => progress.show(&counts),
            Line::Summary(summary) => return Ok(summary),
            Line::Problem(problem) => anyhow::bail!("the backtest ended early: {}", problem.told()),
        }
    }
    anyhow::bail!("the answer ended before it said what came of it")
}

/// The line on a terminal's standard error that is written again and again.
struct Progress {
    last: Option<u64>,
    is_shown: bool,
}

impl Progress {
    fn show(&self, counts: &Counts) {
        let (compared, different) = (counts.compared, counts.different());
        let reached = counts.reached.as_deref().unwrap_or("now");
        let text = match self.last {
            Some(last) => format!("{compared} of {last} events compared, {different} different"),
            None => format!("{compared} events compared, back to {reached}, {different} different"),
        };
        self.put(&text);
    }

    fn end(&self) {
        self.put("");
    }

    fn put(&self, text: &str) {
        if self.is_shown {
            // What can not be written is missed by nobody.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        }
    }
}
