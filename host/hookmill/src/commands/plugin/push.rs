//! `hookmill plugin push`: an upload, by the API of a host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use hookmill_domain::names::PluginName;
use http::Method;
use serde::Deserialize;

use super::component;
use crate::commands::host::{Call, Host};
use crate::screen::{Screen, bad, faint, good, odd, plain, strong};

/// The largest file that is sent at all; what the host takes, it says.
const COMPONENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How long an upload may take: its way over a slow line, its turn, its compiling.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Uploads a component; bytes that the plugin has already are the version that they were. Ends with 0 where the version is there, and
/// active if it was to be.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The component
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,
    /// The plugin's name
    #[arg(long, value_name = "NAME")]
    name: PluginName,
    /// Leaves the version that is active as it is
    #[arg(long)]
    no_activate: bool,
    #[command(flatten)]
    host: Host,
}

/// An upload as it is answered.
#[derive(Deserialize)]
struct Uploaded {
    name: String,
    version: u32,
    digest: String,
    active: bool,
    /// Why it is not active although it was to be.
    not_activated: Option<NotActivated>,
    new: bool,
    waiting: u64,
}

/// Configurations of integrations that follow the plugin do not fit the version's schema.
#[derive(Deserialize)]
struct NotActivated {
    detail: String,
    integrations: Vec<Unfit>,
    /// Whether there may be more than these.
    more: bool,
}

/// One of them.
#[derive(Deserialize)]
struct Unfit {
    id: String,
    organization: String,
    /// A JSON Pointer into the integration.
    pointer: String,
    message: String,
}

impl Push {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let bytes = component::read(&self.component, COMPONENT_BYTES_MAX)??;
        let mut query = vec![("name".to_owned(), self.name.to_string())];
        if self.no_activate {
            query.push(("activate".to_owned(), "false".to_owned()));
        }
        if let Some(organization) = &self.host.organization {
            query.push(("organization".to_owned(), organization.to_string()));
        }
        let answer = self.host.call(Call {
            method: Method::POST,
            path: "/plugins",
            query,
            content_type: Some("application/wasm"),
            body: bytes,
            timeout: TIMEOUT,
        })?;
        let uploaded: Uploaded = serde_json::from_slice(&answer).context("the host's answer can not be read")?;
        show(&uploaded)?;
        // It is there, and nobody gets it: a script that goes on would take the old version for the new one.
        Ok(match uploaded.not_activated {
            None => ExitCode::SUCCESS,
            Some(_) => ExitCode::FAILURE,
        })
    }
}

fn show(uploaded: &Uploaded) -> anyhow::Result<()> {
    let mut screen = Screen::stdout();
    screen.line(&[
        strong(&uploaded.name),
        plain(format!(" version {}: ", uploaded.version)),
        plain(if uploaded.new {
            "new, "
        } else {
            "these bytes were there already, "
        }),
        if uploaded.active { good("active") } else { odd("not active") },
    ])?;
    screen.line(&[faint("  digest    "), plain(&uploaded.digest)])?;
    if uploaded.waiting > 0 {
        screen.line(&[
            faint("  waiting   "),
            plain(match uploaded.waiting {
                1 => "one run waits to be resumed".to_owned(),
                waiting => format!("{waiting} runs wait to be resumed"),
            }),
        ])?;
    }
    if let Some(why) = &uploaded.not_activated {
        screen.line(&[bad("  it was not activated: "), plain(&why.detail)])?;
        for unfit in &why.integrations {
            let integration = format!("    {} of {}: ", unfit.id, unfit.organization);
            screen.line(&[faint(integration), plain(format!("{}: {}", unfit.pointer, unfit.message))])?;
        }
        if why.more {
            screen.line(&[faint("    there may be more")])?;
        }
    }
    screen.flush()?;
    Ok(())
}
