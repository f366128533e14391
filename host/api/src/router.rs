//! Which path is answered by whom. All but `POST /events`, which never comes here.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, header};

use crate::problem::Problem;
use crate::reception::Reception;
use crate::{backtests, deliveries, events, export, health, integrations, keys, organizations, plugins, runs, trials, verify};

/// The router. Paths come without a trailing slash.
pub(crate) fn router(reception: Reception) -> Router {
    Router::new()
        .route("/events/{id}", get(events::read::get))
        .route("/integrations", get(integrations::list).post(integrations::create))
        .route(
            "/integrations/{id}",
            get(integrations::get).patch(integrations::change).delete(integrations::delete),
        )
        .route("/integrations/{id}/secret", get(integrations::secret))
        .route("/integrations/{id}/resume", post(integrations::resume))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::get))
        .route("/runs/{id}/resume", post(runs::resume))
        .route("/runs/{id}/export", get(export::export))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}", get(deliveries::get))
        .route("/deliveries/{id}/attempts", get(deliveries::attempts))
        .route("/deliveries/{id}/retry", post(deliveries::retry))
        .route("/deliveries/{id}/verify", post(verify::verify))
        .route("/organizations", get(organizations::list).post(organizations::create))
        .route("/organizations/{name}", get(organizations::get).patch(organizations::change))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", get(keys::get).delete(keys::delete))
        .route("/plugins", get(plugins::list).post(plugins::upload))
        .route("/plugins/{name}", get(plugins::get))
        .route("/plugins/{name}/versions/{version}", get(plugins::version).delete(plugins::delete))
        .route("/plugins/{name}/versions/{version}/component", get(plugins::component))
        .route("/plugins/{name}/versions/{version}/activate", post(plugins::activate))
        .route("/plugins/{name}/versions/{version}/run", post(trials::run))
        .route("/plugins/{name}/versions/{version}/backtest", post(backtests::backtest))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(reception.clone(), finish_changes))
        .layer(middleware::from_fn(keep_private))
        .with_state(reception)
}

async fn no_path(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

/// The `Allow` header is axum's.
async fn no_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not for {}", uri.path()))
}

/// A change that has begun is finished, also when the client does not wait for the answer.
async fn finish_changes(State(reception): State<Reception>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    match reception.changes.finish(next.run(request)).await {
        Some(answer) => answer,
        None => Problem::internal().into_response(),
    }
}

/// Answers are for the one who asked: no cache on the way keeps them.
async fn keep_private(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await.into_response();
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
