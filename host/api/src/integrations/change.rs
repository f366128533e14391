//! `PATCH /integrations/{id}`: a merge patch (RFC 7396) on the integration as it is shown. So what a client read can be sent back with some of
//! it changed: masks stay what they stand for, and what only the house changes must be as it is.
//!
//! A plugin's name is looked up when it is given. A patch that leaves it alone, or sends it back as it was read, together with whose it is,
//! keeps the plugin that it was found to mean, also where the organization has made one of the same name of its own since.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::event::Kinds;
use hookmill_domain::integration::{Draft, Integration};
use hookmill_domain::limits::Limits;
use hookmill_domain::names::OrganizationName;
use hookmill_flow::ChangeError;
use http::StatusCode;

use crate::call::{Call, JsonBody, PathPart, version_moved};
use crate::fields::Form;
use crate::integrations::merge::merge;
use crate::integrations::{FIELDS_MAX, check_scope, find_of, parse, shown, view};
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION};

/// How often a change is tried that others overtake.
const TRIES_MAX: u32 = 5;

/// What a change leaves as it is.
const FIXED: [&str; 7] = ["id", ORGANIZATION, "type", PLUGIN_OWNER, "stopped", "created_at", "updated_at"];
/// Says whose an integration's plugin is.
const PLUGIN_OWNER: &str = "plugin_owner";

/// `PATCH /integrations/{id}`.
pub(crate) async fn change(
    State(reception): State<Reception>,
    call: Call,
    PathPart(id): PathPart,
    body: JsonBody,
) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let (kinds, limits) = (reception.river.kinds(), reception.river.limits());
    let parameters = call.parameters(&[ORGANIZATION])?;
    let mut patch = Form::read(&body.text, FIELDS_MAX)?;
    let (names_plugin, names_owner) = (patch.has("plugin"), patch.has(PLUGIN_OWNER));
    let named = Named::with(&parameters, patch.take(ORGANIZATION).as_ref())?;
    parse::check_sizes(&mut patch, limits)?;
    let tenant = tenant::tenant(&reception, &call.caller, &named).await?;
    for _ in 0..TRIES_MAX {
        let old = find_of(&reception, &call, &tenant, &id).await?;
        let is_versioned = call.check_version(old.version)?;
        let draft = changed(&old, &tenant.name, &body.text, kinds, limits)?;
        check_scope(&call.caller, draft.inboxes.as_deref())?;
        let is_kept = !names_plugin || (names_owner && draft.plugin == old.draft.plugin);
        let kept = is_kept.then_some(old.plugin);
        match reception
            .river
            .change_integration(tenant.key, old.id, old.version, draft, kept)
            .await
        {
            Ok(integration) => return Ok(shown(&integration, &tenant)?.into_response()),
            Err(ChangeError::Moved) if is_versioned => return Err(version_moved()),
            Err(ChangeError::Moved) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::new(StatusCode::CONFLICT, "it is being changed by others: try again"))
}

/// What an integration is to be after the patch.
pub(super) fn changed(
    old: &Integration,
    organization: &OrganizationName,
    patch: &str,
    kinds: &Kinds,
    limits: &Limits,
) -> Result<Draft, Problem> {
    let present = view::text(old, organization)?;
    let merged = merge(&present, patch)?;
    let (mut present, mut merged) = (Form::read(&present, FIELDS_MAX)?, Form::read(&merged, FIELDS_MAX)?);
    for name in FIXED {
        match (present.take(name), merged.take(name)) {
            (Some(is), Some(given)) if given.json() == is.json() => {}
            (None, None) => {}
            (Some(other), _) | (None, Some(other)) => return Err(other.wrong("can not be changed").into()),
        }
    }
    Ok(parse::changed(merged, kinds, limits, &old.draft)?)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::integrations::sample;

    fn changed_by(old: &Integration, patch: &str) -> Result<Integration, String> {
        let organization = "contractfit1".parse().expect("a name");
        match changed(old, &organization, patch, &Kinds::default(), &Limits::default()) {
            Ok(draft) => Ok(Integration { draft, ..old.clone() }),
            Err(problem) => Err(String::from_utf8(problem.document()).expect("JSON")),
        }
    }

    fn shown(integration: &Integration) -> String {
        view::text(integration, &"contractfit1".parse().expect("a name")).expect("JSON")
    }

    fn headers(integration: &Integration, target: usize) -> Vec<String> {
        let headers = integration.draft.targets[target].headers.iter();
        headers
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII")))
            .collect()
    }

    fn refused(patch: &str, expected: Expect) {
        let document = changed_by(&sample::integration(), patch).expect_err(patch);
        let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        expected.assert_eq(&format!(
            "{} {}",
            document["status"],
            document["detail"].as_str().unwrap_or_default()
        ));
    }

    #[test]
    fn what_was_read_can_be_sent_back() {
        let old = sample::integration();
        let new = changed_by(&old, &shown(&old)).expect("nothing is changed");
        assert_eq!(shown(&new), shown(&old));
        assert_eq!(headers(&new, 0), ["authorization: Bearer abc", "x-team: blue"]);
        assert_eq!(headers(&new, 1), ["x-key: k"]);
    }

    #[test]
    fn some_of_it_is_changed() {
        let old = sample::integration();
        let new = changed_by(
            &old,
            r#"{"paused": true, "headers": {"Authorization": "Bearer new", "x-team": null}, "targets": {"review": {"headers": {"X-More": "m"}},
                "other": {"target": "http://b.example"}}, "plugin": null, "plugin_config": {"threshold": 0.90}, "retry": null, "inboxes": null}"#,
        );
        let new = new.expect("a change");
        assert_eq!(headers(&new, 0), ["authorization: Bearer new"]);
        assert_eq!(headers(&new, 1), ["x-key: k", "x-more: m"]);
        assert_eq!(new.draft.targets[2].url.as_str(), "http://b.example/");
        assert_eq!(&*new.draft.config, r#"{"threshold":0.90,"fields":["a"]}"#);
        assert!(new.draft.paused && new.draft.plugin.is_none() && new.draft.retry.is_none() && new.draft.inboxes.is_none());
        assert_eq!(new.draft.timeout_ms, Some(5000));
    }

    #[test]
    fn a_renamed_target_does_not_take_hidden_values_along() {
        refused(
            r#"{"targets": {"review": null, "audit": {"target": "http://b.example", "headers": {"x-key": "***"}}}}"#,
            expect!["422 /targets/audit/headers/x-key: *** stands for a value that is not shown, and there is none here"],
        );
        let new = changed_by(&sample::integration(), r#"{"targets": null}"#).expect("a change");
        assert_eq!(new.draft.targets.len(), 1);
    }

    #[test]
    fn gone_targets() {
        let mut old = sample::integration();
        old.draft.targets[0].gone = true;
        old.draft.targets[1].gone = true;
        let gone = |patch: &str| {
            let new = changed_by(&old, patch).expect("a change");
            (new.draft.targets[0].gone, new.draft.targets[1].gone)
        };
        assert_eq!(gone(r#"{"paused": true}"#), (true, true));
        assert_eq!(gone(r#"{"target": "https://b.example"}"#), (false, true));
        assert_eq!(
            gone(r#"{"target_gone": false, "targets": {"review": {"gone": null}}}"#),
            (false, false)
        );
        refused(
            r#"{"target_gone": true}"#,
            expect!["422 /target_gone: is for the receiver to say, by answering 410"],
        );
    }

    #[test]
    fn what_is_fixed_or_wrong_is_named() {
        refused(
            r#"{"id": "int_01ksr49200ew3re1r70w3ge1r8"}"#,
            expect!["422 /id: can not be changed"],
        );
        refused(r#"{"type": "email"}"#, expect!["422 /type: can not be changed"]);
        refused(r#"{"plugin_owner": "host"}"#, expect!["422 /plugin_owner: can not be changed"]);
        refused(r#"{"stopped": null}"#, expect!["422 /stopped: can not be changed"]);
        refused(r#"{"organization": "other"}"#, expect!["422 /organization: can not be changed"]);
        refused(r#"{"target": null}"#, expect!["422 /target: is missing"]);
        refused(r#"{"events": []}"#, expect!["422 /events: holds at least one kind"]);
        refused(
            r#"{"header": {"X-New": "***"}}"#,
            expect!["422 /header/X-New: *** stands for a value that is not shown, and there is none here"],
        );
        refused(
            r#"{"headers": {"Host": "a"}}"#,
            expect![[r#"422 /headers/Host: the header "Host" is set by the host"#]],
        );
        refused(
            r#"{"pause": true}"#,
            expect![
                "422 /pause: unknown field; known are created_at, description, enabled, events, header, headers, id, inboxes, metadata, organization, paused, plugin, plugin_config, plugin_owner, projects, retry, stopped, target, target_gone, targets, timeout_ms, type, updated_at"
            ],
        );
        refused(
            "{",
            expect!["400 the body is not JSON: EOF while parsing an object at line 1 column 1"],
        );
        refused("[]", expect!["422 the body must be an object"]);
    }

    #[test]
    fn a_kind_that_left_the_catalogue_stays() {
        let mut old = sample::integration();
        old.draft.events.push("retired".parse().expect("a kind"));
        old.draft.events.sort();
        assert!(changed_by(&old, r#"{"paused": true}"#).is_ok());
    }
}
