//! A past run, made again from its file, and how that went beside what the file tells.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use hookmill_domain::digest::Digest;
use hookmill_domain::event::Envelope;
use hookmill_domain::ids::RunId;
use hookmill_domain::integration::{Draft, Facts, PluginRef};
use hookmill_domain::limits::{Limits, PluginLimits};
use hookmill_domain::outcome::{Fault, ParkCode};
use hookmill_domain::run_file::{OutcomePart, PluginPart, RunFile};
use hookmill_domain::state::RunState;
use hookmill_flow::Came;
use serde::Serialize;

use super::events::Events;
use super::given::draft;
use super::told::{Told, ToldShown};
use super::{NOT_OF_A_TARGET, Setting, Task};
use crate::screen::{Screen, bad, faint, good, odd, plain, strong};

/// What is kept of the file to compare with.
pub(super) struct Past {
    run: RunId,
    plugin: PluginPart,
    outcome: OutcomePart,
}

/// A run that was made again, as programs are told of it.
#[derive(Serialize)]
struct MadeAgain<'a> {
    #[serde(flatten)]
    told: ToldShown,
    run: Beside<'a>,
}

/// How it went beside the run on the host.
#[derive(Serialize)]
struct Beside<'a> {
    id: RunId,
    plugin: &'a PluginPart,
    /// Whether the component is the one that the host called.
    same_component: bool,
    /// Absent where the run had not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_outcome: Option<bool>,
    /// What of the outcome is another one.
    differences: Vec<String>,
}

/// Reads a run's file; `-` is standard input.
pub(super) fn task(path: &Path) -> anyhow::Result<Task> {
    let text = super::events::bytes(path)?;
    let file = RunFile::read(&text).with_context(|| format!("can not run {}", path.display()))?;
    let (first, salt) = file.event.parts().context("the event's id is none")?;
    let limits = Limits {
        plugin: PluginLimits::from(file.limits),
        ..Limits::default()
    };
    limits.check().context("the limits in the file are none")?;
    let (event, integration) = (file.event, file.integration);
    let targets = integration.targets.iter().map(|target| target.name.as_ref());
    let setting = Setting {
        draft: draft(vec![event.kind.clone()], targets, &integration.config)?,
        facts: Facts {
            events: vec![event.kind.clone()],
            inboxes: None,
            projects: None,
            enabled: true,
            // Nothing asks for it: the component is at hand.
            plugin: PluginRef::passthrough(),
            config: integration.config.into(),
            targets: integration.targets.into_iter().map(Into::into).collect(),
        },
        integration: integration.id.to_string(),
        organization: event.organization.clone(),
        first,
        salt,
        generation: file.generation,
    };
    let envelope = Envelope {
        kind: event.kind,
        organization: Some(event.organization),
        inbox: event.inbox,
        project: event.project,
        id: None,
        document: event.document,
        data: 0..event.data.len(),
    };
    Ok(Task {
        events: Events::of_one(envelope, event.data),
        setting,
        limits: limits.plugin,
        past: Some(Past {
            run: file.run,
            plugin: file.plugin,
            outcome: file.outcome,
        }),
    })
}

impl Past {
    /// Whether it ended as on its host. `None`: it had not ended there.
    pub(super) fn is_same(&self, told: &Told) -> Option<bool> {
        differences(&self.outcome, told).map(|differences| differences.is_empty())
    }

    /// Prints what came of the run now, and how that stands to what came of it then.
    pub(super) fn json<W: Write>(&self, screen: &mut Screen<W>, told: Told, draft: &Draft, component: Digest) -> anyhow::Result<()> {
        let differences = differences(&self.outcome, &told);
        screen.json(&MadeAgain {
            told: told.shown(draft).context(NOT_OF_A_TARGET)?,
            run: Beside {
                id: self.run,
                plugin: &self.plugin,
                same_component: component == self.plugin.digest,
                same_outcome: differences.as_ref().map(Vec::is_empty),
                differences: differences.unwrap_or_default(),
            },
        })?;
        Ok(())
    }

    /// Shows how the run stands to what came of it on its host.
    pub(super) fn show<W: Write>(&self, screen: &mut Screen<W>, told: &Told, component: Digest) -> io::Result<()> {
        let differences = differences(&self.outcome, told);
        let verdict = match differences.as_deref() {
            None => odd("had not ended on its host"),
            Some([]) => good("ends as on its host"),
            Some(_) => bad("does not end as on its host"),
        };
        screen.line(&[strong(self.run.to_string()), plain(" "), verdict])?;
        for line in differences.iter().flatten().flat_map(|difference| difference.lines()) {
            screen.line(&[plain("  "), plain(line)])?;
        }
        let PluginPart { name, version, digest } = &self.plugin;
        let called = format!("{name} version {version}, {digest}");
        if component == *digest {
            return screen.line(&[plain("  "), faint(called)]);
        }
        screen.line(&[plain("  "), odd("the component is not the one that the host called:")])?;
        screen.line(&[faint("  there  "), faint(called)])?;
        screen.line(&[faint("  here   "), faint(component.to_string())])
    }
}

/// What of a run's outcome is not as it was. `None`: it had not ended, so that there is nothing to compare with.
fn differences(then: &OutcomePart, now: &Told) -> Option<Vec<String>> {
    let state = match (then.state, &then.code) {
        (RunState::Done | RunState::Skipped, _) => then.state,
        // What became of a parked run afterwards does not matter here.
        (_, Some(_)) => RunState::Parked,
        _ => return None,
    };
    let code = then.code.as_deref().filter(|_| state == RunState::Parked);
    let (state_now, code_now, reason_now, requests_now) = match &now.tried.came {
        Came::Requests(requests) => (RunState::Done, None, None, requests.as_slice()),
        Came::Skipped(reason) => (RunState::Skipped, None, Some(reason), [].as_slice()),
        Came::Parked(Fault { code, message }) => (RunState::Parked, Some(code.as_str()), Some(message), [].as_slice()),
    };
    let log_now: Vec<&str> = now.tried.call.log.iter().flat_map(|log| log.lines()).collect();
    let ended = |state: RunState, code: Option<&str>| match code {
        Some(code) => format!("{}: {code}", state.as_str()),
        None => state.as_str().to_owned(),
    };
    if (state, code) != (state_now, code_now) {
        return Some(vec![format!(
            "it was {}, and is {}",
            ended(state, code),
            ended(state_now, code_now)
        )]);
    }
    // Where a call met its limit of time depends on the machine.
    if [ParkCode::CpuLimit, ParkCode::TimeLimit]
        .iter()
        .any(|limit| code == Some(limit.as_str()))
    {
        return Some(Vec::new());
    }
    let mut differences = Vec::new();
    if state != RunState::Done && then.reason.as_ref() != reason_now {
        let reason = then.reason.as_deref().unwrap_or("none");
        differences.push(format!("the reason is another one; it was:\n{reason}"));
    }
    if then.log != log_now {
        differences.push(format!(
            "the log is another one: it had {} lines, and has {}",
            then.log.len(),
            log_now.len()
        ));
    }
    if then.requests.len() != requests_now.len() {
        differences.push(format!("it had {} requests, and has {}", then.requests.len(), requests_now.len()));
    }
    for (number, (then, now)) in then.requests.iter().zip(requests_now).enumerate() {
        if then.digest.is_some_and(|digest| digest != now.digest()) {
            differences.push(format!("request {} ({}) is another one", number + 1, then.delivery));
        }
    }
    Some(differences)
}
