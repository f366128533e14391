//! `POST /deliveries/{id}/verify`: the run of a delivery is called again, and its request compared with what was recorded of it. Nothing is
//! sent and nothing is stored.

use axum::extract::State;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{DeliveryId, RunId};
use hookmill_flow::Verified;
use serde::Serialize;

use crate::call::{Call, PathPart};
use crate::deliveries::find;
use crate::json::Json;
use crate::problem::Problem;
use crate::reception::Reception;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct VerifiedShown {
    id: DeliveryId,
    run: RunId,
    /// `same`, `different` or `unknown`.
    verdict: &'static str,
    /// Of an unknown one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of the request as it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_digest: Option<Digest>,
    /// Of another request that was made now.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_digest: Option<Digest>,
}

/// `POST /deliveries/{id}/verify`. It costs a plugin's call, so it is for those who may change something.
pub(crate) async fn verify(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Json<VerifiedShown>, Problem> {
    call.caller.need_change()?;
    let delivery = find(&reception, &call, &id).await?;
    let run = delivery.delivery.run;
    let turn = reception.river.trial_turn(run.organization)?;
    // What is answered is small: it is the call that takes the event's data and its output.
    let bytes = match reception.store().event_data_bytes(run.event).await? {
        Some(data_bytes) => data_bytes.saturating_add(reception.river.limits().plugin.output_bytes_for(data_bytes)),
        None => 0,
    };
    let _room = reception.room(&call.caller, bytes).await?;
    let verified = turn.verify(delivery.delivery, delivery.request_digest).await?;
    let (verdict, code, reason, made_digest) = match verified {
        Verified::Same => ("same", None, None, None),
        Verified::Different { made, reason } => ("different", None, Some(reason), made),
        Verified::Unknown { code, reason } => ("unknown", Some(code), Some(reason), None),
    };
    Ok(Json(VerifiedShown {
        id: delivery.id,
        run: delivery.run,
        verdict,
        code,
        reason,
        request_digest: delivery.request_digest,
        made_digest,
    }))
}
