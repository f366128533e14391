//! `hookmill plugin run`: a component on events, by the rules of a host and under its limits.
//!
//! Nothing is sent. What the plugin is given is the same each time: ids and random numbers come of the event's place in the file and of
//! `--accepted-at`, so that equal files give equal outcomes. A run that a host has exported is given all that it was given there, under
//! that host's limits.

mod bench;
mod events;
mod past;
mod shown;
mod told;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use hookmill_domain::config;
use hookmill_domain::event::Kinds;
use hookmill_domain::ids::{EventId, IntegrationId, Salt};
use hookmill_domain::integration::{Draft, Facts, LiveTarget, PluginRef};
use hookmill_domain::key::Key;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::names::{Kind, OrganizationName, TargetName};
use hookmill_domain::outcome::{Body, Outcome};
use hookmill_domain::request::{Decided, decide};
use hookmill_domain::seed::seed;
use hookmill_domain::target::TargetUrl;
use hookmill_domain::time::Time;
use hookmill_flow::{Came, Tried};
use hookmill_plugin_room::{Call, CheckError, Component, Inspection, Plugins};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub(crate) use self::bench::Bench;
use self::events::Events;
use self::past::Past;
use self::told::Told;
use super::component::{self, Refused};
use super::workshop;
use crate::commands::configured::Configured;
use crate::config::Config;
use crate::screen::{Screen, bad, plain};

/// Where targets seem to be that have no URL here: no name ends so (RFC 2606, section 2).
const TARGETS: &str = "https://target.invalid/";
/// Requests were decided by the targets that they are shown with.
const NOT_OF_A_TARGET: &str = "a request does not fit its target";

/// Ends with 0 where each event ended in requests or a skip, or with --run as on its host; else with 1.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The component
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,
    /// Events as they are posted: one, a JSON array, or one on each line; `-` reads standard input
    #[arg(long, value_name = "FILE", required_unless_present = "run")]
    event: Option<PathBuf>,
    /// A run as `hookmill export` gives it, instead of events: it is made again, and compared with what the file tells; `-` reads standard
    /// input
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
    /// Prints one JSON object for each event, on a line of its own: what a host answers to a dry run, and which event it was
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configured: Configured,
}

/// What is to be run.
struct Task {
    events: Events,
    setting: Setting,
    limits: PluginLimits,
    /// What it is compared with.
    past: Option<Past>,
}

/// What all calls have in common.
struct Setting {
    draft: Draft,
    facts: Facts,
    integration: String,
    organization: OrganizationName,
    /// Of the first event.
    first: Key,
    salt: Salt,
    generation: u32,
}

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let task = self.asked()?;
        let Task {
            events,
            setting,
            limits,
            past,
        } = task;
        workshop::with(&limits, async |plugins| {
            let mut screen = Screen::stdout();
            let bytes = component::read(&self.component, limits.component_bytes_max)?;
            let Some((found, component)) = self.take(&mut screen, &plugins, bytes).await? else {
                return Ok(ExitCode::FAILURE);
            };
            check_config(&plugins, found.schema.as_deref(), &setting.facts.config).await?;
            let (mut parked, mut is_same) = (0, None);
            for number in 0..events.len() {
                let told = call(&plugins, &component, &setting, &events, number).await?;
                parked += usize::from(told.is_parked());
                is_same = past.as_ref().and_then(|past| past.is_same(&told));
                match (&past, self.json) {
                    (None, true) => screen.json(&told.shown(&setting.draft).context(NOT_OF_A_TARGET)?)?,
                    (None, false) => shown::show(&mut screen, &told)?,
                    (Some(past), true) => past.json(&mut screen, told, &setting.draft, found.digest)?,
                    (Some(past), false) => {
                        shown::show(&mut screen, &told)?;
                        past.show(&mut screen, &told, found.digest)?;
                    }
                }
                screen.flush()?;
                if screen.is_closed() {
                    break;
                }
            }
            if !self.json && events.len() > 1 {
                let count = format!("{} events, {parked} parked", events.len());
                screen.line(&[if parked == 0 { plain(count) } else { bad(count) }])?;
                screen.flush()?;
            }
            let is_well = is_same.unwrap_or(parked == 0);
            Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }

    /// What is to be run: the events of a file, or a run of a host's.
    fn asked(&self) -> anyhow::Result<Task> {
        match &self.run {
            Some(file) => past::task(file),
            None => self.task(),
        }
    }

    /// The component, if a host would take it.
    async fn take(
        &self,
        screen: &mut Screen,
        plugins: &Plugins,
        bytes: Result<Bytes, hookmill_plugin_room::Refusal>,
    ) -> anyhow::Result<Option<(Inspection, Component)>> {
        let inspected = match bytes {
            Ok(bytes) => plugins.inspect(bytes).await,
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
fn draft<'a>(events: Vec<Kind>, targets: impl Iterator<Item = Option<&'a TargetName>>, config: &str) -> anyhow::Result<Draft> {
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

/// Refuses what a host refuses when an integration is saved.
async fn check_config(plugins: &Plugins, schema: Option<&str>, config: &str) -> anyhow::Result<()> {
    let Some(schema) = schema else { return Ok(()) };
    match plugins.check_config(schema, config).await {
        Ok(()) => Ok(()),
        Err(CheckError::Config(error)) => anyhow::bail!("/plugin_config{}: {}", error.pointer, error.message),
        Err(error) => Err(error.into()),
    }
}

/// Calls the component on one event, as a host's dispatch does.
async fn call(plugins: &Plugins, component: &Component, setting: &Setting, events: &Events, number: usize) -> anyhow::Result<Told> {
    let (event, data) = events.get(number)?;
    let key = key(setting.first, number);
    let event_id = EventId::new(key, setting.salt).to_string();
    let organization = event.organization.as_ref().unwrap_or(&setting.organization);
    let targets: Vec<&str> = setting.facts.target_names().map(TargetName::as_str).collect();
    let call = Call {
        event_id: &event_id,
        kind: event.kind.as_str(),
        organization: organization.as_str(),
        inbox: event.inbox.as_ref().map(|id| id.as_str()),
        project: event.project.as_ref().map(|id| id.as_str()),
        accepted_at: key.time(),
        data,
        integration_id: &setting.integration,
        targets: &targets,
        config: &setting.facts.config,
        seed: seed(key, &event_id, &setting.integration, setting.generation),
    };
    let called = plugins.transform(component, &call).await;
    let warnings = called.outcome.as_ref().map(warnings).unwrap_or_default();
    let came = match called.outcome.and_then(|answer| decide(answer, &setting.facts)) {
        Ok(Decided::Requests(requests)) => Came::Requests(requests),
        Ok(Decided::Skipped(reason)) => Came::Skipped(reason),
        Err(fault) => Came::Parked(fault),
    };
    Ok(Told {
        event: event_id,
        kind: event.kind.clone(),
        organization: organization.clone(),
        document: event.document.clone(),
        accepted_at: key.time(),
        tried: Tried { came, call: called.facts },
        warnings,
    })
}

/// Events follow one another as those of a busy host do.
fn key(first: Key, number: usize) -> Key {
    let per_millisecond = u64::from(Key::PER_MILLISECOND);
    let number = u64::from(first.counter()) + number as u64;
    let counter = u16::try_from(number % per_millisecond).unwrap_or(0);
    Key::from_parts(first.time().plus_millis(number / per_millisecond), first.host(), counter)
}

/// What a host sends all the same, and its receiver may not like.
fn warnings(answer: &Outcome) -> Vec<String> {
    let Outcome::Deliver(requests) = answer else { return Vec::new() };
    let warned = requests.iter().enumerate().filter_map(|(number, request)| {
        let Body::Json(json) = &request.body else { return None };
        let error = serde_json::from_slice::<IgnoredAny>(json).err()?;
        Some(format!("request {}: the body is not JSON: {error}", number + 1))
    });
    warned.collect()
}
