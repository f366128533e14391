//! What every call of the router begins with: who asks, with which parameters and body.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::answers::held;
use crate::auth::Caller;
use crate::bodies::Claim;
use crate::body::{Reading, Whole, read_whole};
use crate::media;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::reception::Reception;

/// A call by somebody with a key.
#[derive(Clone)]
pub(crate) struct Call {
    /// Who.
    pub(crate) caller: Caller,
    query: Arc<str>,
    pub(crate) if_match: Option<HeaderValue>,
}

impl Call {
    /// The call's parameters, which are some of `known`.
    pub(crate) fn parameters(&self, known: &[&str]) -> Result<Parameters, Problem> {
        Ok(Parameters::read(&self.query, known)?)
    }

    /// Refuses a call that was meant for another version (`If-Match`, RFC 9110 section 13.1.1). Answers whether it named one.
    pub(crate) fn check_version(&self, version: i64) -> Result<bool, Problem> {
        let Some(wanted) = &self.if_match else { return Ok(false) };
        let present = entity_tag(version);
        let mut wanted = wanted.to_str().unwrap_or_default().split(',').map(str::trim);
        if wanted.any(|wanted| wanted == "*" || present == wanted) {
            return Ok(true);
        }
        Err(version_moved())
    }
}

/// A version as `ETag` shows it.
pub(crate) fn entity_tag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("digits in quotes are a header's value")
}

/// The answer to a change that was meant for another version.
pub(crate) fn version_moved() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "it was changed meanwhile: read it again")
}

impl FromRequestParts<Reception> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, reception: &Reception) -> Result<Call, Problem> {
        let call = Call {
            caller: Caller::of(&parts.headers, &reception.river)?,
            query: parts.uri.query().unwrap_or_default().into(),
            if_match: parts.headers.get(header::IF_MATCH).cloned(),
        };
        // For whoever reads the body.
        parts.extensions.insert(call.caller.clone());
        Ok(call)
    }
}

/// The one variable part of a path, decoded. What can not be decoded names nothing.
pub(crate) struct PathPart(pub(crate) String);

impl FromRequestParts<Reception> for PathPart {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, reception: &Reception) -> Result<PathPart, Problem> {
        match Path::<String>::from_request_parts(parts, reception).await {
            Ok(Path(text)) => Ok(PathPart(text)),
            Err(_) => Err(Problem::not_found("thing")),
        }
    }
}

/// A body of JSON text.
pub(crate) struct JsonBody {
    /// The text.
    pub(crate) text: String,
    _claim: Claim,
}

impl FromRequest<Reception> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, reception: &Reception) -> Result<JsonBody, Problem> {
        let bytes_max = reception.river.limits().intake.request_body_bytes_max;
        let whole = read_json(request, reception, "request_body_bytes_max", bytes_max).await?;
        let text = String::from_utf8(whole.bytes.into()).map_err(|_| not_utf8())?;
        Ok(JsonBody { text, _claim: whole.claim })
    }
}

/// A body of JSON text with an event in it, which may be as large as one that is posted; the rest, as large as another body. Who takes it
/// apart holds each part to its limit.
pub(crate) struct EventBody {
    /// What was sent. Its memory is claimed for as long as anybody holds a part of it.
    bytes: Bytes,
}

impl EventBody {
    /// The text.
    pub(crate) fn text(&self) -> Result<&str, Problem> {
        std::str::from_utf8(&self.bytes).map_err(|_| not_utf8())
    }

    /// A part of the text, which is not copied.
    pub(crate) fn part(&self, text: &str) -> Bytes {
        self.bytes.slice_ref(text.as_bytes())
    }

    /// How many bytes were sent.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl FromRequest<Reception> for EventBody {
    type Rejection = Problem;

    async fn from_request(request: Request, reception: &Reception) -> Result<EventBody, Problem> {
        let limits = &reception.river.limits().intake;
        let bytes_max = limits.event_body_bytes_max.saturating_add(limits.request_body_bytes_max);
        // The sum is of two limits, and none has that number.
        let whole = read_json(request, reception, "event_body_bytes_max + request_body_bytes_max", bytes_max).await?;
        Ok(EventBody {
            bytes: held(whole.bytes, Arc::new(whole.claim)),
        })
    }
}

async fn read_json(request: Request, reception: &Reception, limit: &'static str, bytes_max: u64) -> Result<Whole, Problem> {
    media::need_json(request.headers())?;
    let timeout_ms = reception.river.limits().intake.request_read_timeout_ms;
    let reading = Reading::new(request.headers(), limit, bytes_max, timeout_ms);
    let claim = match request.extensions().get::<Caller>() {
        Some(caller) => reception.claim(caller),
        None => reception.bodies.claim(None),
    };
    Ok(read_whole(request.into_body(), reading, claim).await?)
}

fn not_utf8() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the body is not UTF-8")
}

/// Takes a request apart for a handler that reads its body by rules of its own.
pub(crate) fn headers_and_body(request: Request) -> (HeaderMap, axum::body::Body) {
    let (parts, body) = request.into_parts();
    (parts.headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(if_match: Option<&'static str>, version: i64) -> Result<bool, StatusCode> {
        let key = hookmill_domain::api_key::ApiKey {
            id: hookmill_domain::ids::ApiKeyId::from_bytes([1; 16]),
            role: hookmill_domain::api_key::Role::Admin,
            organization: None,
            inboxes: None,
            description: None,
            created_at: Default::default(),
            expires_at: None,
        };
        let call = Call {
            caller: Caller::with(key),
            query: "".into(),
            if_match: if_match.map(HeaderValue::from_static),
        };
        call.check_version(version).map_err(|problem| problem.status())
    }

    #[test]
    fn versions() {
        assert_eq!(check(None, 3), Ok(false));
        assert_eq!(check(Some("\"3\""), 3), Ok(true));
        assert_eq!(check(Some("\"2\", \"3\""), 3), Ok(true));
        assert_eq!(check(Some("*"), 3), Ok(true));
        assert_eq!(check(Some("\"2\""), 3), Err(StatusCode::PRECONDITION_FAILED));
        assert_eq!(check(Some("3"), 3), Err(StatusCode::PRECONDITION_FAILED));
    }
}
