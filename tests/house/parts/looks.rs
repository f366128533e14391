//! Looking at a host from without: the problems that it tells, and its end.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Answer;
use super::host::{Host, text};

/// Between two looks at a process, which tells nobody but its parent of its end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A problem document by RFC 9457 with that status, which names that place: a JSON Pointer into the body, `?name` for a parameter of the
/// query, or `-` for none.
#[track_caller]
pub fn problem(answer: &Answer, status: u16, place: &str) -> Value {
    let shown = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{shown}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{shown}");
    let document = answer.json();
    assert_eq!(
        (&document["status"], &document["type"]),
        (&json!(status), &json!("about:blank")),
        "{shown}"
    );
    assert!(
        !text(&document, "/title").is_empty() && !text(&document, "/detail").is_empty(),
        "{shown}"
    );
    let named = match document["errors"].as_array().map(Vec::as_slice) {
        None => "-".to_owned(),
        Some([error]) if error["parameter"].is_string() => format!("?{}", text(error, "/parameter")),
        Some([error]) => text(error, "/pointer").to_owned(),
        Some(errors) => panic!("{errors:?}"),
    };
    assert_eq!(named, place, "{shown}");
    document
}

/// How a host ended, which it does within that time.
pub async fn ends_within(host: &mut Host, most: Duration) -> ExitStatus {
    let deadline = Instant::now() + most;
    loop {
        if let Some(status) = host.has_ended() {
            return status;
        }
        assert!(Instant::now() < deadline, "the host still runs after {most:?}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
