//! `POST /plugins/{name}/versions/{n}/run`: what a version would make of an event, for an integration that is there or is told. Nothing is
//! sent and nothing is stored.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookmill_domain::event::{Envelope, Posted, parse};
use hookmill_domain::ids::{EventId, IntegrationId, Salt};
use hookmill_domain::integration::{Draft, IntegrationKey, LiveTarget};
use hookmill_domain::key::Key;
use hookmill_domain::matching::{Mismatch, Subject, mismatch};
use hookmill_domain::names::TargetName;
use hookmill_domain::outcome::Fault;
use hookmill_domain::request::Request;
use hookmill_flow::{Came, River, Trial, Tried};
use hookmill_store::{Event, EventView, PluginFound, PluginVersion};
use serde::Serialize;

use crate::call::{Call, EventBody};
use crate::events::post::PARSED_IN_PLACE_BYTES_MAX;
use crate::events::read::read_id;
use crate::fields::{Form, Given};
use crate::integrations::{self, MASK};
use crate::json;
use crate::parameters::Parameters;
use crate::plugins::VersionPath;
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION, Tenant};

const FIELDS_MAX: usize = 8;
const EVENT: &str = "event";
const INTEGRATION: &str = "integration";
/// How much longer than twice its length a body may be in JSON that is told as text: a short one may consist of control characters.
const ODD_BYTES_MAX: usize = 4 * 1024;
/// What a request takes beside that: that much of its body, and what its URL has more with its target's and percent-encoded.
const BESIDE_BODY_BYTES: u64 = 32 * 1024;

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
    /// Where it is text, and not mostly of control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// What was asked for.
struct Asked {
    named: Named,
    event: AskedEvent,
    /// A part of the body, whose memory stays claimed with it.
    integration: Bytes,
}

/// The id of an event that was accepted, or one as it would be posted.
enum AskedEvent {
    Stored(EventId),
    Posted { envelope: Envelope, body: Bytes },
}

/// `POST /plugins/{name}/versions/{n}/run`.
pub(crate) async fn run(State(reception): State<Reception>, call: Call, path: VersionPath, body: EventBody) -> Result<Response, Problem> {
    call.caller.need_change()?;
    call.caller.need_unlimited()?;
    let parameters = call.parameters(&[ORGANIZATION])?;
    let Asked { named, event, integration } = read(&reception.river, body, parameters).await?;
    let tenant = tenant::tenant(&reception, &call.caller, &named).await?;
    // Before there is room: whoever waits for that holds a body, and few of an organization do.
    let turn = reception.river.trial_turn(tenant.key)?;
    let (plugin, version) = version_of(&reception, &tenant, path).await?;
    // For the most that may be answered: when it is there, it is too late to ask for room.
    let bytes = bytes_max(&reception, &tenant, &event).await?;
    let room = reception.room(&call.caller, bytes).await?;
    let event = event_to_try(&reception, &tenant, event).await?;
    let given = Given::at(INTEGRATION, serde_json::from_slice(&integration).map_err(|_| Problem::internal())?);
    let (draft, known) = self::integration(&reception, &tenant, &given).await?;
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
    drop(integration);
    let tried = turn.try_out(trial).await?;
    let shown = TriedShown::of(tried, mismatch, &draft).ok_or_else(Problem::internal)?;
    room.of(&shown)
}

async fn read(river: &River, body: EventBody, parameters: Parameters) -> Result<Asked, Problem> {
    if body.len() <= PARSED_IN_PLACE_BYTES_MAX {
        return read_now(river, &body, &parameters);
    }
    let river = river.clone();
    let read = tokio::task::spawn_blocking(move || read_now(&river, &body, &parameters)).await;
    read.map_err(|_| Problem::internal())?
}

fn read_now(river: &River, body: &EventBody, parameters: &Parameters) -> Result<Asked, Problem> {
    let mut form = Form::read(body.text()?, FIELDS_MAX)?;
    let named = Named::with(parameters, form.take(ORGANIZATION).as_ref())?;
    let event = form.need(EVENT)?;
    let integration = form.need(INTEGRATION)?;
    form.finish()?;
    let bytes_max = river.limits().intake.request_body_bytes_max;
    if integration.json().len() as u64 > bytes_max {
        let message = format!("has more than {bytes_max} bytes");
        return Err(Problem::too_large(integration.pointer(), message, "request_body_bytes_max"));
    }
    Ok(Asked {
        named,
        event: read_event(river, body, &event)?,
        integration: body.part(integration.json()),
    })
}

fn read_event(river: &River, body: &EventBody, given: &Given<'_>) -> Result<AskedEvent, Problem> {
    if given.json().starts_with('"') {
        return Ok(AskedEvent::Stored(given.parsed()?));
    }
    let bytes_max = river.limits().intake.event_body_bytes_max;
    if given.json().len() as u64 > bytes_max {
        let message = format!("has more than {bytes_max} bytes");
        return Err(Problem::too_large(given.pointer(), message, "event_body_bytes_max"));
    }
    let body = body.part(given.json());
    match parse(&body, river.kinds(), 1) {
        Ok(Posted::One(envelope)) => Ok(AskedEvent::Posted { envelope, body }),
        Ok(Posted::Batch(_)) => Err(given.wrong("must be one event, or the id of one").into()),
        Err(error) => Err(FieldError::body(format!("{}{}", given.pointer(), error.pointer), error.message).into()),
    }
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

/// What the trial takes in memory, beside what was posted: the data that is read for it, its output, and that in JSON, in which no body is
/// told that is more than twice as long there.
async fn bytes_max(reception: &Reception, tenant: &Tenant, event: &AskedEvent) -> Result<u64, Problem> {
    let (data_bytes, read_bytes) = match event {
        AskedEvent::Posted { envelope, .. } => (envelope.data.len() as u64, 0),
        AskedEvent::Stored(id) => {
            let bytes = match stored_view(reception, tenant, *id).await? {
                Some((key, ..)) => reception.store().event_data_bytes(key).await?.unwrap_or(0),
                None => 0,
            };
            (bytes, bytes)
        }
    };
    let plugin = &reception.river.limits().plugin;
    let told = plugin.output_bytes_for(data_bytes).saturating_mul(3);
    let beside = u64::from(plugin.requests_max).saturating_mul(BESIDE_BODY_BYTES);
    Ok(read_bytes.saturating_add(told).saturating_add(beside))
}

async fn event_to_try(reception: &Reception, tenant: &Tenant, event: AskedEvent) -> Result<Arc<Event>, Problem> {
    let wrong = |pointer: &str, message: &str| Problem::from(FieldError::body(format!("/{EVENT}{pointer}"), message));
    match event {
        AskedEvent::Stored(id) => stored_event(reception, tenant, id)
            .await?
            .ok_or_else(|| wrong("", "there is no such event, or its payload is gone")),
        AskedEvent::Posted { envelope, body } => match &envelope.organization {
            Some(organization) if *organization != tenant.name => Err(wrong("/organization", "is another one than the call's")),
            _ => Ok(reception.river.event_to_try(tenant.key, &body, &envelope)),
        },
    }
}

async fn stored_view(reception: &Reception, tenant: &Tenant, id: EventId) -> Result<Option<(Key, Salt, EventView)>, Problem> {
    let Some((key, salt)) = id.parts() else { return Ok(None) };
    let view = reception.store().event(key).await?;
    let view = view.filter(|view| view.id == id && view.organization == tenant.key);
    Ok(view.map(|view| (key, salt, view)))
}

async fn stored_event(reception: &Reception, tenant: &Tenant, id: EventId) -> Result<Option<Arc<Event>>, Problem> {
    let Some((key, salt, view)) = stored_view(reception, tenant, id).await? else {
        return Ok(None);
    };
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
    let (body, body_base64) = match String::from_utf8(request.body.into()) {
        Ok(text) if is_told_as_text(&text) => (Some(text), None),
        Ok(text) => (None, Some(STANDARD.encode(text))),
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

/// Whether a body that could be text is told as text: one of control characters alone has six times its length in JSON.
fn is_told_as_text(text: &str) -> bool {
    json::string_bytes(text) <= text.len().saturating_mul(2).saturating_add(ODD_BYTES_MAX)
}

fn headers_shown(content_type: String, own: Vec<(String, String)>, target: &LiveTarget) -> Vec<(String, String)> {
    let of_target = target.headers.iter().map(|(name, _)| (name.as_str().to_owned(), MASK.to_owned()));
    let content_type = std::iter::once(("content-type".to_owned(), content_type));
    content_type.chain(own).chain(of_target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_told_as_text_where_that_is_not_much_longer() {
        for (text, is_told) in [
            ("{\"é\":\"\\n\"}\n".repeat(10_000), true),
            ("\"".repeat(10_000), true),
            ("\u{1}".repeat(1_000), true),
            ("\u{1}".repeat(10_000), false),
            ("\u{7f}".repeat(10_000), false),
        ] {
            assert_eq!(is_told_as_text(&text), is_told, "{:?}", &text[..1]);
        }
    }
}
