//! Runs: listed, read, and resumed when they are parked.

use crate::json::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{EventId, IntegrationId, RunId};
use hookmill_domain::names::PluginName;
use hookmill_domain::state::RunState;
use hookmill_domain::time::Time;
use hookmill_store::RunView;
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::call::{Call, PathPart};
use crate::deliveries::DeliveryShown;
use crate::events::read::{read_id, visible_event};
use crate::held::{Held, Holds};
use crate::listing::Listing;
use crate::pages::Page;
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{Named, ORGANIZATION};

/// A run as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct RunShown {
    id: RunId,
    event: EventId,
    integration: IntegrationId,
    generation: u32,
    plugin: PluginShown,
    state: RunState,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    /// Its lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<Time>,
    deliveries: Vec<DeliveryShown>,
}

#[derive(Debug, Serialize)]
struct PluginShown {
    name: PluginName,
    version: u32,
    digest: Digest,
}

impl RunShown {
    /// Shows a run, with what holds it now.
    pub(crate) async fn of(run: RunView, holds: &mut Holds<'_>) -> Result<RunShown, Problem> {
        let held = holds.of_run(&run).await?;
        let mut deliveries = Vec::with_capacity(run.deliveries.len());
        for delivery in run.deliveries {
            deliveries.push(DeliveryShown::of(delivery, holds).await?);
        }
        Ok(RunShown {
            id: run.id,
            event: run.event,
            integration: run.integration,
            generation: run.run.generation,
            plugin: PluginShown {
                name: run.plugin,
                version: run.version,
                digest: run.digest,
            },
            state: run.state,
            held,
            code: run.code,
            reason: run.reason,
            duration_us: run.duration_us,
            memory_bytes: run.memory_bytes,
            log: run.log.map(|log| log.lines().map(str::to_owned).collect()),
            recorded_at: run.recorded_at,
            deliveries,
        })
    }
}

/// `GET /runs`.
pub(crate) async fn list(State(reception): State<Reception>, call: Call) -> Result<Response, Problem> {
    let listing = Listing::read(&reception, &call, RunState::ALL, RunState::as_str).await?;
    let page = listing.page(&reception, &call, |filter, state, below, max| {
        reception.store().runs(filter, state, below, max)
    });
    let (room, found, next) = page.await?;
    let mut holds = Holds::new(&reception);
    let mut items = Vec::with_capacity(found.len());
    for run in found {
        items.push(RunShown::of(run, &mut holds).await?);
    }
    room.of(&Page::new(items, next))
}

/// `GET /runs/{id}`.
pub(crate) async fn get(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Json<RunShown>, Problem> {
    call.caller.need_read()?;
    let run = find(&reception, &call, &id).await?;
    Ok(Json(RunShown::of(run, &mut Holds::new(&reception)).await?))
}

/// `POST /runs/{id}/resume`: a parked run is run again under the present configuration. Answers the id of the run that takes over.
pub(crate) async fn resume(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let run = find(&reception, &call, &id).await?;
    let next = reception.river.resume_run(run.run.organization, run.id).await?;
    let place = [(header::LOCATION, format!("/runs/{next}"))];
    Ok((StatusCode::ACCEPTED, place, Json(json!({ "id": next }))).into_response())
}

async fn find(reception: &Reception, call: &Call, id: &str) -> Result<RunView, Problem> {
    let named = Named::by(&call.parameters(&[ORGANIZATION])?)?;
    let id = read_id::<RunId>(id, "run")?;
    let (_room, event) = visible_event(reception, call, &named, id.key(), "run").await?;
    let run = event.runs.into_iter().find(|run| run.id == id);
    run.ok_or_else(|| Problem::not_found("run"))
}
