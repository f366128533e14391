//! What every call of the router begins with: who asks, with which parameters and body.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::auth::Caller;
use crate::bodies::Claim;
use crate::body::{Reading, read_whole};
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
        media::need_json(request.headers())?;
        let limits = &reception.river.limits().intake;
        let reading = Reading::new(
            request.headers(),
            "request_body_bytes_max",
            limits.request_body_bytes_max,
            limits.request_read_timeout_ms,
        );
        let claim = match request.extensions().get::<Caller>() {
            Some(caller) => reception.claim(caller),
            None => reception.bodies.claim(None),
        };
        let whole = read_whole(request.into_body(), reading, claim).await?;
        let text = String::from_utf8(whole.bytes.into());
        let text = text.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body is not UTF-8"))?;
        Ok(JsonBody { text, _claim: whole.claim })
    }
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
