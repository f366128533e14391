//! `hookmill plugin check`: what an upload would answer, by the code that judges uploads.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hookmill_domain::limits::Limits;
use hookmill_plugin_room::Report as Accepted;
use serde::Serialize;

use super::component::{self, size};
use super::workshop::{self, Workshop};
use crate::screen::{Piece, Screen, bad, faint, good, plain, strong};

/// Ends with 0 where a host with the default limits takes the component, else with 1.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The component
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What is told of a component.
#[derive(Serialize)]
#[serde(untagged)]
enum Report {
    Accepted(Box<Accepted>),
    Refused {
        accepted: bool,
        code: &'static str,
        message: String,
    },
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let bytes = component::read(&self.component, Limits::default().plugin.component_bytes_max)?;
        workshop::with(async |Workshop { plugins, limits }| {
            let inspected = match bytes {
                Ok(bytes) => plugins.inspect(bytes).await,
                Err(refusal) => Err(refusal),
            };
            let report = match inspected {
                Ok(inspection) => Report::Accepted(Box::new(Accepted::new(inspection, &limits.plugin))),
                Err(refusal) => {
                    let (code, message) = component::told(refusal)?;
                    Report::Refused {
                        accepted: false,
                        code,
                        message,
                    }
                }
            };
            let mut screen = Screen::stdout();
            if self.json {
                screen.json(&report)?;
            } else {
                self.show(&mut screen, &report)?;
            }
            screen.flush()?;
            Ok(match report {
                Report::Accepted(_) => ExitCode::SUCCESS,
                Report::Refused { .. } => ExitCode::FAILURE,
            })
        })
    }

    fn show(&self, screen: &mut Screen, report: &Report) -> anyhow::Result<()> {
        let name = strong(self.component.display().to_string());
        match report {
            Report::Refused { code, message, .. } => {
                screen.line(&[name, plain(" "), bad(format!("is refused: {code}"))])?;
                for line in message.lines() {
                    screen.line(&[plain("  "), plain(line)])?;
                }
            }
            Report::Accepted(found) => {
                screen.line(&[name, plain(" "), good("is accepted")])?;
                for (what, told) in facts(found) {
                    screen.line(&row(what, &told))?;
                }
                for (what, names) in [("imports", &found.imports), ("exports", &found.exports)] {
                    for (number, name) in names.iter().enumerate() {
                        screen.line(&row(if number == 0 { what } else { "" }, name))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn row(what: &str, told: &str) -> [Piece; 2] {
    [faint(format!("  {what:<10}")), plain(told)]
}

fn facts(found: &Accepted) -> [(&'static str, String); 6] {
    let (needs, limits) = (&found.needs, &found.limits);
    let schema = found.schema.as_ref().map_or_else(
        || "none: its configuration is any JSON".to_owned(),
        |schema| format!("JSON Schema of {}", size(schema.get().len() as u64)),
    );
    [
        ("digest", found.digest.clone()),
        ("contract", format!("hookmill:plugin@{}", found.contract)),
        (
            "size",
            format!(
                "{} of at most {}; compiled to {} in {} ms",
                size(found.component_bytes),
                size(limits.component_bytes_max),
                size(found.artifact_bytes),
                found.compile_ms
            ),
        ),
        (
            "memory",
            format!(
                "{} at the start of a call, which may have {}",
                size(needs.memory_bytes),
                size(limits.memory_bytes)
            ),
        ),
        (
            "slots",
            format!(
                "{} (memories: {}, tables: {}, table elements: {})",
                needs.slots, needs.memories, needs.tables, needs.table_elements
            ),
        ),
        ("schema", schema),
    ]
}
