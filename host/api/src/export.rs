//! `GET /runs/{id}/export`: a run as one file, with which its author calls the component again where there is no host.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use hookmill_domain::ids::RunId;
use hookmill_domain::run_file::{EventPart, IntegrationPart, LimitsPart, OutcomePart, PluginPart, RequestPart, RunFile, TargetPart};
use hookmill_flow::Trial;
use hookmill_store::{EventView, RunView};
use http::StatusCode;

use crate::call::{Call, PathPart};
use crate::events::read::{read_id, visible_event};
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{Named, ORGANIZATION};

/// `GET /runs/{id}/export`. It tells what the integration was configured to, for all of its inboxes, so it is for keys that may change
/// that.
pub(crate) async fn export(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_change()?;
    call.caller.need_unlimited()?;
    let named = Named::by(&call.parameters(&[ORGANIZATION])?)?;
    let id = read_id::<RunId>(&id, "run")?;
    let (view_room, mut event) = visible_event(&reception, &call, &named, id.key(), "run").await?;
    let runs = std::mem::take(&mut event.runs);
    let run = runs.into_iter().find(|run| run.id == id).ok_or_else(|| Problem::not_found("run"))?;
    drop(view_room);
    let data_bytes = match id.key() {
        Some(key) => reception.store().event_data_bytes(key).await?.unwrap_or(0),
        None => 0,
    };
    // The data stands in the document as a string: once as it is, and in JSON, where one of control characters is six times as long.
    let room = reception.room(&call.caller, data_bytes.saturating_mul(7)).await?;
    let trial = reception.river.trial_of(run.run).await?;
    let trial = trial.ok_or_else(|| Problem::new(StatusCode::GONE, "the event's data is gone").with_code("payload_gone"))?;
    let limits = LimitsPart::from(&reception.river.limits().plugin);
    let file = file(event, run, trial, limits).ok_or_else(Problem::internal)?;
    room.of(&file.document())
}

/// `None`: the event's data is not text, so that its row is damaged.
fn file(event: EventView, run: RunView, trial: Trial, limits: LimitsPart) -> Option<RunFile> {
    let pinned = &trial.pinned;
    // Nobody else holds them, so that neither the event nor its data is copied.
    let data = Arc::unwrap_or_clone(trial.event).data;
    let data = String::from_utf8(data.into()).ok()?;
    Some(RunFile {
        run: run.id,
        generation: trial.generation,
        event: EventPart {
            id: event.id,
            kind: event.kind,
            organization: event.organization_name,
            inbox: event.inbox,
            project: event.project,
            document: event.document,
            accepted_at: event.accepted_at,
            data,
        },
        integration: IntegrationPart {
            id: run.integration,
            targets: pinned.facts.targets.iter().map(TargetPart::from).collect(),
            config: pinned.facts.config.to_string(),
        },
        plugin: PluginPart {
            name: run.plugin,
            version: run.version,
            digest: run.digest,
        },
        limits,
        outcome: OutcomePart {
            state: run.state,
            code: run.code,
            reason: run.reason,
            duration_us: run.duration_us,
            memory_bytes: run.memory_bytes,
            log: run.log.iter().flat_map(|log| log.lines()).map(str::to_owned).collect(),
            requests: run
                .deliveries
                .into_iter()
                .map(|delivery| RequestPart {
                    delivery: delivery.id,
                    digest: delivery.request_digest,
                })
                .collect(),
        },
    })
}
