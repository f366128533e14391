//! What shall be sent: requests, and how to build them.
//!
//! A request never names an origin, a credential or a signature: the host adds the target's URL and headers after the
//! plugin has run.

use serde::Serialize;

use crate::Error;

/// One HTTP request owed to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is sent, with the content type that goes with it.
    pub body: Body,
    /// The target's name; the integration's default target if none is named.
    pub target: Option<String>,
    /// `POST` unless said otherwise.
    pub method: Method,
    /// Appended below the target's own path; begins with `/`.
    pub path: Option<String>,
    /// Appended to the target's own query; a key that the target's URL sets is refused.
    pub query: Vec<(String, String)>,
    /// Further headers; one that the target sets or that is the host's is refused.
    pub headers: Vec<(String, String)>,
    /// In place of the body's own content type.
    pub content_type: Option<String>,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// JSON text, sent as it is: `application/json`.
    Json(String),
    /// Text: `text/plain; charset=utf-8`.
    Text(String),
    /// Anything else: `application/octet-stream`.
    Bytes(Vec<u8>),
}

/// The methods that a delivery may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Request {
    /// A request with this body, to the default target.
    pub fn new(body: Body) -> Self {
        Self {
            body,
            target: None,
            method: Method::Post,
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            content_type: None,
        }
    }

    /// A request whose body is this value as JSON.
    ///
    /// # Errors
    /// When the value has no JSON form, as a map whose keys are no strings.
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        Ok(Self::new(Body::Json(serde_json::to_string(value)?)))
    }

    /// A request whose body is JSON already. It is sent as it is, unread.
    pub fn raw_json(text: impl Into<String>) -> Self {
        Self::new(Body::Json(text.into()))
    }

    /// A request whose body is text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Body::Text(text.into()))
    }

    /// A request whose body is bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Body::Bytes(bytes.into()))
    }

    /// Sends it to a named target instead of the default one.
    #[must_use]
    pub fn target(mut self, name: impl Into<String>) -> Self {
        self.target = Some(name.into());
        self
    }

    /// Uses another method than `POST`.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Appends a path below the target's own; it begins with `/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Adds a query key and its value; the host escapes both.
    #[must_use]
    pub fn query(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the content type, in place of the body's own.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }
}
