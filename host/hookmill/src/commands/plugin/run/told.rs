//! What is told of one event's run, in the words that the API has for runs. Its form as JSON is for programs: fields are added, not changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookmill_domain::event::Envelope;
use hookmill_domain::names::{Kind, OrganizationName, ProductId, TargetName};
use hookmill_domain::outcome::{CallFacts, Fault};
use hookmill_domain::request::{Decided, Request};
use hookmill_domain::state::RunState;
use hookmill_domain::time::Time;
use serde::Serialize;

/// One event's run.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) kind: Kind,
    pub(crate) organization: OrganizationName,
    /// The document's id.
    pub(crate) document: ProductId,
    pub(crate) accepted_at: Time,
    pub(crate) state: RunState,
    /// Of a parked run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// Of a parked or skipped run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) requests: Vec<ToldRequest>,
    /// What a host sends all the same, and its receiver may not like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    pub(crate) duration_us: u64,
    pub(crate) memory_bytes: u64,
    /// Its lines.
    pub(crate) log: Vec<String>,
}

/// A request that would be owed.
#[derive(Debug, Serialize)]
pub(crate) struct ToldRequest {
    /// Absent: the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<TargetName>,
    pub(crate) method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) query: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content_type: String,
    /// Its text, or its bytes in base64, which the next field then says.
    pub(crate) body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_encoding: Option<&'static str>,
    pub(crate) body_bytes: usize,
}

impl Told {
    /// Puts together what is known.
    pub(crate) fn new(
        event: &Envelope,
        id: &str,
        organization: &OrganizationName,
        accepted_at: Time,
        facts: CallFacts,
        decided: Result<Decided, Fault>,
        warnings: Vec<String>,
    ) -> Told {
        let (state, code, reason, requests) = match decided {
            Ok(Decided::Requests(requests)) => (RunState::Done, None, None, requests),
            Ok(Decided::Skipped(reason)) => (RunState::Skipped, None, Some(reason), Vec::new()),
            Err(fault) => (RunState::Parked, Some(fault.code.as_str()), Some(fault.message), Vec::new()),
        };
        Told {
            event: id.to_owned(),
            kind: event.kind.clone(),
            organization: organization.clone(),
            document: event.document.clone(),
            accepted_at,
            state,
            code,
            reason,
            requests: requests.into_iter().map(ToldRequest::from).collect(),
            warnings,
            duration_us: facts.duration_us,
            memory_bytes: facts.memory_bytes,
            log: facts.log.iter().flat_map(|log| log.lines()).map(str::to_owned).collect(),
        }
    }

    /// Whether somebody would have to act.
    pub(crate) fn is_parked(&self) -> bool {
        self.state == RunState::Parked
    }
}

impl From<Request> for ToldRequest {
    fn from(request: Request) -> ToldRequest {
        let (body, body_encoding) = match std::str::from_utf8(&request.body) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (STANDARD.encode(&request.body), Some("base64")),
        };
        ToldRequest {
            target: request.target,
            method: request.method.as_str(),
            path: request.path,
            query: request.query,
            headers: request.headers,
            content_type: request.content_type,
            body,
            body_encoding,
            body_bytes: request.body.len(),
        }
    }
}
