//! `POST /plugins?name=…`: a component is uploaded, and is a new version of that plugin if its bytes are new.

use crate::json::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hookmill_domain::limits::Limits;
use hookmill_domain::names::{OrganizationName, PluginName};
use hookmill_flow::{Report, Upload};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::VersionShown;
use super::refused::UnfitShown;
use crate::body::{Reading, discard_refused, read_whole};
use crate::call::{Call, headers_and_body};
use crate::media;
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION, Tenant};

/// An upload as it is answered.
#[derive(Debug, Serialize)]
struct UploadShown {
    #[serde(flatten)]
    version: VersionShown,
    /// Why it was not activated although it was to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_activated: Option<UnfitShown>,
    new: bool,
    /// What `hookmill plugin check --json` tells.
    report: Report,
}

/// What an upload's parameters say.
struct Order {
    name: PluginName,
    activate: bool,
    /// Absent: it is for the host.
    tenant: Option<Tenant>,
}

/// `POST /plugins`: 201 for a new version, 200 for bytes that are one already.
pub(crate) async fn upload(State(reception): State<Reception>, call: Call, request: Request) -> Result<Response, Problem> {
    let (headers, body) = headers_and_body(request);
    let reading = reading(&headers, reception.river.limits());
    let order = match order(&reception, &call, &headers).await {
        Ok(order) => order,
        Err(problem) => {
            discard_refused(body, reading).await;
            return Err(problem);
        }
    };
    let whole = read_whole(body, reading, reception.claim(&call.caller)).await?;
    let owner = order.tenant.as_ref().map(|tenant| tenant.key);
    let upload = reception
        .river
        .upload_plugin(owner, order.name, whole.bytes, order.activate)
        .await?;
    let status = if upload.new { StatusCode::CREATED } else { StatusCode::OK };
    let shown = shown(upload, order.tenant.map(|tenant| tenant.name));
    Ok((status, Json(shown)).into_response())
}

async fn order(reception: &Reception, call: &Call, headers: &HeaderMap) -> Result<Order, Problem> {
    call.caller.need_change()?;
    call.caller.need_unlimited()?;
    media::need_wasm(headers)?;
    let parameters = call.parameters(&["name", "activate", ORGANIZATION])?;
    Ok(Order {
        name: parameters.need("name")?,
        activate: parameters.flag("activate", true)?,
        tenant: tenant::tenant_if_named(reception, &call.caller, &Named::by(&parameters)?).await?,
    })
}

/// A component is read at the pace that is asked of events, so it has more time where it may be larger.
fn reading(headers: &HeaderMap, limits: &Limits) -> Reading {
    let bytes_max = limits.plugin.component_bytes_max;
    let times = bytes_max.div_ceil(limits.intake.event_body_bytes_max.max(1)).max(1);
    let timeout_ms = limits.intake.request_read_timeout_ms.saturating_mul(times);
    Reading::new(headers, "component_bytes_max", bytes_max, timeout_ms)
}

fn shown(upload: Upload, organization: Option<OrganizationName>) -> UploadShown {
    UploadShown {
        version: VersionShown::of(upload.version, organization, Some(upload.waiting)),
        not_activated: upload.not_activated.map(UnfitShown::from),
        new: upload.new,
        report: upload.report,
    }
}
