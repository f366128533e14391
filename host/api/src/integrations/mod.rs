//! Integrations: where an organization wants events sent, and how.
//!
//! What is posted is read by [`parse`] and shown by [`view`]; both speak the same JSON, so a change is a merge of two JSON texts ([`merge`])
//! that is then read like a new one. Header values go in and never come out: [`view::MASK`] stands for them, and what comes back as the mask
//! stays as it is.

mod change;
#[cfg(test)]
mod corpus;
#[cfg(any(test, feature = "fuzzing"))]
#[path = "../../../../tests/fuzz/targets/integrations.rs"]
pub(crate) mod fuzzing;
mod merge;
mod parse;
mod secret;
mod view;

use crate::json::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Integration, IntegrationKey};
use http::{StatusCode, header};
use serde_json::json;

pub(crate) use change::change;
pub(crate) use parse::new as parse_new;
pub(crate) use secret::secret;
pub(crate) use view::MASK;

use crate::auth::Caller;
use crate::call::{Call, JsonBody, PathPart, entity_tag};
use crate::events::read::read_id;
use crate::fields::Form;
use crate::pages::{self, Page};
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION, Tenant};

/// More than the fields that there are.
pub(crate) const FIELDS_MAX: usize = 64;

/// `POST /integrations`.
pub(crate) async fn create(State(reception): State<Reception>, call: Call, body: JsonBody) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let parameters = call.parameters(&[ORGANIZATION])?;
    let mut form = Form::read(&body.text, FIELDS_MAX)?;
    let named = Named::with(&parameters, form.take(ORGANIZATION).as_ref())?;
    let tenant = tenant::tenant(&reception, &call.caller, &named).await?;
    let draft = parse::new(form, reception.river.kinds(), reception.river.limits())?;
    check_scope(&call.caller, draft.inboxes.as_deref())?;
    let integration = reception.river.create_integration(tenant.key, draft).await?;
    let place = [(header::LOCATION, format!("/integrations/{}", integration.id))];
    Ok((StatusCode::CREATED, place, shown(&integration, &tenant)?).into_response())
}

/// `GET /integrations`. Of a key that is limited to inboxes, a page may hold fewer than were asked for.
pub(crate) async fn list(State(reception): State<Reception>, call: Call) -> Result<Response, Problem> {
    call.caller.need_read()?;
    let parameters = call.parameters(&[ORGANIZATION, "limit", "cursor"])?;
    let limit = pages::limit(&parameters)?;
    let after = pages::cursor(&parameters)?.unwrap_or(IntegrationKey(0));
    let tenant = tenant::tenant(&reception, &call.caller, &Named::by(&parameters)?).await?;
    let read = |after, max| reception.store().integrations(tenant.key, after, max);
    let (room, found, next) = pages::read(&reception, &call.caller, after, limit, read).await?;
    let is_visible = |integration: &&Integration| call.caller.may_scope(integration.draft.inboxes.as_deref());
    let items: Vec<_> = found
        .iter()
        .filter(is_visible)
        .map(|integration| view::raw(integration, &tenant.name))
        .collect::<Result<_, _>>()?;
    room.of(&Page::new(items, next))
}

/// `GET /integrations/{id}`.
pub(crate) async fn get(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_read()?;
    let (integration, tenant) = find(&reception, &call, &id).await?;
    let tag = [(header::ETAG, entity_tag(integration.version))];
    // One with many targets and headers takes a megabyte, for as long as its reader likes.
    let text = view::raw(&integration, &tenant.name)?;
    let room = reception.room(&call.caller, text.get().len() as u64).await?;
    Ok((tag, room.of(&text)?).into_response())
}

/// `DELETE /integrations/{id}`.
pub(crate) async fn delete(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<StatusCode, Problem> {
    call.caller.need_change()?;
    let (tenant, id) = match &call.if_match {
        // Not read first: one whose sealed values do not open any more can be deleted.
        None if call.caller.inboxes().is_none() => {
            let named = Named::by(&call.parameters(&[ORGANIZATION])?)?;
            (
                tenant::tenant(&reception, &call.caller, &named).await?,
                read_id::<IntegrationId>(&id, "integration")?,
            )
        }
        _ => {
            let (integration, tenant) = find(&reception, &call, &id).await?;
            call.check_version(integration.version)?;
            (tenant, integration.id)
        }
    };
    reception.river.delete_integration(tenant.key, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /integrations/{id}/resume`: all its parked and queued runs are run again under the present configuration.
pub(crate) async fn resume(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let (integration, tenant) = find(&reception, &call, &id).await?;
    reception.river.resume_integration(tenant.key, integration.id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": integration.id }))).into_response())
}

/// The integration with that id, if the caller may see it. An operator names the organization in the query.
async fn find(reception: &Reception, call: &Call, id: &str) -> Result<(Integration, Tenant), Problem> {
    let named = Named::by(&call.parameters(&[ORGANIZATION])?)?;
    let tenant = tenant::tenant(reception, &call.caller, &named).await?;
    let integration = find_of(reception, call, &tenant, id).await?;
    Ok((integration, tenant))
}

async fn find_of(reception: &Reception, call: &Call, tenant: &Tenant, id: &str) -> Result<Integration, Problem> {
    let id = read_id::<IntegrationId>(id, "integration")?;
    let found = reception.store().integration(tenant.key, id).await?;
    let is_visible = |integration: &Integration| call.caller.may_scope(integration.draft.inboxes.as_deref());
    found.filter(is_visible).ok_or_else(|| Problem::not_found("integration"))
}

/// A key that is limited to inboxes makes integrations for some of them.
fn check_scope(caller: &Caller, inboxes: Option<&[hookmill_domain::names::ProductId]>) -> Result<(), Problem> {
    if caller.may_scope(inboxes) {
        return Ok(());
    }
    let error = FieldError::body("/inboxes", "must be some of the inboxes that the key is limited to");
    Err(Problem::field(StatusCode::FORBIDDEN, error))
}

fn shown(integration: &Integration, tenant: &Tenant) -> Result<impl IntoResponse, Problem> {
    let tag = [(header::ETAG, entity_tag(integration.version))];
    Ok((tag, Json(view::raw(integration, &tenant.name)?)))
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod sample {
    //! An integration with a bit of everything.

    use hookmill_domain::event::Kinds;
    use hookmill_domain::ids::IntegrationId;
    use hookmill_domain::integration::{Integration, IntegrationKey, OrganizationKey, PluginOwner, PluginRef};
    use hookmill_domain::limits::Limits;
    use hookmill_domain::time::Time;

    use super::{FIELDS_MAX, parse};
    use crate::fields::Form;

    const BODY: &str = r#"{"type": "webhook", "events": ["document_predict", "document_evaluate"],
        "target": "https://a.example/alfred", "headers": {"Authorization": "Bearer abc", "X-Team": "blue"},
        "targets": {"review": {"url": "10.1.2.3:8080/review", "header": {"X-Key": "k"}}},
        "plugin": "flatten@3", "plugin_config": {"threshold": 0.80, "fields": ["a"]}, "retry": {"delays_ms": [1, 2]},
        "timeout_ms": 5000, "inboxes": ["5e7a", "5e7b"], "description": "the ERP", "metadata": {"owner": "x"}}"#;

    /// The integration.
    pub(crate) fn integration() -> Integration {
        let draft = parse::new(
            Form::read(BODY, FIELDS_MAX).expect("an object"),
            &Kinds::default(),
            &Limits::default(),
        );
        Integration {
            key: IntegrationKey(7),
            id: IntegrationId::new(Time::from_millis(1_780_000_000_000), [7; 10]),
            organization: OrganizationKey(1),
            draft: draft.expect("a draft"),
            plugin: PluginRef {
                owner: PluginOwner::Organization,
                name: "flatten".parse().expect("a name"),
                version: Some(3),
            },
            stopped: false,
            created_at: Time::from_millis(1_780_000_000_000),
            updated_at: Time::from_millis(1_790_000_000_000),
            version: 4,
        }
    }
}
