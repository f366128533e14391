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

/// `GET /readyz`: its database answers.
pub(crate) async fn ready(State(reception): State<Reception>) -> Result<impl IntoResponse, Problem> {
    match reception.store().ping().await {
        Ok(()) => Ok(Json(json!({ "status": "ready" }))),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store does not answer");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer").retry_after(1))
        }
    }
}
