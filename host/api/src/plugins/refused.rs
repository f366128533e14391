//! Why a version is not activated or deleted, as it is answered.

use hookmill_domain::ids::{EventId, IntegrationId, RunId};
use hookmill_domain::names::OrganizationName;
use hookmill_flow::{Unfit, UnfitConfig};
use hookmill_store::{NamedIntegration, Needed, NeededRun, OpenWork};
use http::StatusCode;
use serde::Serialize;

use crate::problem::Problem;

/// What a program branches on.
const CONFIG_UNFIT: &str = "config_unfit";
const VERSION_NEEDED: &str = "version_needed";

/// Why a version was not activated.
#[derive(Debug, Serialize)]
pub(super) struct UnfitShown {
    code: &'static str,
    detail: String,
    integrations: Vec<ConfigShown>,
    /// Whether there may be more than these.
    more: bool,
}

/// A configuration that does not fit.
#[derive(Debug, Serialize)]
struct ConfigShown {
    #[serde(flatten)]
    integration: IntegrationShown,
    /// A JSON Pointer into the integration.
    pointer: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct IntegrationShown {
    id: IntegrationId,
    organization: OrganizationName,
}

impl From<NamedIntegration> for IntegrationShown {
    fn from(integration: NamedIntegration) -> IntegrationShown {
        IntegrationShown {
            id: integration.id,
            organization: integration.organization,
        }
    }
}

impl From<UnfitConfig> for ConfigShown {
    fn from(config: UnfitConfig) -> ConfigShown {
        ConfigShown {
            integration: config.integration.into(),
            pointer: config.pointer,
            message: config.message,
        }
    }
}

impl From<Unfit> for UnfitShown {
    fn from(unfit: Unfit) -> UnfitShown {
        UnfitShown {
            code: CONFIG_UNFIT,
            detail: unfit.message,
            integrations: unfit.configs.into_iter().map(ConfigShown::from).collect(),
            more: unfit.more,
        }
    }
}

/// What needs a version.
#[derive(Debug, Serialize)]
struct NeededShown {
    active: bool,
    pinned_by: Vec<IntegrationShown>,
    runs: Vec<RunShown>,
    /// Integrations with open runs that may be under the version, and are too many to be told from one another, or just being resumed.
    open_runs_of: Vec<IntegrationShown>,
    /// Whether there is, or may be, more than is named here.
    more: bool,
}

/// An open run under the version.
#[derive(Debug, Serialize)]
struct RunShown {
    id: RunId,
    event: EventId,
    integration: IntegrationId,
    organization: OrganizationName,
    open: &'static str,
}

impl From<NeededRun> for RunShown {
    fn from(run: NeededRun) -> RunShown {
        RunShown {
            id: run.id,
            event: run.event,
            integration: run.integration.id,
            organization: run.integration.organization,
            open: match run.open {
                OpenWork::Pending => "pending",
                OpenWork::Queued => "queued",
                OpenWork::Parked => "parked",
                OpenWork::Delivery => "delivery",
            },
        }
    }
}

/// The answer to an activation that would leave an integration with a configuration that its plugin does not take.
pub(crate) fn unfit_problem(unfit: Unfit) -> Problem {
    let shown = UnfitShown::from(unfit);
    Problem::new(StatusCode::CONFLICT, shown.detail)
        .with_code(CONFIG_UNFIT)
        .with_member("integrations", shown.integrations)
        .with_member("more", shown.more)
}

/// The answer to the deletion of a version that is needed.
pub(crate) fn needed_problem(needed: Needed) -> Problem {
    let mut why = Vec::new();
    if needed.active {
        why.push("it is active".to_owned());
    }
    if !needed.pinned_by.is_empty() {
        why.push(format!(
            "integrations pin it: {}",
            list(needed.pinned_by.iter().map(|integration| integration.id))
        ));
    }
    if !needed.runs.is_empty() {
        why.push(format!("events are not settled: {}", list(needed.runs.iter().map(|run| run.event))));
    }
    if !needed.open_runs_of.is_empty() {
        let ids = list(needed.open_runs_of.iter().map(|integration| integration.id));
        why.push(format!("integrations have open runs that may need it: {ids}"));
    }
    let shown = NeededShown {
        active: needed.active,
        pinned_by: needed.pinned_by.into_iter().map(IntegrationShown::from).collect(),
        runs: needed.runs.into_iter().map(RunShown::from).collect(),
        open_runs_of: needed.open_runs_of.into_iter().map(IntegrationShown::from).collect(),
        more: needed.more,
    };
    Problem::new(StatusCode::CONFLICT, format!("the version is needed: {}", why.join("; ")))
        .with_code(VERSION_NEEDED)
        .with_member("needed_by", shown)
}

fn list(ids: impl Iterator<Item = impl ToString>) -> String {
    let mut texts: Vec<String> = ids.map(|id| id.to_string()).collect();
    texts.dedup();
    texts.join(", ")
}
