//! Which integrations an event is owed to: a function of the event and a revision, and of nothing else.

use crate::integration::Facts;
use crate::names::{Kind, ProductId};

/// What of an event decides who gets it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its kind.
    pub kind: &'a Kind,
    /// Its inbox, if it belongs to one.
    pub inbox: Option<&'a ProductId>,
    /// Its project, if it belongs to one.
    pub project: Option<&'a ProductId>,
}

/// Why an event is not owed to an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It is matched by nothing.
    #[error("the integration is disabled")]
    Disabled,
    /// It wants other kinds.
    #[error("the event's kind is none of the integration's")]
    Kind,
    /// It wants other inboxes.
    #[error("the event's inbox is none of the integration's")]
    Inbox,
    /// It wants other projects.
    #[error("the event's project is none of the integration's")]
    Project,
}

/// Whether the event is owed to an integration with these facts. Each scope that is given must hold; an event without an inbox belongs
/// to none that could be named.
pub fn matches(facts: &Facts, event: Subject<'_>) -> bool {
    mismatch(facts, event).is_none()
}

/// Why it is not owed to it; `None` if it is.
pub fn mismatch(facts: &Facts, event: Subject<'_>) -> Option<Mismatch> {
    if !facts.enabled {
        Some(Mismatch::Disabled)
    } else if !facts.events.contains(event.kind) {
        Some(Mismatch::Kind)
    } else if !in_scope(facts.inboxes.as_deref(), event.inbox) {
        Some(Mismatch::Inbox)
    } else if !in_scope(facts.projects.as_deref(), event.project) {
        Some(Mismatch::Project)
    } else {
        None
    }
}

fn in_scope(scope: Option<&[ProductId]>, id: Option<&ProductId>) -> bool {
    scope.is_none_or(|scope| id.is_some_and(|id| scope.contains(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::PluginRef;

    fn facts(inboxes: Option<&[&str]>, projects: Option<&[&str]>) -> Facts {
        let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().expect("an id")).collect();
        Facts {
            events: vec!["document_text".parse().expect("a kind")],
            inboxes: inboxes.map(ids),
            projects: projects.map(ids),
            enabled: true,
            plugin: PluginRef::passthrough(),
            config: "null".into(),
            targets: Vec::new(),
        }
    }

    fn owed(facts: &Facts, kind: &str, inbox: Option<&str>, project: Option<&str>) -> bool {
        let id = |id: &str| id.parse::<ProductId>().expect("an id");
        let (kind, inbox, project) = (kind.parse().expect("a kind"), inbox.map(id), project.map(id));
        matches(
            facts,
            Subject {
                kind: &kind,
                inbox: inbox.as_ref(),
                project: project.as_ref(),
            },
        )
    }

    #[test]
    fn kinds_and_scopes() {
        let all = facts(None, None);
        assert!(owed(&all, "document_text", None, None));
        assert!(owed(&all, "document_text", Some("i"), Some("p")));
        assert!(!owed(&all, "document_split", None, None));
        let scoped = facts(Some(&["i", "j"]), Some(&["p"]));
        assert!(owed(&scoped, "document_text", Some("j"), Some("p")));
        assert!(!owed(&scoped, "document_text", Some("j"), None));
        assert!(!owed(&scoped, "document_text", None, Some("p")));
        assert!(!owed(&scoped, "document_text", Some("k"), Some("p")));
        assert!(!owed(&Facts { enabled: false, ..all }, "document_text", None, None));
        assert!(
            !owed(&facts(Some(&[]), None), "document_text", Some("i"), None),
            "an empty scope holds nothing"
        );
    }
}
