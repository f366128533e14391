//! Problem documents (RFC 9457): how every answer that is not a success looks. `type` is `about:blank` throughout, so the status tells the
//! class; what a program branches on beyond it stands in `code` and `limit`, and each wrong field in `errors`, by JSON Pointer (RFC 6901)
//! into the body or by the name of the query parameter.

use std::borrow::Cow;

use axum::response::IntoResponse;
use bytes::Bytes;
use hookmill_domain::outcome::cut;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Map, Value};

/// An answer that says what went wrong. Small, since it is carried as an error.
#[derive(Debug)]
pub(crate) struct Problem(Box<Told>);

#[derive(Debug)]
struct Told {
    status: StatusCode,
    document: Document,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Serialize)]
struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Members of this one problem (RFC 9457, section 3.2).
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    #[serde(flatten)]
    place: Place,
    message: String,
    /// Whether the body can not even be read.
    #[serde(skip)]
    is_unreadable: bool,
}

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// In the body: a JSON Pointer.
    Pointer(String),
    /// In the query: a parameter's name.
    Parameter(String),
}

/// What a client has sent may stand in what it is told: so much of it that nobody is made to hold an answer as large as a request.
const TOLD_BYTES_MAX: usize = 4 * 1024;

fn told(text: impl Into<String>) -> String {
    let mut text = text.into();
    cut(&mut text, TOLD_BYTES_MAX);
    text
}

impl FieldError {
    /// A field of the body; the empty pointer is the body as a whole.
    pub(crate) fn body(pointer: impl Into<String>, message: impl Into<String>) -> FieldError {
        FieldError {
            place: Place::Pointer(told(pointer)),
            message: told(message),
            is_unreadable: false,
        }
    }

    /// The body as a whole, which is not JSON.
    pub(crate) fn not_json(error: &serde_json::Error) -> FieldError {
        FieldError {
            is_unreadable: true,
            ..FieldError::body("", format!("is not JSON: {error}"))
        }
    }

    /// A parameter of the query.
    pub(crate) fn parameter(name: impl Into<String>, message: impl Into<String>) -> FieldError {
        FieldError {
            place: Place::Parameter(told(name)),
            message: told(message),
            is_unreadable: false,
        }
    }

    fn sentence(&self) -> String {
        match &self.place {
            Place::Pointer(pointer) if pointer.is_empty() => format!("the body {}", self.message),
            Place::Pointer(name) | Place::Parameter(name) => format!("{name}: {}", self.message),
        }
    }
}

impl Problem {
    /// A problem that a sentence tells.
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem(Box::new(Told {
            status,
            document: Document {
                kind: "about:blank",
                title: status.canonical_reason().unwrap_or("Error"),
                status: status.as_u16(),
                detail: detail.into(),
                code: None,
                limit: None,
                errors: Vec::new(),
                members: Map::new(),
            },
            headers: Vec::new(),
        }))
    }

    /// There is no such thing, or it is another tenant's.
    pub(crate) fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// A fault of the host's own. What it was is for the log.
    pub(crate) fn internal() -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the host failed; its log tells more")
    }

    /// What a limit does not allow, of that name: the place in the body, and how much it may be. The empty pointer is the body as a whole.
    pub(crate) fn too_large(pointer: &str, message: impl Into<String>, limit: &'static str) -> Problem {
        Problem::field(StatusCode::PAYLOAD_TOO_LARGE, FieldError::body(pointer, message)).with_limit(limit)
    }

    /// A problem with one field.
    pub(crate) fn field(status: StatusCode, error: FieldError) -> Problem {
        let mut problem = Problem::new(status, error.sentence());
        problem.0.document.errors.push(error);
        problem
    }

    /// Adds what a program branches on.
    pub(crate) fn with_code(mut self, code: &'static str) -> Problem {
        self.0.document.code = Some(code);
        self
    }

    /// Adds the name of the limit that was met.
    pub(crate) fn with_limit(mut self, limit: &'static str) -> Problem {
        self.0.document.limit = Some(limit);
        self
    }

    /// Adds a member of its own.
    pub(crate) fn with_member(mut self, name: &'static str, value: impl Serialize) -> Problem {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.document.members.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.0.headers.push((name, value));
        self
    }

    /// Says when trying again may help.
    pub(crate) fn retry_after(self, seconds: u16) -> Problem {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Its status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Its document.
    pub(crate) fn document(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0.document).expect("a problem document is texts and numbers")
    }

    /// The answer.
    pub(crate) fn answer(self) -> Response<Full<Bytes>> {
        let mut answer = Response::new(Full::new(Bytes::from(self.document())));
        *answer.status_mut() = self.0.status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.0.headers {
            headers.insert(name, value);
        }
        answer
    }
}

/// 422 for a field of the body that can be read but means nothing, else 400.
impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Problem {
        let status = match error.place {
            Place::Pointer(_) if !error.is_unreadable => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        };
        Problem::field(status, error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        self.answer().map(axum::body::Body::new)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn shown(problem: Problem) -> String {
        String::from_utf8(problem.document()).expect("JSON")
    }

    #[test]
    fn documents_name_the_field() {
        let problem = Problem::from(FieldError::body("/headers/Host", "is set by the host"));
        expect![[r#"{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"/headers/Host: is set by the host","errors":[{"pointer":"/headers/Host","message":"is set by the host"}]}"#]]
            .assert_eq(&shown(problem));
        let problem = Problem::from(FieldError::parameter("state", "unknown"));
        expect![[r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"state: unknown","errors":[{"parameter":"state","message":"unknown"}]}"#]]
            .assert_eq(&shown(problem));
    }

    #[test]
    fn what_a_client_has_sent_is_told_in_part() {
        let long = "é".repeat(1_000_000);
        for error in [FieldError::body(&long, &long), FieldError::parameter(&long, &long)] {
            assert!(shown(error.into()).len() < 5 * TOLD_BYTES_MAX);
        }
    }

    #[test]
    fn headers_and_limits() {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many")
            .with_limit("integrations_max")
            .retry_after(5);
        expect![[r#"{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"too many","limit":"integrations_max"}"#]]
            .assert_eq(&shown(problem));
        let answer = Problem::internal().retry_after(5).answer();
        assert_eq!(answer.headers()[header::RETRY_AFTER], "5");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
