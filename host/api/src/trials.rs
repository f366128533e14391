//! `POST /plugins/{name}/versions/{n}/run`: what a version would make of an event, for an integration that is there or is told. Nothing is
//! sent and nothing is stored.

use std::sync::Arc;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookmill_domain::event::{Posted, parse};
use hookmill_domain::ids::{EventId, IntegrationId};
use hookmill_domain::integration::{Draft, IntegrationKey, LiveTarget};
use hookmill_domain::matching::{Mismatch, Subject, mismatch};
use hookmill_domain::names::TargetName;
use hookmill_domain::outcome::Fault;
use hookmill_domain::request::Request;
use hookmill_flow::{Came, Trial, Tried};
use hookmill_store::{Event, PluginFound, PluginVersion};
use serde::Serialize;

use crate::call::{Call, JsonBody};
use crate::events::read::read_id;
use crate::fields::{Form, Given};
use crate::integrations::{self, MASK};
use crate::json::Json;
use crate::plugins::VersionPath;
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION, Tenant};

const FIELDS_MAX: usize = 8;

/// What came of it, as it is answered; `hookmill plugin run` tells the same.
#[derive(Debug, Serialize)]
pub struct TriedShown {
    /// Whether the integration would get the event at all. What the version would make of it is shown in either case.
    would_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_run_reason: Option<String>,
    /// `deliver`, `skip` or `park`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    requests: Vec<RequestShown>,
    /// What would be sent all the same, and its receiver may not like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    log: Vec<String>,
    duration_us: u64,
    memory_bytes: u64,
}

/// A request as it would be sent, but for the signature and what is secret.
#[derive(Debug, Serialize)]
struct RequestShown {
    target: String,
    method: &'static str,
    url: String,
    /// The target's own stand masked.
    headers: Vec<(String, String)>,
    /// Where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// `POST /plugins/{name}/versions/{n}/run`.
pub(crate) async fn run(
    State(reception): State<Reception>,
    call: Call,
    path: VersionPath,
    body: JsonBody,
) -> Result<Json<TriedShown>, Problem> {
    call.caller.need_change()?;
    call.caller.need_unlimited()?;
    let parameters = call.parameters(&[ORGANIZATION])?;
    let mut form = Form::read(&body.text, FIELDS_MAX)?;
    let named = Named::with(&parameters, form.take(ORGANIZATION).as_ref())?;
    let tenant = tenant::tenant(&reception, &call.caller, &named).await?;
    let (plugin, version) = version_of(&reception, &tenant, path).await?;
    let event = event(&reception, &tenant, &form.need("event")?).await?;
    let given = form.need("integration")?;
    form.finish()?;
    let (draft, known) = integration(&reception, &tenant, &given).await?;
    let pinned = reception
        .river
        .integration_to_try(tenant.key, &draft, known, &version, plugin, given.pointer())
        .await?;
    let subject = Subject {
        kind: &event.kind,
        inbox: event.inbox.as_ref(),
        project: event.project.as_ref(),
    };
    let mismatch = mismatch(&pinned.facts, subject);
    let trial = Trial {
        event,
        organization: tenant.name,
        pinned,
        generation: 0,
    };
    let tried = reception.river.try_out(tenant.key, trial).await?;
    TriedShown::of(tried, mismatch, &draft).map(Json).ok_or_else(Problem::internal)
}

pub(crate) async fn version_of(
    reception: &Reception,
    tenant: &Tenant,
    path: VersionPath,
) -> Result<(hookmill_domain::integration::PluginRef, PluginVersion), Problem> {
    let missing = || Problem::not_found("version of a plugin");
    let store = reception.store();
    let PluginFound::Found(plugin) = store.find_plugin(tenant.key, Some((path.name, Some(path.version)))).await? else {
        return Err(missing());
    };
    let version = store.meant_version(tenant.key, plugin.clone()).await?.ok_or_else(missing)?;
    Ok((plugin, version))
}

/// The id of an event that was accepted, or one as it would be posted.
async fn event(reception: &Reception, tenant: &Tenant, given: &Given<'_>) -> Result<Arc<Event>, Problem> {
    if given.json().starts_with('"') {
        let id: EventId = given.parsed()?;
        return stored_event(reception, tenant, id)
            .await?
            .ok_or_else(|| given.wrong("there is no such event, or its payload is gone").into());
    }
    let body = Bytes::copy_from_slice(given.json().as_bytes());
    let at = |pointer: &str| format!("{}{pointer}", given.pointer());
    match parse(&body, reception.river.kinds(), 1) {
        Ok(Posted::One(envelope)) => match &envelope.organization {
            Some(organization) if *organization != tenant.name => {
                Err(FieldError::body(at("/organization"), "is another one than the call's").into())
            }
            _ => Ok(reception.river.event_to_try(tenant.key, &body, &envelope)),
        },
        Ok(Posted::Batch(_)) => Err(given.wrong("must be one event, or the id of one").into()),
        Err(error) => Err(FieldError::body(at(&error.pointer), error.message).into()),
    }
}

async fn stored_event(reception: &Reception, tenant: &Tenant, id: EventId) -> Result<Option<Arc<Event>>, Problem> {
    let Some((key, salt)) = id.parts() else { return Ok(None) };
    let Some(view) = reception.store().event(key).await? else {
        return Ok(None);
    };
    if view.id != id || view.organization != tenant.key {
        return Ok(None);
    }
    let Some(data) = reception.store().event_data(key).await? else {
        return Ok(None);
    };
    Ok(Some(Arc::new(Event {
        key,
        salt,
        organization: tenant.key,
        kind: view.kind,
        inbox: view.inbox,
        project: view.project,
        data,
    })))
}

/// The id of an integration that is there, or one as it would be made.
pub(crate) async fn integration(
    reception: &Reception,
    tenant: &Tenant,
    given: &Given<'_>,
) -> Result<(Draft, Option<(IntegrationKey, IntegrationId)>), Problem> {
    if given.json().starts_with('"') {
        let id = read_id::<IntegrationId>(&given.text()?, "integration").map_err(|_| given.wrong("is not an integration's id"))?;
        let found = reception.store().integration(tenant.key, id).await?;
        let found = found.ok_or_else(|| given.wrong("there is no such integration"))?;
        return Ok((found.draft, Some((found.key, found.id))));
    }
    let form = given.form(integrations::FIELDS_MAX)?;
    let draft = integrations::parse_new(form, reception.river.kinds(), reception.river.limits())?;
    Ok((draft, None))
}

impl TriedShown {
    /// What is answered, for this integration and why it would not get the event, if so. `None`: the requests do not fit its targets, by
    /// which they were decided.
    pub fn of(tried: Tried, mismatch: Option<Mismatch>, draft: &Draft) -> Option<TriedShown> {
        let Tried { came, call, warnings } = tried;
        let (outcome, code, reason, requests) = match came {
            Came::Requests(requests) => {
                let shown = requests
                    .into_iter()
                    .map(|request| request_shown(request, draft))
                    .collect::<Option<_>>()?;
                ("deliver", None, None, shown)
            }
            Came::Skipped(reason) => ("skip", None, Some(reason), Vec::new()),
            Came::Parked(Fault { code, message }) => ("park", Some(code.as_str()), Some(message), Vec::new()),
        };
        Some(TriedShown {
            would_run: mismatch.is_none(),
            not_run_reason: mismatch.map(|mismatch| mismatch.to_string()),
            outcome,
            code,
            reason,
            requests,
            warnings,
            log: call.log.map(|log| log.lines().map(str::to_owned).collect()).unwrap_or_default(),
            duration_us: call.duration_us,
            memory_bytes: call.memory_bytes,
        })
    }
}

fn request_shown(request: Request, draft: &Draft) -> Option<RequestShown> {
    let target = draft.targets.iter().find(|target| target.name == request.target)?;
    let path = target.url.join(request.path.as_deref(), &request.query).ok()?;
    let (body, body_base64) = match String::from_utf8(request.body.to_vec()) {
        Ok(text) => (Some(text), None),
        Err(bytes) => (None, Some(STANDARD.encode(bytes.as_bytes()))),
    };
    Some(RequestShown {
        target: request.target.as_ref().map_or("default", TargetName::as_str).to_owned(),
        method: request.method.as_str(),
        url: format!("{}{path}", target.url.origin()),
        headers: headers_shown(request.content_type, request.headers, target),
        body,
        body_base64,
    })
}

fn headers_shown(content_type: String, own: Vec<(String, String)>, target: &LiveTarget) -> Vec<(String, String)> {
    let of_target = target.headers.iter().map(|(name, _)| (name.as_str().to_owned(), MASK.to_owned()));
    let content_type = std::iter::once(("content-type".to_owned(), content_type));
    content_type.chain(own).chain(of_target).collect()
}
