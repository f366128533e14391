//! The requests that a run owes: a guest's wishes, judged by the run's revision, and frozen into the bytes that every attempt sends.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::integration::{Facts, TargetFacts};
use crate::names::TargetName;
use crate::outcome::{Fault, GuestRequest, Method, Outcome, ParkCode};
use crate::target;

/// One request as it was decided: what attempts send beside the target's URL, its headers and the signature, which are read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which target; `None`: the default one.
    pub target: Option<TargetName>,
    /// The method of the request line.
    pub method: Method,
    /// Appended below the target's path.
    pub path: Option<String>,
    /// Appended after the target's query.
    pub query: Vec<(String, String)>,
    /// Added to the target's headers; where the target has come to set one of them, the target's wins.
    pub headers: Vec<(String, String)>,
    /// The header `content-type`.
    pub content_type: String,
    /// What is sent.
    pub body: Bytes,
}

/// The frozen form's head: one line of JSON before the body.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    target: Option<TargetName>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    query: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    headers: Vec<(String, String)>,
    content_type: std::borrow::Cow<'a, str>,
}

/// Says that stored bytes are not a frozen request.
#[derive(Debug, thiserror::Error)]
#[error("the stored bytes are not a request")]
pub struct NotARequest;

impl Request {
    /// The bytes by which a request is kept after its first failure. Equal requests give equal bytes, in every release.
    pub fn freeze(&self) -> Bytes {
        let head = self.head();
        let mut bytes = BytesMut::with_capacity(head.len() + 1 + self.body.len());
        bytes.put_slice(&head);
        bytes.put_u8(b'\n');
        bytes.put_slice(&self.body);
        bytes.freeze()
    }

    /// The digest of [`Request::freeze`], kept of every request, without making those bytes.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[&self.head(), b"\n", &self.body])
    }

    /// What [`Request::freeze`] made.
    pub fn thaw(frozen: &Bytes) -> Result<Request, NotARequest> {
        let end = frozen.iter().position(|byte| *byte == b'\n').ok_or(NotARequest)?;
        let head: Head<'_> = serde_json::from_slice(&frozen[..end]).map_err(|_| NotARequest)?;
        Ok(Request {
            target: head.target,
            method: Method::from_text(head.method).ok_or(NotARequest)?,
            path: head.path,
            query: head.query,
            headers: head.headers,
            content_type: head.content_type.into_owned(),
            body: frozen.slice(end + 1..),
        })
    }

    fn head(&self) -> Vec<u8> {
        let head = Head {
            target: self.target.clone(),
            method: self.method.as_str(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            content_type: self.content_type.as_str().into(),
        };
        serde_json::to_vec(&head).expect("a head is texts and lists of them")
    }
}

/// What a plugin's answer comes to, if it does not park the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// These requests are owed: at least one.
    Requests(Vec<Request>),
    /// Nothing is owed: why.
    Skipped(String),
}

/// Decides what comes of a plugin's answer. A reject parks the run, as does a request that breaks a rule.
pub fn decide(answer: Outcome, facts: &Facts) -> Result<Decided, Fault> {
    match answer {
        Outcome::Skip(reason) => Ok(Decided::Skipped(reason)),
        Outcome::Reject(reason) => Err(Fault::new(ParkCode::Rejected, reason)),
        Outcome::Deliver(requests) if requests.is_empty() => Ok(Decided::Skipped("the plugin asked for no request".to_owned())),
        Outcome::Deliver(requests) => plan(requests, facts).map(Decided::Requests),
    }
}

/// Judges what a guest asked for by its integration's facts. The first breach parks the run: nothing is dropped in silence, and no
/// request of an outcome is sent when one of them is wrong.
pub fn plan(requests: Vec<GuestRequest>, facts: &Facts) -> Result<Vec<Request>, Fault> {
    let planned = requests.into_iter().enumerate().map(|(number, request)| {
        plan_one(request, facts).map_err(|breach| {
            let message = format!("request {}: {}: {}", number + 1, breach.field, breach.message);
            Fault::new(ParkCode::InvalidRequest, message)
        })
    });
    planned.collect()
}

struct Breach {
    field: &'static str,
    message: String,
}

impl Breach {
    fn new(field: &'static str, message: impl ToString) -> Breach {
        Breach {
            field,
            message: message.to_string(),
        }
    }
}

fn plan_one(request: GuestRequest, facts: &Facts) -> Result<Request, Breach> {
    let target = target_of(request.target.as_deref(), facts)?;
    if let Some(path) = &request.path {
        target::check_plugin_path(path).map_err(|error| Breach::new("path", error))?;
    }
    target::check_plugin_query(&request.query, &target.query_keys).map_err(|error| Breach::new("query", error))?;
    target::check_plugin_headers(&request.headers, &target.headers).map_err(|error| Breach::new("headers", error))?;
    let content_type = match request.content_type {
        Some(given) => target::check_content_type(&given)
            .map(|()| given)
            .map_err(|error| Breach::new("content-type", error))?,
        None => request.body.default_content_type().to_owned(),
    };
    Ok(Request {
        target: target.name.clone(),
        method: request.method,
        path: request.path,
        query: request.query,
        headers: request.headers,
        content_type,
        body: request.body.bytes().clone(),
    })
}

fn target_of<'a>(name: Option<&str>, facts: &'a Facts) -> Result<&'a TargetFacts, Breach> {
    let found = facts
        .targets
        .iter()
        .find(|target| target.name.as_ref().map(TargetName::as_str) == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = facts.target_names().map(TargetName::as_str).collect();
        let mut name = name.unwrap_or("default").to_owned();
        crate::outcome::cut(&mut name, 64);
        Breach::new(
            "target",
            format!(
                "the integration has no target `{}`; it has [{}]",
                name.escape_debug(),
                known.join(", ")
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::PluginRef;
    use crate::outcome::Body;

    fn facts() -> Facts {
        let target = |name: Option<&str>, headers: &[&str], keys: &[&str]| TargetFacts {
            name: name.map(|name| name.parse().expect("a name")),
            headers: headers.iter().map(|name| (*name).to_owned()).collect(),
            query_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        Facts {
            events: vec!["document_text".parse().expect("a kind")],
            inboxes: None,
            projects: None,
            enabled: true,
            plugin: PluginRef::passthrough(),
            config: "null".into(),
            targets: vec![target(None, &["authorization"], &["token"]), target(Some("review"), &[], &[])],
        }
    }

    fn wish() -> GuestRequest {
        GuestRequest {
            body: Body::Json(Bytes::from_static(b"{\n}")),
            target: None,
            method: Method::Post,
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            content_type: None,
        }
    }

    fn refused(wish: GuestRequest, start: &str) {
        let fault = plan(vec![self::wish(), wish], &facts()).expect_err(start);
        assert_eq!(fault.code, ParkCode::InvalidRequest);
        assert!(fault.message.starts_with(start), "{}", fault.message);
    }

    #[test]
    fn frozen_requests_come_back() {
        let plain = plan(vec![wish()], &facts()).expect("allowed").remove(0);
        let frozen = plain.freeze();
        assert_eq!(
            frozen,
            "{\"method\":\"POST\",\"content_type\":\"application/json\"}\n{\n}".as_bytes()
        );
        assert_eq!(plain.digest(), Digest::of(&frozen));
        assert_eq!(Request::thaw(&frozen).expect("it was just frozen"), plain);
        let full = GuestRequest {
            target: Some("review".to_owned()),
            method: Method::Put,
            path: Some("/a\"b".to_owned()),
            query: vec![("q".to_owned(), "1\n".to_owned())],
            headers: vec![("x-a".to_owned(), "b".to_owned())],
            content_type: Some("text/csv".to_owned()),
            ..wish()
        };
        let full = plan(vec![full], &facts()).expect("allowed").remove(0);
        assert_eq!(Request::thaw(&full.freeze()).expect("it was just frozen"), full);
        assert!(Request::thaw(&Bytes::from_static(b"{}\n")).is_err());
    }

    #[test]
    fn answers_are_decided() {
        let decided = |answer| decide(answer, &facts()).map_err(|fault| (fault.code, fault.message));
        let skipped = |reason: &str| Ok(Decided::Skipped(reason.to_owned()));
        assert!(matches!(decided(Outcome::Deliver(vec![wish()])), Ok(Decided::Requests(requests)) if requests.len() == 1));
        assert_eq!(decided(Outcome::Deliver(Vec::new())), skipped("the plugin asked for no request"));
        assert_eq!(decided(Outcome::Skip("why".to_owned())), skipped("why"));
        assert_eq!(
            decided(Outcome::Reject("why".to_owned())),
            Err((ParkCode::Rejected, "why".to_owned()))
        );
    }

    #[test]
    fn breaches_name_request_and_field() {
        let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
        refused(
            GuestRequest {
                target: Some("else".to_owned()),
                ..wish()
            },
            "request 2: target: the integration has no target `else`",
        );
        refused(
            GuestRequest {
                path: Some("/../x".to_owned()),
                ..wish()
            },
            "request 2: path:",
        );
        refused(
            GuestRequest {
                query: pair("token", "x"),
                ..wish()
            },
            "request 2: query:",
        );
        refused(
            GuestRequest {
                headers: pair("Authorization", "x"),
                ..wish()
            },
            "request 2: headers:",
        );
        refused(
            GuestRequest {
                headers: pair("webhook-id", "x"),
                ..wish()
            },
            "request 2: headers:",
        );
        refused(
            GuestRequest {
                headers: pair("x-a", "a\r\nb: c"),
                ..wish()
            },
            "request 2: headers:",
        );
        refused(
            GuestRequest {
                content_type: Some("a\nb".to_owned()),
                ..wish()
            },
            "request 2: content-type:",
        );
        let elsewhere = GuestRequest {
            target: Some("review".to_owned()),
            headers: pair("Authorization", "x"),
            ..wish()
        };
        assert!(plan(vec![elsewhere], &facts()).is_ok(), "the review target sets no such header");
    }
}
