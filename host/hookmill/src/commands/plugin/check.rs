//! `hookmill plugin check`: what an upload would answer, by the code that judges uploads.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hookmill_plugin_room::Report;

use super::component::{self, Refused, size};
use super::workshop;
use crate::commands::configured::Configured;
use crate::screen::{Piece, Screen, faint, good, plain, strong};

/// Ends with 0 where a host with these limits takes the component, else with 1.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The component
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configured: Configured,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let limits = self.configured.load()?.limits.plugin;
        let bytes = component::read(&self.component, limits.component_bytes_max)?;
        workshop::with(&limits, async |plugins| {
            let inspected = match bytes {
                Ok(bytes) => plugins.inspect(None, bytes).await,
                Err(refusal) => Err(refusal),
            };
            let mut screen = Screen::stdout();
            let found = match inspected {
                Ok(inspection) => Report::new(inspection, &limits),
                Err(refusal) => {
                    Refused::of(refusal)?.show(&mut screen, &self.component, self.json)?;
                    return Ok(ExitCode::FAILURE);
                }
            };
            if self.json {
                screen.json(&found)?;
            } else {
                self.show(&mut screen, &found)?;
            }
            screen.flush()?;
            Ok(ExitCode::SUCCESS)
        })
    }

    fn show(&self, screen: &mut Screen, found: &Report) -> anyhow::Result<()> {
        let name = strong(self.component.display().to_string());
        screen.line(&[name, plain(" "), good("is accepted")])?;
        for (what, told) in facts(found) {
            screen.line(&row(what, &told))?;
        }
        for (what, names) in [("imports", &found.imports), ("exports", &found.exports)] {
            for (number, name) in names.iter().enumerate() {
                screen.line(&row(if number == 0 { what } else { "" }, name))?;
            }
        }
        Ok(())
    }
}

fn row(what: &str, told: &str) -> [Piece; 2] {
    [faint(format!("  {what:<10}")), plain(told)]
}

fn facts(found: &Report) -> [(&'static str, String); 6] {
    let (needs, limits) = (&found.needs, &found.limits);
    let schema = found.schema.as_ref().map_or_else(
        || "none: its configuration is any JSON".to_owned(),
        |schema| format!("JSON Schema of {}", size(schema.get().len() as u64)),
    );
    [
        ("digest", found.digest.clone()),
        ("contract", format!("hookmill:plugin@{}, world {}", found.contract, found.world)),
        (
            "size",
            format!(
                "{} of at most {}; compiled to {}{}",
                size(found.component_bytes),
                size(limits.component_bytes_max),
                size(found.artifact_bytes),
                found.compile_ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default()
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
