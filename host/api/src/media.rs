//! Content types of bodies. What `curl` says of a body when it is not told otherwise is taken as well: it is never meant.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::problem::Problem;

const CURL_DEFAULT: &str = "application/x-www-form-urlencoded";

/// What a body says that it is, in lower case and without parameters; empty if it says nothing.
pub(crate) fn essence(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Refuses a body that says it is something other than JSON or, of a `PATCH`, a merge patch.
pub(crate) fn need_json(headers: &HeaderMap) -> Result<(), Problem> {
    need(headers, &["application/json", "application/merge-patch+json"])
}

/// Refuses a body that says it is something other than a component.
pub(crate) fn need_wasm(headers: &HeaderMap) -> Result<(), Problem> {
    need(headers, &["application/wasm", "application/octet-stream"])
}

/// Whether a body says that it is a line of JSON for each event.
pub(crate) fn is_lines(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_TYPE) && matches!(essence(headers).as_str(), "application/x-ndjson" | "application/ndjson")
}

/// Refuses a body that is compressed: it would be taken for what it is not.
pub(crate) fn need_plain(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    // RFC 9110, section 15.5.16: the answer says which codings would do.
    let problem = Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content-encoding: the body must not be compressed",
    );
    Err(problem.with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")))
}

fn need(headers: &HeaderMap, known: &[&str]) -> Result<(), Problem> {
    need_plain(headers)?;
    let essence = essence(headers);
    if essence.is_empty() || essence == CURL_DEFAULT || known.contains(&essence.as_str()) {
        return Ok(());
    }
    let detail = format!("the body must be {}", known.join(" or "));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))])
    }

    #[test]
    fn compressed_bodies_are_refused() {
        let coded = |coding: &'static str| HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))]);
        assert!(need_plain(&HeaderMap::new()).is_ok() && need_plain(&coded("Identity")).is_ok());
        assert!(need_plain(&coded("gzip")).is_err() && need_json(&coded("gzip")).is_err() && need_wasm(&coded("br")).is_err());
    }

    #[test]
    fn content_types() {
        assert!(need_json(&HeaderMap::new()).is_ok());
        assert!(need_json(&headers("Application/JSON; charset=utf-8")).is_ok());
        assert!(need_json(&headers("application/merge-patch+json")).is_ok());
        assert!(need_json(&headers("application/json-patch+json")).is_err());
        assert!(need_json(&headers("text/xml")).is_err());
        assert!(need_wasm(&headers("application/wasm")).is_ok());
        assert!(need_wasm(&headers("multipart/form-data; boundary=x")).is_err());
        assert!(is_lines(&headers("application/x-ndjson")) && !is_lines(&headers("application/json")) && !is_lines(&HeaderMap::new()));
    }
}
