//! Plugins: uploaded, listed, read, activated and deleted, version by version.
//!
//! An organization sees its own plugins and those of the host. By a name it means its own, else the host's, as its integrations do; the
//! host's are changed by operators who name no organization.

mod download;
mod read;
mod refused;
mod upload;

use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::{OrganizationKey, PluginOwner};
use hookmill_domain::names::{OrganizationName, PluginName};
use hookmill_domain::time::Time;
use hookmill_store::PluginVersion;
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use download::component;
pub(crate) use read::{get, list, version};
pub(crate) use refused::{needed_problem, unfit_problem};
pub(crate) use upload::upload;

use crate::call::Call;
use crate::events::read::read_id;
use crate::json::Json;
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION, Tenant};

/// A version as it is answered, with its plugin.
#[derive(Debug, Serialize)]
struct VersionShown {
    id: PluginId,
    name: PluginName,
    /// Absent: it is the host's, for all organizations.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationName>,
    version: u32,
    digest: Digest,
    contract: String,
    /// JSON Schema of its configuration, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Box<RawValue>>,
    active: bool,
    component_bytes: u64,
    created_at: Time,
    /// Runs that wait for somebody to act: an activation resumes none by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
}

impl VersionShown {
    fn of(version: PluginVersion, organization: Option<OrganizationName>, waiting: Option<u64>) -> VersionShown {
        VersionShown {
            id: version.id,
            name: version.name,
            organization,
            version: version.version,
            digest: version.digest,
            contract: version.contract,
            schema: version.schema.and_then(|schema| RawValue::from_string(schema).ok()),
            active: version.active,
            component_bytes: version.component_bytes,
            created_at: version.created_at,
            waiting,
        }
    }
}

/// A version as a path names it. What is no name, or no number as it is shown, is the name of nothing.
pub(crate) struct VersionPath {
    pub(crate) name: PluginName,
    pub(crate) version: u32,
}

impl FromRequestParts<Reception> for VersionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, reception: &Reception) -> Result<VersionPath, Problem> {
        let Ok(Path((name, version))) = Path::<(String, String)>::from_request_parts(parts, reception).await else {
            return Err(no_version());
        };
        let number: u32 = read_id(&version, "version of a plugin")?;
        if number.to_string() != version {
            return Err(no_version());
        }
        Ok(VersionPath {
            name: read_id(&name, "plugin")?,
            version: number,
        })
    }
}

/// A plugin that a call is about: whose it is, and its name.
struct Found {
    /// `None`: it is the host's.
    owner: Option<Tenant>,
    name: PluginName,
}

impl Found {
    fn owner_key(&self) -> Option<OrganizationKey> {
        self.owner.as_ref().map(|owner| owner.key)
    }

    fn organization(self) -> Option<OrganizationName> {
        self.owner.map(|owner| owner.name)
    }
}

/// The plugin of that name, if the caller may see one. An operator names the organization in the query, or means the host's.
async fn find(reception: &Reception, call: &Call, name: PluginName) -> Result<Found, Problem> {
    let named = Named::by(&call.parameters(&[ORGANIZATION])?)?;
    let tenant = tenant::tenant_if_named(reception, &call.caller, &named).await?;
    find_of(reception, tenant, name).await.map(|(found, _)| found)
}

async fn find_of(reception: &Reception, tenant: Option<Tenant>, name: PluginName) -> Result<(Found, hookmill_store::PluginView), Problem> {
    let viewer = tenant.as_ref().map(|tenant| tenant.key);
    let view = reception.store().plugin(viewer, name.clone()).await?;
    let view = view.ok_or_else(|| Problem::not_found("plugin"))?;
    let owner = tenant.filter(|_| view.owner == PluginOwner::Organization);
    Ok((Found { owner, name }, view))
}

/// The same, for a change of it.
async fn find_to_change(reception: &Reception, call: &Call, name: PluginName) -> Result<Found, Problem> {
    call.caller.need_change()?;
    call.caller.need_unlimited()?;
    let named = Named::by(&call.parameters(&[ORGANIZATION])?)?;
    let is_for_host = call.caller.is_operator() && named.in_query.is_none();
    let tenant = tenant::tenant_if_named(reception, &call.caller, &named).await?;
    let (found, _) = find_of(reception, tenant, name).await?;
    if found.owner.is_none() && !is_for_host {
        let detail = "the plugin is the host's, for all organizations: operators change it, and name no organization";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(found)
}

/// `POST /plugins/{name}/versions/{version}/activate`: also the way back to an earlier one.
pub(crate) async fn activate(State(reception): State<Reception>, call: Call, path: VersionPath) -> Result<Response, Problem> {
    let found = find_to_change(&reception, &call, path.name).await?;
    let activated = reception
        .river
        .activate_plugin(found.owner_key(), found.name.clone(), path.version)
        .await?;
    let shown = VersionShown::of(activated.version, found.organization(), Some(activated.waiting));
    Ok(Json(shown).into_response())
}

/// `DELETE /plugins/{name}/versions/{version}`.
pub(crate) async fn delete(State(reception): State<Reception>, call: Call, path: VersionPath) -> Result<StatusCode, Problem> {
    let found = find_to_change(&reception, &call, path.name).await?;
    reception
        .river
        .delete_plugin_version(found.owner_key(), found.name, path.version)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn no_version() -> Problem {
    Problem::not_found("version of a plugin")
}
