//! `GET /plugins`, `GET /plugins/{name}` with its versions, and one version of them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::PluginOwner;
use hookmill_domain::names::{OrganizationName, PluginName};
use hookmill_domain::time::Time;
use hookmill_store::{PluginVersion, PluginView};
use serde::Serialize;

use super::{Found, VersionPath, VersionShown, find, find_of, no_version};
use crate::call::{Call, PathPart};
use crate::events::read::read_id;
use crate::json::Json;
use crate::pages::{self, Cursor, Page};
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION};

/// A plugin as it is answered.
#[derive(Debug, Serialize)]
struct PluginShown {
    id: PluginId,
    name: PluginName,
    /// Absent: it is the host's, for all organizations.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationName>,
    /// The number of the version that integrations get which name the plugin alone; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<u32>,
    newest: u32,
    created_at: Time,
}

impl PluginShown {
    fn of(view: PluginView, viewer: Option<&OrganizationName>) -> PluginShown {
        PluginShown {
            id: view.id,
            name: view.name,
            organization: viewer.filter(|_| view.owner == PluginOwner::Organization).cloned(),
            active: view.active,
            newest: view.newest,
            created_at: view.created_at,
        }
    }
}

/// A plugin with a page of its versions.
#[derive(Debug, Serialize)]
struct WithVersions {
    #[serde(flatten)]
    plugin: PluginShown,
    versions: Page<ListedVersion>,
}

/// A version in its plugin's list: all but the schema.
#[derive(Debug, Serialize)]
struct ListedVersion {
    version: u32,
    digest: Digest,
    contract: String,
    active: bool,
    component_bytes: u64,
    created_at: Time,
}

impl From<PluginVersion> for ListedVersion {
    fn from(version: PluginVersion) -> ListedVersion {
        ListedVersion {
            version: version.version,
            digest: version.digest,
            contract: version.contract,
            active: version.active,
            component_bytes: version.component_bytes,
            created_at: version.created_at,
        }
    }
}

/// Plugins are listed by name, an organization's own before the host's.
struct After {
    owner: PluginOwner,
    name: PluginName,
}

impl Cursor for After {
    const TAG: u8 = b'g';

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.owner == PluginOwner::Host)];
        bytes.extend(self.name.as_str().as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<After> {
        let (owner, name) = bytes.split_first()?;
        let owner = match owner {
            0 => PluginOwner::Organization,
            1 => PluginOwner::Host,
            _ => return None,
        };
        let name = std::str::from_utf8(name).ok()?.parse().ok()?;
        Some(After { owner, name })
    }
}

/// Versions are listed the newest first.
struct Below(u32);

impl Cursor for Below {
    const TAG: u8 = b'v';

    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Below> {
        Some(Below(u32::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// `GET /plugins`: the organization's and the host's; of an operator who names no organization, the host's.
pub(crate) async fn list(State(reception): State<Reception>, call: Call) -> Result<Response, Problem> {
    call.caller.need_read()?;
    let parameters = call.parameters(&[ORGANIZATION, "limit", "cursor"])?;
    let limit = pages::limit(&parameters)?;
    let after = pages::cursor::<After>(&parameters)?.map(|after| (after.owner, after.name));
    let tenant = tenant::tenant_if_named(&reception, &call.caller, &Named::by(&parameters)?).await?;
    let viewer = tenant.as_ref().map(|tenant| tenant.key);
    let found = reception.store().plugins(viewer, after, limit as usize + 1).await?;
    let cursor = |last: &PluginView| After {
        owner: last.owner,
        name: last.name.clone(),
    };
    let show = |view| PluginShown::of(view, tenant.as_ref().map(|tenant| &tenant.name));
    Ok(Json(Page::of_one_more(found, limit, cursor, show)).into_response())
}

/// `GET /plugins/{name}`, with a page of its versions.
pub(crate) async fn get(State(reception): State<Reception>, call: Call, PathPart(name): PathPart) -> Result<Response, Problem> {
    call.caller.need_read()?;
    let parameters = call.parameters(&[ORGANIZATION, "limit", "cursor"])?;
    let limit = pages::limit(&parameters)?;
    let below = pages::cursor::<Below>(&parameters)?.map_or(u32::MAX, |below| below.0);
    let tenant = tenant::tenant_if_named(&reception, &call.caller, &Named::by(&parameters)?).await?;
    let (found, view) = find_of(&reception, tenant, read_id(&name, "plugin")?).await?;
    let versions = reception
        .store()
        .plugin_versions(found.owner_key(), found.name.clone(), below, limit as usize + 1)
        .await?;
    let shown = WithVersions {
        plugin: PluginShown::of(view, found.organization().as_ref()),
        versions: Page::of_one_more(versions, limit, |last| Below(last.version), ListedVersion::from),
    };
    Ok(Json(shown).into_response())
}

/// `GET /plugins/{name}/versions/{version}`.
pub(crate) async fn version(State(reception): State<Reception>, call: Call, path: VersionPath) -> Result<Response, Problem> {
    let (found, version) = find_version(&reception, &call, path).await?;
    Ok(Json(VersionShown::of(version, found.organization(), None)).into_response())
}

/// A version that the caller may see.
pub(super) async fn find_version(reception: &Reception, call: &Call, path: VersionPath) -> Result<(Found, PluginVersion), Problem> {
    call.caller.need_read()?;
    let found = find(reception, call, path.name).await?;
    let version = reception
        .store()
        .plugin_version(found.owner_key(), found.name.clone(), path.version)
        .await?;
    Ok((found, version.ok_or_else(no_version)?))
}
