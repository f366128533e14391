//! Whether the host is up, and whether it can work. Both are asked without a key.

use crate::json::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::json;

use crate::problem::Problem;
use crate::reception::Reception;

/// `GET /healthz`: it is up.
pub(crate) async fn live() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: its database answers, and there is room on its disk.
pub(crate) async fn ready(State(reception): State<Reception>) -> Result<impl IntoResponse, Problem> {
    match reception.store().ping().await {
        Ok(()) if reception.store().has_room() => Ok(Json(json!({ "status": "ready" }))),
        Ok(()) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the disk is too full to accept events").retry_after(5)),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store does not answer");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer").retry_after(1))
        }
    }
}
