//! Paths, connections, and clients that are slow.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::EVENT;
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::{PATIENCE, Receiver};

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_a_path_are_the_same() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let id = tenant.integration(&receiver.url("/"), json!({})).await;
    let event = text(&tenant.call("POST", "/events/", EVENT).await.expect(202), "/id").to_owned();
    let view = tenant.settled(&event).await;
    let (run, delivery) = (
        text(&view, "/runs/0/id").to_owned(),
        text(&view, "/runs/0/deliveries/0/id").to_owned(),
    );
    for path in [
        "/integrations".to_owned(),
        format!("/integrations/{id}"),
        format!("/integrations/{id}/secret"),
        format!("/events/{event}"),
        "/runs".to_owned(),
        format!("/runs/{run}"),
        "/deliveries".to_owned(),
        format!("/deliveries/{delivery}"),
        format!("/deliveries/{delivery}/attempts"),
        "/organizations/contractfit1".to_owned(),
        "/keys".to_owned(),
        "/healthz".to_owned(),
        "/readyz".to_owned(),
    ] {
        let plain = tenant.get(&path).await.expect(200);
        assert_eq!(tenant.get(&format!("{path}/")).await.expect(200), plain, "{path}");
    }
    assert_eq!(
        tenant.get("/runs/?limit=1").await.expect(200),
        tenant.get("/runs?limit=1").await.expect(200)
    );
    let draft = json!({"type": "webhook", "events": ["document_text"], "target": receiver.url("/")});
    let made = tenant.post("/integrations/", &draft).await.expect(201);
    let path = format!("/integrations/{}/", text(&made, "/id"));
    tenant.patch(&path, &json!({"paused": true})).await.expect(200);
    tenant.call("POST", &format!("{path}resume/"), "").await.expect(202);
    tenant.delete(&path).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests() {
    const REQUESTS: usize = 50;
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let stream = TcpStream::connect(host.operator.address).await.expect("it listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    for number in 0..REQUESTS {
        // Good and bad ones: what is refused does not end the connection either.
        let (method, path, body, status) = match number % 4 {
            0 => ("POST", "/events", EVENT, 202),
            1 => ("POST", "/events", "{", 400),
            2 => ("GET", "/nothing", "", 404),
            _ => ("GET", "/integrations", "", 200),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "a")
            .header("x-api-key", &tenant.key);
        let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("a request");
        sender
            .ready()
            .await
            .unwrap_or_else(|error| panic!("closed before request {number}: {error}"));
        let response = sender
            .send_request(request)
            .await
            .unwrap_or_else(|error| panic!("request {number}: {error}"));
        assert_eq!(response.status(), status, "request {number}");
        response.into_body().collect().await.expect("a body");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_hold_up_nobody() {
    const SLOW: usize = 300;
    let host = Host::start_with(Options::default().with("LIMITS__INTAKE__REQUEST_READ_TIMEOUT_MS", "8000"));
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut stream = TcpStream::connect(host.operator.address).await.expect("it listens");
        let begun = match number % 4 {
            0 => "P".to_owned(),
            1 => String::new(),
            2 => format!("POST /events HTTP/1.1\r\nhost: a\r\nx-api-key: {}\r\n", tenant.key),
            _ => format!(
                "POST /events HTTP/1.1\r\nhost: a\r\nx-api-key: {}\r\ncontent-length: 9000000\r\n\r\n{{",
                tenant.key
            ),
        };
        stream.write_all(begun.as_bytes()).await.expect("written");
        slow.push(stream);
    }
    tenant.settled(&tenant.text_event("d").await).await;
    let still_there = slow.iter().filter(|stream| stream.try_read(&mut [0]).is_err()).count();
    assert_eq!(still_there, SLOW, "others do not wait until the slow ones are sent away");
    // Each of them is sent away when its time is over, with an answer where there is a request to answer.
    let mut answers = Vec::new();
    for stream in &mut slow {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        // Whether it ends by a reset is the system's affair.
        let _ = read.expect("it is sent away in time");
        answers.push(String::from_utf8_lossy(&answer).into_owned());
    }
    let timed_out = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 408")).count();
    assert!(timed_out >= SLOW / 4, "{timed_out} of {SLOW} were told so");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_come_in_pieces() {
    let host = Host::start_with(Options::default().with("LIMITS__INTAKE__EVENT_BODY_BYTES_MAX", "1000"));
    let tenant = host.organization("contractfit1").await;
    let ask = async |request: String| {
        let mut stream = TcpStream::connect(host.operator.address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("the connection ends").expect("it is answered");
        answer
    };
    let head = format!(
        "POST /events HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-api-key: {}\r\n",
        tenant.key
    );
    let chunked = |pieces: &[&str]| {
        let pieces: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
        format!("{head}transfer-encoding: chunked\r\n\r\n{pieces}0\r\n\r\n")
    };
    let answer = ask(chunked(&[&EVENT[..7], &EVENT[7..8], &EVENT[8..]])).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    // Without a length that is told beforehand the limit holds as well.
    let answer = ask(chunked(&[EVENT; 50])).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("event_body_bytes_max"),
        "{answer}"
    );
    // Two lengths are one too many: a proxy before the host might have believed the other one.
    for lengths in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
    ] {
        let answer = ask(format!("{head}{lengths}\r\n0\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{lengths}: {answer}");
    }
    // A client that asks first is told before it sends.
    let answer = ask(format!("{head}expect: 100-continue\r\ncontent-length: 2000\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = ask(format!(
        "POST /events HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        EVENT.len()
    ))
    .await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let answer = ask(format!(
        "POST /events HTTP/1.0\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n{EVENT}",
        tenant.key,
        EVENT.len()
    ))
    .await;
    assert!(answer.starts_with("HTTP/1.0 202"), "{answer}");
    let answer = ask(format!(
        "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {}\r\n\r\n",
        "y".repeat(200_000)
    ))
    .await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    tenant.get("/healthz").await.expect(200);
}
