//! `GET /integrations/{id}/secret`: what receivers verify signatures by, as the Standard Webhooks specification writes it. It is the one
//! sealed thing that is ever shown.

use crate::json::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookmill_domain::integration::SecretBytes;
use serde::Serialize;

use crate::call::{Call, PathPart};
use crate::integrations::find;
use crate::problem::Problem;
use crate::reception::Reception;

#[derive(Serialize)]
pub(crate) struct SecretShown {
    secret: String,
    /// Those that still sign, while the newest one is rotated in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    previous: Vec<String>,
}

/// `GET /integrations/{id}/secret`, for those who may change the integration.
pub(crate) async fn secret(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Json<SecretShown>, Problem> {
    call.caller.need_change()?;
    let (integration, tenant) = find(&reception, &call, &id).await?;
    let secrets = reception.store().secrets(tenant.key, integration.id).await?;
    let mut secrets = secrets.unwrap_or_default().into_iter().map(|secret| shown(&secret));
    let newest = secrets.next().ok_or_else(|| Problem::not_found("integration"))?;
    Ok(Json(SecretShown {
        secret: newest,
        previous: secrets.collect(),
    }))
}

fn shown(secret: &SecretBytes) -> String {
    format!("whsec_{}", BASE64.encode(&secret.0))
}
