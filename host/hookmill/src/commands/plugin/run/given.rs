//! What a component is run on, as it stands on the command line.

use std::path::PathBuf;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use hookmill_domain::config;
use hookmill_domain::event::Kinds;
use hookmill_domain::ids::{IntegrationId, Salt};
use hookmill_domain::integration::{Draft, LiveTarget, PluginRef};
use hookmill_domain::key::Key;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::names::{Kind, OrganizationName, TargetName};
use hookmill_domain::target::TargetUrl;
use hookmill_domain::time::Time;
use hookmill_plugin_room::{Component, Inspection, Plugins, Refusal};
use serde_json::value::RawValue;

use super::{Setting, Task, events, past};
use crate::commands::configured::Configured;
use crate::commands::plugin::component::Refused;
use crate::config::Config;
use crate::screen::Screen;

/// Where targets seem to be that have no URL here: no name ends so (RFC 2606, section 2).
const TARGETS: &str = "https://target.invalid/";

/// The component, its events and its integration.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// The component
    #[arg(value_name = "COMPONENT")]
    pub(super) component: PathBuf,
    /// Events as they are posted: one, a JSON array, or one on each line; `-` reads standard input
    #[arg(long, value_name = "FILE", required_unless_present = "run")]
    event: Option<PathBuf>,
    /// A run as `hookmill export` gives it, instead of events; `-` reads standard input. `run` compares it with what the file tells
    #[arg(long, value_name = "FILE", conflicts_with_all = ["event", "plugin_config", "target", "organization", "kind", "accepted_at"])]
    run: Option<PathBuf>,
    /// The integration's `plugin_config`: JSON, or the name of a file after an `@`
    #[arg(long, value_name = "JSON|@FILE", default_value = "null")]
    plugin_config: String,
    /// The name of a further target of the integration; can be given several times. With --json their URLs are shown
    /// below `target.invalid`
    #[arg(long, value_name = "NAME")]
    target: Vec<TargetName>,
    /// The organization of events that name none
    #[arg(long, value_name = "NAME", default_value = "contractfit1")]
    organization: OrganizationName,
    /// A kind of events that the host knows beside the product's; can be given several times
    #[arg(long, value_name = "NAME")]
    kind: Vec<Kind>,
    /// When the first event was accepted, where the plugin's clock stands
    #[arg(long, value_name = "TIME", default_value = "2025-01-01T00:00:00.000Z")]
    accepted_at: Time,
    /// Prints JSON: `run` one object for each event, on a line of its own, with what a host answers to a dry run, and which event it was;
    /// `bench` one of what all calls took
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    configured: Configured,
}

impl Given {
    /// What is to be run: the events of a file, or a run of a host's.
    pub(super) fn asked(&self) -> anyhow::Result<Task> {
        match &self.run {
            Some(file) => past::task(file),
            None => self.task(),
        }
    }

    /// The component, if a host would take it.
    pub(super) async fn take(
        &self,
        screen: &mut Screen,
        plugins: &Plugins,
        bytes: Result<Bytes, Refusal>,
    ) -> anyhow::Result<Option<(Inspection, Component)>> {
        let inspected = match bytes {
            Ok(bytes) => plugins.inspect(None, bytes).await,
            Err(refusal) => Err(refusal),
        };
        let found = match inspected {
            Ok(found) => found,
            Err(refusal) => {
                Refused::of(refusal)?.show(screen, &self.component, self.json)?;
                return Ok(None);
            }
        };
        let component = plugins.loaded(&found.digest).context("the component was dropped at once")?;
        Ok(Some((found, component)))
    }

    /// The events of a file, with what stands in the other arguments.
    fn task(&self) -> anyhow::Result<Task> {
        let Config { kinds, limits, .. } = self.configured.load()?;
        let (kinds, limits) = (Kinds::default().with(kinds.into_iter().chain(self.kind.clone())), limits.plugin);
        let events = self.event.as_deref().context("no file of events is named")?;
        let events = events::read(events, &kinds)?;
        let config = plugin_config(&self.plugin_config, &limits)?;
        let setting = self.setting(&kinds, &config)?;
        Ok(Task {
            events,
            setting,
            limits,
            past: None,
        })
    }

    fn setting(&self, kinds: &Kinds, config: &str) -> anyhow::Result<Setting> {
        for (number, name) in self.target.iter().enumerate() {
            anyhow::ensure!(!self.target[..number].contains(name), "the target `{name}` is named twice");
        }
        let targets = std::iter::once(None).chain(self.target.iter().map(Some));
        let draft = draft(kinds.iter().cloned().collect(), targets, config)?;
        Ok(Setting {
            // Nothing asks for a plugin: the component is at hand.
            facts: draft.facts(PluginRef::passthrough()),
            draft,
            integration: IntegrationId::new(self.accepted_at, [0; 10]).to_string(),
            organization: self.organization.clone(),
            first: Key::from_parts(self.accepted_at, 0, 0),
            salt: Salt::new(0),
            generation: 0,
        })
    }
}

/// An integration with these targets, whose URLs nobody knows here.
pub(super) fn draft<'a>(events: Vec<Kind>, targets: impl Iterator<Item = Option<&'a TargetName>>, config: &str) -> anyhow::Result<Draft> {
    let target = |name: Option<&TargetName>| {
        let shown = name.map_or("default", TargetName::as_str);
        anyhow::Ok(LiveTarget {
            name: name.cloned(),
            url: TargetUrl::parse(&format!("{TARGETS}{shown}"))?,
            headers: Vec::new(),
            gone: false,
        })
    };
    Ok(Draft {
        events,
        inboxes: None,
        projects: None,
        enabled: true,
        paused: false,
        plugin: None,
        config: config.into(),
        targets: targets.map(target).collect::<Result<_, _>>()?,
        retry: None,
        timeout_ms: None,
        description: None,
        metadata: None,
    })
}

/// `plugin_config` as a call gets it. Refuses what a host refuses, whatever the plugin.
fn plugin_config(given: &str, limits: &PluginLimits) -> anyhow::Result<String> {
    let text = match given.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("can not read {file}"))?,
        None => given.to_owned(),
    };
    let bytes_max = limits.config_bytes_max;
    anyhow::ensure!(
        text.trim().len() as u64 <= bytes_max,
        "the configuration has more than {bytes_max} bytes"
    );
    let json: &RawValue = serde_json::from_str(&text).context("the configuration is not JSON")?;
    config::check(json).map_err(|bad| anyhow::anyhow!("/plugin_config{}: {bad}", bad.pointer))?;
    Ok(json.get().to_owned())
}
