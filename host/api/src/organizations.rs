//! Organizations: made, listed and changed by operators; each may be read by its own keys.

use crate::json::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::address::Allow;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::time::Time;
use hookmill_store::Organization;
use http::{StatusCode, header};
use serde::Serialize;

use crate::call::{Call, JsonBody, PathPart};
use crate::events::read::read_id;
use crate::fields::{Form, Given};
use crate::pages::{self, Cursor, Page};
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;
use crate::tenant::{self, Named};

const FIELDS_MAX: usize = 8;
/// The most networks that are opened to one organization.
const NETWORKS_MAX: usize = 64;

/// An organization as it is answered.
#[derive(Debug, Serialize)]
struct OrganizationShown {
    name: OrganizationName,
    created_at: Time,
    revision: i64,
    allow_networks: Vec<String>,
}

impl From<Organization> for OrganizationShown {
    fn from(organization: Organization) -> OrganizationShown {
        OrganizationShown {
            name: organization.name,
            created_at: organization.created_at,
            revision: organization.revision,
            allow_networks: organization.allow_networks,
        }
    }
}

/// Organizations are listed by name.
struct After(String);

impl Cursor for After {
    const TAG: u8 = b'o';

    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<After> {
        String::from_utf8(bytes.to_vec()).ok().map(After)
    }
}

/// `POST /organizations`: 201, or 200 if it is there with the same networks.
pub(crate) async fn create(State(reception): State<Reception>, call: Call, body: JsonBody) -> Result<Response, Problem> {
    call.caller.need_operator()?;
    call.parameters(&[])?;
    let mut form = Form::read(&body.text, FIELDS_MAX)?;
    let name: OrganizationName = form.need("name")?.parsed()?;
    let networks = form.take("allow_networks").map(|given| networks(&given)).transpose()?;
    form.finish()?;
    let (organization, is_new) = reception
        .river
        .create_organization(name, networks.clone().unwrap_or_default())
        .await?;
    if !is_new && networks.is_some_and(|networks| networks != organization.allow_networks) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "it is there, with other networks: change it by PATCH",
        ));
    }
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let place = [(header::LOCATION, format!("/organizations/{}", organization.name))];
    Ok((status, place, Json(OrganizationShown::from(organization))).into_response())
}

/// `GET /organizations`.
pub(crate) async fn list(State(reception): State<Reception>, call: Call) -> Result<Response, Problem> {
    call.caller.need_operator()?;
    let parameters = call.parameters(&["limit", "cursor"])?;
    let limit = pages::limit(&parameters)?;
    let after = pages::cursor::<After>(&parameters)?.map(|after| after.0).unwrap_or_default();
    let found = reception.store().organizations(after, limit + 1).await?;
    let page = Page::of_one_more(found, limit, |last| After(last.name.to_string()), OrganizationShown::from);
    Ok(Json(page).into_response())
}

/// `GET /organizations/{name}`.
pub(crate) async fn get(State(reception): State<Reception>, call: Call, PathPart(name): PathPart) -> Result<Response, Problem> {
    call.caller.need_read()?;
    call.parameters(&[])?;
    let name = named(&reception, &call, &name).await?;
    let found = reception.store().organization(name).await?;
    let found = found.ok_or_else(|| Problem::not_found("organization"))?;
    Ok(Json(OrganizationShown::from(found)).into_response())
}

/// `PATCH /organizations/{name}`.
pub(crate) async fn change(
    State(reception): State<Reception>,
    call: Call,
    PathPart(name): PathPart,
    body: JsonBody,
) -> Result<Response, Problem> {
    call.caller.need_operator()?;
    call.parameters(&[])?;
    let name = named(&reception, &call, &name).await?;
    let mut form = Form::read(&body.text, FIELDS_MAX)?;
    // In a merge patch, `null` is the way back to what holds where nothing was said: no network.
    let is_given = form.has("allow_networks");
    let networks = form.take("allow_networks").map(|given| networks(&given)).transpose()?;
    form.finish()?;
    let organization = if is_given {
        reception.river.set_allow_networks(name, networks.unwrap_or_default()).await?
    } else {
        let found = reception.store().organization(name).await?;
        found.ok_or_else(|| Problem::not_found("organization"))?
    };
    Ok(Json(OrganizationShown::from(organization)).into_response())
}

/// The organization that a path names, if the caller may see it.
async fn named(reception: &Reception, call: &Call, name: &str) -> Result<OrganizationName, Problem> {
    let named = Named {
        in_query: Some(read_id(name, "organization")?),
        ..Named::default()
    };
    Ok(tenant::tenant(reception, &call.caller, &named).await?.name)
}

fn networks(given: &Given<'_>) -> Result<Vec<String>, FieldError> {
    let mut networks = Vec::new();
    for item in given.list(NETWORKS_MAX)? {
        item.parsed::<Allow>()?;
        networks.push(item.text()?.into_owned());
    }
    Ok(networks)
}
