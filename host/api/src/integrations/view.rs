//! An integration as it is answered. Its owner's part is written as the owner may write it, so that an answer can be sent back as a change.
//! A plugin, a schedule or a timeout that the owner did not name is not shown: what holds then is the house's affair and may change.

use hookmill_domain::ids::IntegrationId;
use hookmill_domain::integration::{Integration, LiveTarget, PluginOwner};
use hookmill_domain::names::{Kind, OrganizationName, ProductId};
use hookmill_domain::time::Time;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::problem::Problem;

/// Stands for a header's value.
pub(crate) const MASK: &str = "***";

/// The one type that there is.
pub(crate) const WEBHOOK: &str = "webhook";

/// The integration as JSON text.
pub(crate) fn text(integration: &Integration, organization: &OrganizationName) -> Result<String, Problem> {
    let shown = Shown::of(integration, organization).and_then(|shown| serde_json::to_string(&shown));
    shown.map_err(unreadable)
}

/// The integration as JSON that goes into other JSON.
pub(crate) fn raw(integration: &Integration, organization: &OrganizationName) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(text(integration, organization)?).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Problem {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "an integration that was stored is no JSON"
    );
    Problem::internal()
}

#[derive(Serialize)]
struct Shown<'a> {
    id: IntegrationId,
    organization: &'a OrganizationName,
    #[serde(rename = "type")]
    kind: &'static str,
    events: &'a [Kind],
    #[serde(skip_serializing_if = "Option::is_none")]
    inboxes: Option<&'a [ProductId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projects: Option<&'a [ProductId]>,
    target: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    target_gone: bool,
    headers: Headers<'a>,
    #[serde(skip_serializing_if = "Targets::is_empty")]
    targets: Targets<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// Whose that plugin is: a name means the organization's own plugin before the host's at the time that it is given, and keeps its meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_owner: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_config: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Retry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    enabled: bool,
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    stopped: bool,
    created_at: Time,
    updated_at: Time,
}

#[derive(Serialize)]
struct Retry<'a> {
    delays_ms: &'a [u64],
}

impl<'a> Shown<'a> {
    fn of(integration: &'a Integration, organization: &'a OrganizationName) -> serde_json::Result<Shown<'a>> {
        let draft = &integration.draft;
        let (default, named) = match draft.targets.split_first() {
            Some((default, named)) => (Some(default), named),
            None => (None, [].as_slice()),
        };
        let config = Some(&*draft.config).filter(|config| *config != "null");
        Ok(Shown {
            id: integration.id,
            organization,
            kind: WEBHOOK,
            events: &draft.events,
            inboxes: draft.inboxes.as_deref(),
            projects: draft.projects.as_deref(),
            target: default.map_or("", |target| target.url.as_str()),
            target_gone: default.is_some_and(|target| target.gone),
            headers: Headers(default),
            targets: Targets(named),
            plugin: draft.plugin.as_ref().map(|(name, version)| match version {
                Some(version) => format!("{name}@{version}"),
                None => name.to_string(),
            }),
            plugin_owner: draft.plugin.as_ref().map(|_| match integration.plugin.owner {
                PluginOwner::Host => "host",
                PluginOwner::Organization => "organization",
            }),
            plugin_config: config.map(serde_json::from_str).transpose()?,
            retry: draft.retry.as_ref().map(|retry| Retry {
                delays_ms: retry.delays_ms(),
            }),
            timeout_ms: draft.timeout_ms,
            enabled: draft.enabled,
            paused: draft.paused,
            description: draft.description.as_deref(),
            metadata: draft.metadata.as_deref().map(serde_json::from_str).transpose()?,
            stopped: integration.stopped,
            created_at: integration.created_at,
            updated_at: integration.updated_at,
        })
    }
}

/// A target's headers: their names.
struct Headers<'a>(Option<&'a LiveTarget>);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers = self.0.map(|target| target.headers.as_slice()).unwrap_or_default();
        serializer.collect_map(headers.iter().map(|(name, _)| (name.as_str(), MASK)))
    }
}

/// The targets with names, in order.
struct Targets<'a>(&'a [LiveTarget]);

impl Targets<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Serialize)]
struct TargetShown<'a> {
    target: &'a str,
    headers: Headers<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

impl Serialize for Targets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for target in self.0 {
            let shown = TargetShown {
                target: target.url.as_str(),
                headers: Headers(Some(target)),
                gone: target.gone,
            };
            map.serialize_entry(&target.name, &shown)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::integrations::sample;

    fn shown(integration: &Integration) -> String {
        let name = "contractfit1".parse().expect("a name");
        text(integration, &name).expect("JSON")
    }

    #[test]
    fn what_is_shown() {
        let mut integration = sample::integration();
        expect![[r#"{"id":"int_01ksr49200ew3re1r70w3ge1r7","organization":"contractfit1","type":"webhook","events":["document_evaluate","document_predict"],"inboxes":["5e7a","5e7b"],"target":"https://a.example/alfred","headers":{"authorization":"***","x-team":"***"},"targets":{"review":{"target":"http://10.1.2.3:8080/review","headers":{"x-key":"***"}}},"plugin":"flatten@3","plugin_owner":"organization","plugin_config":{"threshold": 0.80, "fields": ["a"]},"retry":{"delays_ms":[1,2]},"timeout_ms":5000,"enabled":true,"paused":false,"description":"the ERP","metadata":{"owner": "x"},"stopped":false,"created_at":"2026-05-28T20:26:40.000Z","updated_at":"2026-09-21T14:13:20.000Z"}"#]]
            .assert_eq(&shown(&integration));
        integration.draft.targets[1].gone = true;
        assert!(shown(&integration).contains(r#""headers":{"x-key":"***"},"gone":true}}"#));
        integration.draft.targets[0].gone = true;
        assert!(shown(&integration).contains(r#""target_gone":true"#));
    }

    #[test]
    fn values_never_come_out() {
        let shown = shown(&sample::integration());
        for secret in ["abc", "blue", "\"k\""] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
