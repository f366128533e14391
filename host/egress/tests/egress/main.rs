//! The client against real servers on loopback, well-behaved and otherwise.

mod answers;
mod encrypted;
mod pooling;
mod refusals;
mod requests;
mod server;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::target::TargetUrl;
use hookmill_egress::{Answer, Client, ClientConfig, Endpoint, Failure, FailureCode, Outgoing, Response};
use http::Method;
use http::header::CONTENT_TYPE;

/// 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000;

/// Long for a test that passes; a test whose subject is time sets its own.
const PATIENCE: Duration = Duration::from_secs(10);

fn config() -> ClientConfig {
    ClientConfig {
        attempt_timeout: PATIENCE,
        ..ClientConfig::default()
    }
}

fn client() -> Client {
    Client::new(config())
}

fn policy(entries: &[&str]) -> Arc<AddressPolicy> {
    Arc::new(AddressPolicy::parse(entries).expect("the test names networks"))
}

/// `POST {}` as JSON to the URL, with loopback allowed.
fn post(url: &str) -> Outgoing {
    let target = TargetUrl::parse(url).expect("the test names a valid target");
    let endpoint = Endpoint::new(1, &target);
    let mut headers = endpoint.headers(1);
    headers.insert(CONTENT_TYPE, "application/json".parse().expect("valid"));
    Outgoing {
        path_and_query: target.join(None, &[]).expect("short enough"),
        endpoint,
        method: Method::POST,
        headers,
        body: Bytes::from_static(b"{}"),
        timeout: None,
        policy: policy(&["loopback"]),
        wall_seconds: NOW,
    }
}

#[track_caller]
fn response(answer: Answer) -> Response {
    answer.result.expect("a status line came back")
}

#[track_caller]
fn failure(answer: Answer, code: FailureCode) -> Failure {
    let failure = answer.result.expect_err("no status line came back");
    assert_eq!(failure.code, code, "{failure}");
    assert!(!failure.local_fault, "{failure}");
    failure
}
