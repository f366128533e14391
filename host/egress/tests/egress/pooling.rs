//! Connections serve more than one request, and none that is dead or another organization's.

use std::sync::Arc;

use hookmill_domain::target::TargetUrl;
use hookmill_egress::{Endpoint, FailureCode};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use crate::server::{Server, read_request, wait_for_end};
use crate::{client, failure, post};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn one_after_the_other_share_a_connection() {
    for answer in [
        OK,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        "HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 0\r\n\r\n",
    ] {
        let server = Server::answering(answer).await;
        let client = client();
        for number in 0..10 {
            let answer = client.send(post(&server.url("/"))).await;
            assert!(answer.result.is_ok());
            assert_eq!(answer.reused_connection, number > 0);
        }
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_receiver_that_closes_is_believed() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let server = Server::answering(answer).await;
        let client = client();
        for _ in 0..3 {
            let answer = client.send(post(&server.url("/"))).await;
            assert!(answer.is_success());
            assert!(!answer.reused_connection);
        }
        assert_eq!(server.connections(), 3);
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let (closed, mut is_closed) = mpsc::channel(1);
    let server = Server::start(move |mut stream, number| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.expect("writes");
            if number == 0 {
                drop(stream);
                closed.send(()).await.expect("the test listens");
            } else {
                wait_for_end(&mut stream).await;
            }
        }
    })
    .await;
    let client = client();
    assert!(client.send(post(&server.url("/"))).await.is_success());
    is_closed.recv().await.expect("the server closed");
    // The runtime looks for news of its sockets before it goes on here.
    tokio::task::yield_now().await;
    let answer = client.send(post(&server.url("/"))).await;
    assert!(answer.is_success(), "{answer:?}");
    assert!(!answer.reused_connection);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_request_that_may_have_been_processed_is_not_sent_again() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.expect("writes");
        // It takes the second one and hangs up without a word.
        read_request(&mut stream).await;
    })
    .await;
    let client = client();
    assert!(client.send(post(&server.url("/"))).await.is_success());
    let answer = client.send(post(&server.url("/"))).await;
    assert!(answer.reused_connection);
    failure(answer, FailureCode::Reset);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn organizations_do_not_share() {
    let server = Server::answering(OK).await;
    let client = client();
    let target = TargetUrl::parse(&server.url("/")).expect("valid");
    for organization in [1, 2, 1, 2] {
        let mut outgoing = post(&server.url("/"));
        outgoing.endpoint = Endpoint::new(organization, &target);
        assert!(client.send(outgoing).await.is_success());
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_on_few_connections() {
    const AT_ONCE: usize = 32;
    const EACH: usize = 50;
    let server = Server::answering(OK).await;
    let client = Arc::new(client());
    let url = server.url("/");
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, url) = (Arc::clone(&client), url.clone());
        workers.spawn(async move {
            for _ in 0..EACH {
                let answer = client.send(post(&url)).await;
                assert!(answer.is_success(), "{answer:?}");
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("a worker");
    }
    assert!(server.connections() <= AT_ONCE);
}

#[tokio::test]
async fn a_closed_client_keeps_nothing() {
    let server = Server::answering(OK).await;
    let client = client();
    assert!(client.send(post(&server.url("/"))).await.is_success());
    client.close().await;
    for _ in 0..2 {
        let answer = client.send(post(&server.url("/"))).await;
        assert!(answer.is_success() && !answer.reused_connection);
    }
    assert_eq!(server.connections(), 3);
}

/// An answer that came before the receiver had the whole request says nothing of what it makes of the rest.
#[tokio::test]
async fn a_connection_whose_request_was_not_read_whole_is_not_used_again() {
    let server = Server::start(|mut stream, number| async move {
        if number > 0 {
            read_request(&mut stream).await;
        }
        stream.write_all(OK.as_bytes()).await.expect("writes");
        wait_for_end(&mut stream).await;
    })
    .await;
    let client = client();
    let mut large = post(&server.url("/"));
    large.body = vec![b' '; 16_000_000].into();
    assert!(client.send(large).await.is_success());
    let answer = client.send(post(&server.url("/"))).await;
    assert!(answer.is_success() && !answer.reused_connection);
    assert_eq!(server.connections(), 2);
}

/// What comes between two requests is an answer to neither.
#[tokio::test]
async fn what_was_not_asked_for_is_no_answer() {
    let may_say = Arc::new(tokio::sync::Notify::new());
    let (said, mut has_said) = mpsc::channel(1);
    let told = may_say.clone();
    let server = Server::start(move |mut stream, _| {
        let (said, told) = (said.clone(), told.clone());
        async move {
            while read_request(&mut stream).await.is_some() {
                stream.write_all(OK.as_bytes()).await.expect("writes");
                told.notified().await;
                let unasked = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(unasked).await.expect("writes");
                let _ = said.send(()).await;
            }
        }
    })
    .await;
    let other = Server::answering(OK).await;
    let client = client();
    for number in 1..=3 {
        let answer = client.send(post(&server.url("/"))).await;
        assert!(answer.is_success(), "{answer:?}");
        assert_eq!(server.connections(), number);
        // It comes when the connection has long gone back.
        may_say.notify_one();
        has_said.recv().await.expect("it says so");
        assert!(
            client.send(post(&other.url("/"))).await.is_success(),
            "what has come meanwhile is known"
        );
    }
}

/// A connection at rest holds nothing of what it has carried.
#[tokio::test]
async fn what_was_sent_is_let_go() {
    let server = Server::answering(OK).await;
    let client = client();
    let body = bytes::Bytes::from(vec![b' '; 1_000_000]);
    let mut large = post(&server.url("/"));
    large.body = body.clone();
    assert!(client.send(large).await.is_success());
    assert!(body.is_unique());
    assert!(client.send(post(&server.url("/"))).await.reused_connection, "it was kept");
}
