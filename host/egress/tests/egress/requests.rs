//! What goes over the wire.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, USER_AGENT};
use http::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use crate::server::{Received, Server, read_request, wait_for_end};
use crate::{client, post, response};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that answers 200, and what it received.
async fn recording() -> (Server, mpsc::Receiver<Received>) {
    let (sender, receiver) = mpsc::channel(16);
    let server = Server::start(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            while let Some(received) = read_request(&mut stream).await {
                sender.send(received).await.expect("the test listens");
                stream.write_all(OK.as_bytes()).await.expect("writes");
            }
        }
    })
    .await;
    (server, receiver)
}

#[tokio::test]
async fn a_request_byte_for_byte() {
    let (server, mut received) = recording().await;
    let mut outgoing = post(&server.url("/alfred/document_predict?a=b%20c"));
    outgoing.headers.insert("webhook-id", HeaderValue::from_static("dlv_1"));
    let answer = client().send(outgoing).await;
    assert!(answer.is_success());
    assert!(!answer.reused_connection);
    assert!(answer.duration_us > 0);
    let response = response(answer);
    assert_eq!((response.status, &*response.body), (StatusCode::OK, &b"ok"[..]));
    let Received { head, body } = received.recv().await.expect("it arrived");
    let port = server.address.port();
    assert_eq!(
        head,
        format!(
            "POST /alfred/document_predict?a=b%20c HTTP/1.1\r\n\
             host: 127.0.0.1:{port}\r\n\
             content-type: application/json\r\n\
             webhook-id: dlv_1\r\n\
             user-agent: Hookmill/0.1\r\n\
             content-length: 2\r\n\r\n"
        )
    );
    assert_eq!(body, b"{}");
}

#[tokio::test]
async fn framing_is_the_clients_own_and_the_user_agent_is_not() {
    let (server, mut received) = recording().await;
    let mut outgoing = post(&server.url("/"));
    outgoing.method = Method::DELETE;
    outgoing.body = Bytes::new();
    for (name, value) in [
        (CONTENT_LENGTH, "999"),
        (TRANSFER_ENCODING, "chunked"),
        (USER_AGENT, "Ours/2"),
        (http::header::HOST, "evil.example"),
    ] {
        outgoing.headers.insert(name, HeaderValue::from_static(value));
    }
    assert!(client().send(outgoing).await.is_success());
    let head = received.recv().await.expect("it arrived").head;
    let port = server.address.port();
    assert_eq!(
        head,
        format!(
            "DELETE / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n\
             user-agent: Ours/2\r\ncontent-length: 0\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let (server, mut received) = recording().await;
    let body: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut outgoing = post(&server.url("/"));
    outgoing.body = body.clone().into();
    let client = client();
    let (answer, received) = tokio::join!(client.send(outgoing), received.recv());
    assert!(answer.is_success());
    assert!(received.expect("it arrived").body == body);
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_counts() {
    // More than socket buffers hold, to a receiver that reads none of it until it has answered.
    let server = Server::start(|mut stream, _| async move {
        let answer = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
        stream.write_all(answer).await.expect("writes");
        wait_for_end(&mut stream).await;
    })
    .await;
    let mut outgoing = post(&server.url("/"));
    outgoing.body = vec![b' '; 16_000_000].into();
    let client = client();
    let response = response(client.send(outgoing).await);
    assert_eq!(response.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(&*response.body, b"big");
}

/// A receiver may answer as it reads: the rest of the request goes out while the response comes.
#[tokio::test]
async fn a_request_goes_on_under_its_response() {
    let (arrived, mut has_arrived) = mpsc::channel(1);
    let server = Server::start(move |mut stream, _| {
        let arrived = arrived.clone();
        async move {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n";
            stream.write_all(head).await.expect("writes");
            let received = read_request(&mut stream).await.expect("all of it comes");
            let _ = arrived.send(received.body.len()).await;
            stream.write_all(b"0\r\n\r\n").await.expect("writes");
            wait_for_end(&mut stream).await;
        }
    })
    .await;
    let mut outgoing = post(&server.url("/"));
    outgoing.body = vec![b' '; 16_000_000].into();
    let patient = hookmill_egress::ClientConfig {
        success_body_timeout: crate::PATIENCE,
        ..crate::config()
    };
    let client = hookmill_egress::Client::new(patient);
    let response = response(client.send(outgoing).await);
    assert_eq!(
        (response.body_end, &*response.body),
        (hookmill_egress::BodyEnd::Complete, &b"ok"[..])
    );
    assert_eq!(has_arrived.recv().await, Some(16_000_000));
}

#[tokio::test]
async fn dropping_the_future_ends_the_attempt() {
    let (reading, mut was_read) = mpsc::channel(1);
    let (ended, mut has_ended) = mpsc::channel(1);
    let server = Server::start(move |mut stream, _| {
        let (reading, ended) = (reading.clone(), ended.clone());
        async move {
            read_request(&mut stream).await;
            reading.send(()).await.expect("the test listens");
            wait_for_end(&mut stream).await;
            ended.send(()).await.expect("the test listens");
        }
    })
    .await;
    let client = client();
    let mut sending = Box::pin(client.send(post(&server.url("/"))));
    tokio::select! {
        _ = &mut sending => panic!("nobody answers"),
        _ = was_read.recv() => {}
    }
    drop(sending);
    has_ended.recv().await.expect("the connection ended");
}
