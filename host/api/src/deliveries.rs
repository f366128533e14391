//! Deliveries and their attempts: listed, read, and tried again when their attempts are used up.

use crate::json::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{DeliveryId, EventId, IntegrationId, RunId};
use hookmill_domain::state::DeliveryState;
use hookmill_domain::time::Time;
use hookmill_store::DeliveryView;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::attempts::AttemptShown;
use crate::call::{Call, PathPart};
use crate::events::read::{read_id, visible_event};
use crate::held::{Held, Holds};
use crate::listing::Listing;
use crate::pages::{self, AttemptNumber, Page};
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{Named, ORGANIZATION};

/// What the target without a name is called.
const DEFAULT_TARGET: &str = "default";

/// A delivery as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct DeliveryShown {
    id: DeliveryId,
    event: EventId,
    run: RunId,
    integration: IntegrationId,
    /// Absent while no row tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    state: DeliveryState,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<Time>,
}

impl DeliveryShown {
    /// Shows a delivery, with what holds it now.
    pub(crate) async fn of(delivery: DeliveryView, holds: &mut Holds<'_>) -> Result<DeliveryShown, Problem> {
        let held = holds.of_delivery(&delivery).await?;
        Ok(DeliveryShown {
            id: delivery.id,
            event: delivery.event,
            run: delivery.run,
            integration: delivery.integration,
            target: delivery
                .recorded_at
                .map(|_| delivery.target.unwrap_or_else(|| DEFAULT_TARGET.to_owned())),
            state: delivery.state,
            held,
            attempts: delivery.attempts,
            next_attempt_at: delivery.due_at,
            status: delivery.status,
            request_digest: delivery.request_digest,
            recorded_at: delivery.recorded_at,
        })
    }
}

/// `GET /deliveries`.
pub(crate) async fn list(State(reception): State<Reception>, call: Call) -> Result<Response, Problem> {
    let listing = Listing::read(&reception, &call, DeliveryState::ALL, DeliveryState::as_str).await?;
    let page = listing.page(&reception, &call, |filter, state, below, max| {
        reception.store().deliveries(filter, state, below, max)
    });
    let (room, found, next) = page.await?;
    let mut holds = Holds::new(&reception);
    let mut items = Vec::with_capacity(found.len());
    for delivery in found {
        items.push(DeliveryShown::of(delivery, &mut holds).await?);
    }
    room.of(&Page::new(items, next))
}

/// `GET /deliveries/{id}`.
pub(crate) async fn get(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Json<DeliveryShown>, Problem> {
    call.caller.need_read()?;
    let delivery = find(&reception, &call, &id).await?;
    Ok(Json(DeliveryShown::of(delivery, &mut Holds::new(&reception)).await?))
}

/// `GET /deliveries/{id}/attempts`, the first one first. A schedule has few, which are one page; who retries for ever has more.
pub(crate) async fn attempts(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_read()?;
    let parameters = call.parameters(&[ORGANIZATION, "limit", "cursor"])?;
    let limit = pages::limit(&parameters)?;
    let after = pages::cursor::<AttemptNumber>(&parameters)?.map_or(0, |after| after.0);
    let delivery = find_named(&reception, &call, &Named::by(&parameters)?, &id).await?.delivery;
    let read = |after, max| reception.store().attempts(delivery, after, max);
    let (room, found, next) = pages::read(&reception, &call.caller, after, limit, read).await?;
    let items: Vec<_> = found.into_iter().map(AttemptShown::from).collect();
    room.of(&Page::new(items, next.map(AttemptNumber)))
}

/// `POST /deliveries/{id}/retry`: the same request is sent again, and its schedule begins anew.
pub(crate) async fn retry(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let delivery = find(&reception, &call, &id).await?;
    let organization = delivery.delivery.run.organization;
    reception.river.retry_delivery(organization, delivery.id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": delivery.id }))).into_response())
}

/// The delivery with that id, if the caller may see it.
pub(crate) async fn find(reception: &Reception, call: &Call, id: &str) -> Result<DeliveryView, Problem> {
    find_named(reception, call, &Named::by(&call.parameters(&[ORGANIZATION])?)?, id).await
}

async fn find_named(reception: &Reception, call: &Call, named: &Named, id: &str) -> Result<DeliveryView, Problem> {
    let id = read_id::<DeliveryId>(id, "delivery")?;
    let (_room, event) = visible_event(reception, call, named, id.key(), "delivery").await?;
    let mut deliveries = event.runs.into_iter().flat_map(|run| run.deliveries);
    deliveries
        .find(|delivery| delivery.id == id)
        .ok_or_else(|| Problem::not_found("delivery"))
}
