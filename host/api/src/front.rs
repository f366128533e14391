//! The first to see a request: `POST /events` goes its short way, everything else goes to the router. Both get the path without a trailing
//! slash.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tower::Service as _;

use crate::problem::Problem;
use crate::reception::Reception;
use crate::{events, router};

/// What an answer's body is: whole on the short way, axum's elsewhere.
pub(crate) type Answer = Response<Either<Full<Bytes>, axum::body::Body>>;

/// Shared by all requests.
pub(crate) struct Front {
    reception: Reception,
    router: Router,
}

impl Front {
    /// Answers for that reception.
    pub(crate) fn new(reception: Reception) -> Front {
        Front {
            router: router::router(reception.clone()),
            reception,
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Answer {
        if is_events(request.uri().path()) {
            let answer = match *request.method() {
                Method::POST => events::post::post(&self.reception, request).await,
                _ => only_post(),
            };
            return answer.map(Either::Left);
        }
        if let Some(uri) = without_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        let answer: Result<_, Infallible> = self.router.clone().call(request).await;
        match answer {
            Ok(answer) => answer.map(Either::Right),
        }
    }
}

fn is_events(path: &str) -> bool {
    path == "/events" || path == "/events/"
}

fn only_post() -> Response<Full<Bytes>> {
    let mut answer = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "events are posted here, and read one by one at /events/{id}",
    )
    .answer();
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    answer
}

/// The same place without its trailing slash; `None` if it has none.
fn without_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes() {
        let check = |uri: &'static str| without_slash(&Uri::from_static(uri)).map(|uri| uri.to_string());
        assert_eq!(check("/"), None);
        assert_eq!(check("/runs"), None);
        assert_eq!(check("/runs/").as_deref(), Some("/runs"));
        assert_eq!(check("/runs/?state=parked").as_deref(), Some("/runs?state=parked"));
        assert_eq!(check("/runs//").as_deref(), Some("/runs/"), "one slash is forgiven");
        assert_eq!(check("http://host/runs/?a=/").as_deref(), Some("http://host/runs?a=/"));
        assert!(is_events("/events/") && !is_events("/events/x"));
    }
}
