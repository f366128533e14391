//! `hookmill plugin run`: a component on events, by the rules of a host and under its limits.
//!
//! Nothing is sent. What the plugin is given is the same each time: ids and random numbers come of the event's place in the file and of
//! `--accepted-at`, so that equal files give equal outcomes. A run that a host has exported is given all that it was given there, under
//! that host's limits. With `--fuel` each call is made twice: as a host makes it, and again to be counted.

mod bench;
mod events;
mod given;
mod past;
mod shown;
mod told;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hookmill_domain::ids::{EventId, Salt};
use hookmill_domain::integration::{Draft, Facts};
use hookmill_domain::key::Key;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::names::{OrganizationName, TargetName};
use hookmill_domain::outcome::Outcome;
use hookmill_domain::request::{Decided, decide};
use hookmill_domain::seed::seed;
use hookmill_flow::{Came, Tried};
use hookmill_plugin_room::{Call, CheckError, Component, Fueled, Plugins};

pub(crate) use self::bench::Bench;
use self::events::Events;
use self::given::Given;
use self::past::Past;
use self::told::Told;
use super::component;
use super::workshop;
use crate::screen::{Screen, bad, plain};

/// Requests were decided by the targets that they are shown with.
const NOT_OF_A_TARGET: &str = "a request does not fit its target";
/// What a host compiles may be more than it compiles with counting in it.
const NOT_FUELED: &str = "the component can not be compiled with the counting of fuel in it";

/// Ends with 0 where each event ended in requests or a skip, or with --run as on its host; else with 1.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    given: Given,
    /// Counts the fuel of each call: the instructions that it executes, the same number on every machine. The component is compiled and
    /// called once more for it, without a limit on time; a call that goes on and on is ended, and its fuel told as more than ten billion
    #[arg(long)]
    fuel: bool,
}

/// What is to be run.
struct Task {
    events: Events,
    setting: Setting,
    limits: PluginLimits,
    /// What it is compared with.
    past: Option<Past>,
}

/// What is called.
struct Callee {
    component: Component,
    /// The same for counting fuel, if that is asked for.
    fueled: Option<Fueled>,
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
        let Run { given, fuel } = self;
        let Task {
            events,
            setting,
            limits,
            past,
        } = given.asked()?;
        workshop::with(&limits, async |plugins| {
            let mut screen = Screen::stdout();
            let bytes = component::read(&given.component, limits.component_bytes_max)?;
            let again = bytes.as_ref().ok().cloned().filter(|_| fuel);
            let Some((found, component)) = given.take(&mut screen, &plugins, bytes).await? else {
                return Ok(ExitCode::FAILURE);
            };
            check_config(&plugins, found.schema.as_deref(), &setting.facts.config).await?;
            let fueled = match again {
                Some(bytes) => Some(plugins.with_fuel(&component, bytes).await.context(NOT_FUELED)?),
                None => None,
            };
            let callee = Callee { component, fueled };
            let (mut parked, mut is_same) = (0, None);
            for number in 0..events.len() {
                let told = call(&plugins, &callee, &setting, &events, number).await?;
                parked += usize::from(told.is_parked());
                is_same = past.as_ref().and_then(|past| past.is_same(&told));
                match (&past, given.json) {
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
            if !given.json && events.len() > 1 {
                let count = format!("{} events, {parked} parked", events.len());
                screen.line(&[if parked == 0 { plain(count) } else { bad(count) }])?;
                screen.flush()?;
            }
            let is_well = is_same.unwrap_or(parked == 0);
            Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }
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
async fn call(plugins: &Plugins, callee: &Callee, setting: &Setting, events: &Events, number: usize) -> anyhow::Result<Told> {
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
    let called = plugins.transform(&callee.component, &call).await;
    let fuel = match &callee.fueled {
        Some(fueled) => Some(plugins.count_fuel(fueled, &call).await),
        None => None,
    };
    let warnings = called.outcome.as_ref().map(Outcome::warnings).unwrap_or_default();
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
        tried: Tried {
            came,
            call: called.facts,
            warnings,
        },
        fuel,
    })
}

/// Events follow one another as those of a busy host do.
fn key(first: Key, number: usize) -> Key {
    let per_millisecond = u64::from(Key::PER_MILLISECOND);
    let number = u64::from(first.counter()) + number as u64;
    let counter = u16::try_from(number % per_millisecond).unwrap_or(0);
    Key::from_parts(first.time().plus_millis(number / per_millisecond), first.host(), counter)
}
