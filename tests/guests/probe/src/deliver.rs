//! Requests as a test words them.

use hookmill_plugin::{Method, Request, Result};
use serde::Deserialize;

/// A request; without a body it is empty text. JSON is given as text, and may be none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    json: Option<String>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    target: Option<String>,
    method: Option<String>,
    path: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    content_type: Option<String>,
}

impl Wanted {
    pub(crate) fn request(self) -> Result<Request> {
        let mut request = match (self.json, self.bytes) {
            (Some(json), _) => Request::raw_json(json),
            (None, Some(bytes)) => Request::bytes(bytes),
            (None, None) => Request::text(self.text.unwrap_or_default()),
        };
        request.method = match self.method.as_deref() {
            None | Some("post") => Method::Post,
            Some("put") => Method::Put,
            Some("patch") => Method::Patch,
            Some("delete") => Method::Delete,
            Some(other) => return Err(format!("no method {other}").into()),
        };
        Ok(Request {
            target: self.target,
            path: self.path,
            query: self.query,
            headers: self.headers,
            content_type: self.content_type,
            ..request
        })
    }
}
