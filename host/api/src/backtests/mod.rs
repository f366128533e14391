//! `POST /plugins/{name}/versions/{n}/backtest`: what a version would have made of the organization's stored events, beside the version that
//! the integration has. It is answered line by line while it goes on; a client that goes away ends it.

mod lines;
mod shown;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::integration::{Draft, PluginRef};
use hookmill_domain::revision::Pinned;
use hookmill_domain::time::Time;
use hookmill_flow::{Backtest, Range};
use hookmill_store::{PluginFound, PluginVersion};
use http::{HeaderValue, header};

use crate::call::{Call, JsonBody};
use crate::fields::{Form, Given};
use crate::plugins::VersionPath;
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION, Tenant};
use crate::trials;

use lines::Lines;
use shown::Versions;

const FIELDS_MAX: usize = 8;
/// How many events are taken where nobody says how far back it goes.
const LAST: u64 = 1000;

/// `POST /plugins/{name}/versions/{n}/backtest`.
pub(crate) async fn backtest(
    State(reception): State<Reception>,
    call: Call,
    path: VersionPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    call.caller.need_change()?;
    call.caller.need_unlimited()?;
    let parameters = call.parameters(&[ORGANIZATION])?;
    let mut form = Form::read(&body.text, FIELDS_MAX)?;
    let named = Named::with(&parameters, form.take(ORGANIZATION).as_ref())?;
    let tenant = tenant::tenant(&reception, &call.caller, &named).await?;
    let (plugin, version) = trials::version_of(&reception, &tenant, path).await?;
    let range = range(&mut form, reception.river.limits().backtest.events_max)?;
    let given = form.need("integration")?;
    form.finish()?;
    let (draft, known) = trials::integration(&reception, &tenant, &given).await?;
    // The question is what would come out, and not whether it is switched on.
    let draft = Draft { enabled: true, ..draft };
    let uses = match known {
        Some((_, id)) => {
            let found = reception.store().integration(tenant.key, id).await?;
            found.ok_or_else(|| given.wrong("there is no such integration"))?.plugin
        }
        None => named_plugin(&reception, &tenant, &draft, &plugin, &given).await?,
    };
    let has = reception.store().meant_version(tenant.key, uses.clone()).await?;
    let has = has.ok_or_else(|| given.wrong(format!("no version of `{}` is active: name one to compare with", uses.name)))?;
    let versions = Versions::new(&has, &version);
    let new = reception
        .river
        .integration_to_try(tenant.key, &draft, known, &version, plugin, given.pointer())
        .await?;
    if known.is_none() {
        // What creation would refuse is refused here as well: its configuration has to fit the version that it would have.
        let judged = reception
            .river
            .integration_to_try(tenant.key, &draft, known, &has, uses.clone(), given.pointer());
        judged.await?;
    }
    let old = with_version(&new, &draft, uses, &has);
    let backtest = Backtest {
        organization: tenant.name,
        old,
        new,
        range,
    };
    let lines = reception.river.backtest(tenant.key, backtest).await?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    Ok((kind, Body::new(Lines::new(lines, versions))).into_response())
}

/// `last` or `since`, of which one says how far back it goes.
fn range(form: &mut Form<'_>, events_max: u64) -> Result<Range, FieldError> {
    match (form.take("last"), form.take("since")) {
        (Some(last), None) => Ok(Range::Last(last.number(1..=events_max)?)),
        (None, Some(since)) => Ok(Range::Since(since.parsed::<Time>()?)),
        (Some(_), Some(since)) => Err(since.wrong("is given beside `last`: one of them says how far back it goes")),
        (None, None) => Ok(Range::Last(LAST.min(events_max))),
    }
}

/// The plugin of an integration that is given here; without one, it has the active version of the plugin that is tried.
async fn named_plugin(
    reception: &Reception,
    tenant: &Tenant,
    draft: &Draft,
    tried: &PluginRef,
    given: &Given<'_>,
) -> Result<PluginRef, Problem> {
    let Some(named) = &draft.plugin else {
        return Ok(PluginRef {
            version: None,
            ..tried.clone()
        });
    };
    match reception.store().find_plugin(tenant.key, Some(named.clone())).await? {
        PluginFound::Found(plugin) => Ok(plugin),
        _ => Err(FieldError::body(format!("{}/plugin", given.pointer()), "there is no such plugin, or version of it").into()),
    }
}

/// The same integration with another version.
fn with_version(integration: &Pinned, draft: &Draft, plugin: PluginRef, version: &PluginVersion) -> Arc<Pinned> {
    Arc::new(Pinned {
        key: integration.key,
        id: integration.id,
        facts: draft.facts(plugin),
        version: version.version,
        digest: version.digest,
    })
}
