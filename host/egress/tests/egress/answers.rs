//! What comes back, honest or not.

use std::time::Duration;

use hookmill_egress::{BodyEnd, Client, ClientConfig, FailureCode, Stream};
use http::StatusCode;
use tokio::io::AsyncWriteExt as _;

use crate::server::{Server, read_request, wait_for_end};
use crate::{PATIENCE, client, config, failure, post, response};

#[tokio::test]
async fn every_status_is_an_answer_and_only_2xx_a_success() {
    for (status, is_success) in [
        (200, true),
        (202, true),
        (204, true),
        (299, true),
        (300, false),
        (304, false),
        (400, false),
        (410, false),
        (500, false),
        (599, false),
        (999, false),
    ] {
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        let server = Server::saying_once(head).await;
        let answer = client().send(post(&server.url("/"))).await;
        assert_eq!(answer.is_success(), is_success, "{status}");
        let response = response(answer);
        assert_eq!(response.status, status);
        assert_eq!(response.body_end, BodyEnd::Complete);
        assert!(!response.body_is_cut);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("/");
        let server = Server::saying_once(format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        let answer = client().send(post(&server.url("/"))).await;
        assert_eq!(response(answer).status, status);
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn informational_answers_are_passed_over() {
    let server = Server::saying_once(
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
         HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let answer = client().send(post(&server.url("/"))).await;
    assert_eq!(response(answer).status, StatusCode::CREATED);
}

#[tokio::test]
async fn as_much_of_a_body_is_kept_as_is_of_use() {
    for (status, kept) in [(200, 1024), (500, 16 * 1024)] {
        let body = "b".repeat(40_000);
        let server = Server::saying_once(format!("HTTP/1.1 {status} x\r\ncontent-length: 40000\r\n\r\n{body}")).await;
        let response = response(client().send(post(&server.url("/"))).await);
        assert_eq!(response.body.len(), kept);
        assert!(response.body_is_cut);
        assert_eq!(response.body_end, BodyEnd::Complete);
    }
}

#[tokio::test]
async fn informational_answers_come_to_an_end() {
    let early = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
    let server = Server::saying_once(format!("{early}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    failure(client().send(post(&server.url("/"))).await, FailureCode::Protocol);
    // A protocol that nobody has asked for is an answer, and no success.
    let server = Server::answering("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nx").await;
    let client = client();
    for number in 1..=2 {
        let answer = response(client.send(post(&server.url("/"))).await);
        assert_eq!((answer.status.as_u16(), answer.body.len()), (101, 0));
        assert_eq!(server.connections(), number);
    }
}

#[tokio::test]
async fn empty_lines_before_an_answer_come_to_an_end() {
    for (lines, is_answer) in [(1, true), (8, true), (9, false), (60_000, false)] {
        for line in ["\n", "\r\n"] {
            let lines = line.repeat(lines);
            let server = Server::saying_once(format!("{lines}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
            let answer = client().send(post(&server.url("/"))).await;
            if is_answer {
                assert!(answer.is_success());
            } else {
                failure(answer, FailureCode::Protocol);
            }
        }
    }
}

/// However an answer is cut into pieces on its way, it is the same answer.
#[tokio::test]
async fn an_answer_may_come_byte_by_byte() {
    const ANSWER: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\n\r\n\
        5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nx: y\r\n\r\n";
    let server = Server::start(|mut stream, _| async move {
        stream.set_nodelay(true).expect("a socket option");
        while read_request(&mut stream).await.is_some() {
            for byte in ANSWER {
                stream.write_all(&[*byte]).await.expect("writes");
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    let client = client();
    for _ in 0..3 {
        let answer = response(client.send(post(&server.url("/"))).await);
        assert_eq!((answer.status.as_u16(), &*answer.body), (503, &b"hello world"[..]));
        assert_eq!(
            (answer.retry_after, answer.body_end),
            (Some(Duration::from_secs(7)), BodyEnd::Complete)
        );
    }
    assert_eq!(server.connections(), 1);
}

/// Answers with a head and a beginning, then keeps the connection open in silence.
async fn stalling(beginning: &'static str) -> Server {
    Server::start(move |mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(beginning.as_bytes()).await.expect("writes");
        wait_for_end(&mut stream).await;
    })
    .await
}

fn impatient() -> Client {
    let attempt_timeout = Duration::from_millis(300);
    Client::new(ClientConfig {
        attempt_timeout,
        ..config()
    })
}

#[tokio::test]
async fn a_body_that_stalls_undoes_nothing() {
    let server = stalling("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    let client = Client::new(ClientConfig {
        success_body_timeout: Duration::from_millis(50),
        ..config()
    });
    let answer = client.send(post(&server.url("/"))).await;
    assert!(
        u128::from(answer.duration_us) < PATIENCE.as_micros(),
        "cut before the attempt's end"
    );
    let ok = response(answer);
    assert_eq!((ok.status, ok.body_end), (StatusCode::OK, BodyEnd::Stalled));
    assert_eq!((&*ok.body, ok.body_is_cut), (&b"half"[..], true));
    // What was cut is not used again.
    client.send(post(&server.url("/"))).await;
    assert_eq!(server.connections(), 2);

    let server = stalling("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n").await;
    let no = response(impatient().send(post(&server.url("/"))).await);
    assert_eq!(no.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!((&*no.body, no.body_end), (&b"no"[..], BodyEnd::Stalled));
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    for head in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let server = Server::start(move |mut stream, _| async move {
            read_request(&mut stream).await;
            stream.write_all(head.as_bytes()).await.expect("writes");
            let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
        })
        .await;
        let response = response(client().send(post(&server.url("/"))).await);
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.body_end, BodyEnd::TooLong);
        assert_eq!((response.body.len(), response.body_is_cut), (1024, true));
    }
}

#[tokio::test]
async fn lies_about_the_length_undo_nothing() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ] {
        let server = Server::saying_once(answer).await;
        let answer = client().send(post(&server.url("/"))).await;
        assert!(answer.is_success());
        let response = response(answer);
        assert_eq!(&*response.body, b"short");
        assert_eq!((response.body_end, response.body_is_cut), (BodyEnd::Broken, true));
    }
    // Longer than it says: the rest is not of this response, and the connection is not used again.
    let server = Server::saying_once("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500").await;
    let client = client();
    for _ in 0..2 {
        let response = response(client.send(post(&server.url("/"))).await);
        assert_eq!((response.status, &*response.body), (StatusCode::OK, &b"ok"[..]));
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_ends_before_the_status_line_is_a_reset() {
    let closing = Server::saying_once("").await;
    failure(client().send(post(&closing.url("/"))).await, FailureCode::Reset);
    let half_a_line = Server::saying_once("HTTP/1.1 2").await;
    failure(client().send(post(&half_a_line.url("/"))).await, FailureCode::Reset);
    let resetting = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.set_zero_linger().expect("a socket option");
    })
    .await;
    failure(client().send(post(&resetting.url("/"))).await, FailureCode::Reset);
    // It hangs up without having read the request.
    let deaf = Server::start(|stream, _| async move { drop(stream) }).await;
    failure(client().send(post(&deaf.url("/"))).await, FailureCode::Reset);
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(),
        "HTTP/1.1 abc\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(100_000)),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000)),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
    ] {
        let server = Server::saying_once(answer).await;
        let answer = client().send(post(&server.url("/"))).await;
        failure(answer, FailureCode::Protocol);
    }
}

#[tokio::test]
async fn nobody_answers() {
    let server = stalling("").await;
    let answer = impatient().send(post(&server.url("/"))).await;
    assert!(answer.duration_us >= 300_000);
    let timeout = failure(answer, FailureCode::Timeout);
    assert_eq!(timeout.detail, "no answer within 300 ms");
    // An attempt may have a time of its own; a head that drips does not extend it.
    let dripping = stalling("HTTP/1.1 200 OK\r\nx:").await;
    let mut outgoing = post(&dripping.url("/"));
    outgoing.timeout = Some(Duration::from_millis(100));
    let timeout = failure(client().send(outgoing).await, FailureCode::Timeout);
    assert_eq!(timeout.detail, "no answer within 100 ms");
}

#[tokio::test]
async fn nobody_listens() {
    let server = stalling("").await;
    let url = server.url("/");
    let address = server.address;
    drop(server);
    // The listener ends with its task, which has been told to.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let refused = failure(client().send(post(&url)).await, FailureCode::Connect);
    assert!(refused.detail.contains("refused"), "{refused}");
}

#[tokio::test]
async fn the_receiver_asks_to_wait() {
    for (field, seconds) in [
        ("retry-after: 7\r\n", Some(7)),
        ("Retry-After: Tue, 14 Nov 2023 22:14:20 GMT\r\n", Some(60)),
        ("retry-after: 86400\r\n", Some(3600)),
        ("retry-after: later\r\n", None),
        ("", None),
    ] {
        let head = format!("HTTP/1.1 503 Busy\r\n{field}content-length: 0\r\n\r\n");
        let server = Server::saying_once(head).await;
        let response = response(client().send(post(&server.url("/"))).await);
        let asked = response.retry_after.map(|wait| wait.as_secs());
        assert_eq!(asked, seconds, "{field}");
    }
}

async fn piece(stream: &mut Stream) -> bytes::Bytes {
    let piece = tokio::time::timeout(PATIENCE, stream.piece()).await;
    piece.expect("it is there").expect("there is more").expect("it is sound")
}

#[tokio::test]
async fn a_stream_is_read_as_it_comes_and_dropping_it_hangs_up() {
    let (go_on, went_on) = tokio::sync::oneshot::channel::<()>();
    let (hung_up, end) = tokio::sync::oneshot::channel();
    let parts = std::sync::Mutex::new(Some((went_on, hung_up)));
    let server = Server::start(move |mut stream, _| {
        let parts = parts.lock().expect("not poisoned").take();
        async move {
            let (went_on, hung_up) = parts.expect("one connection");
            read_request(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
            stream.write_all(head.as_bytes()).await.expect("written");
            went_on.await.expect("the first piece is read");
            stream.write_all(b"3\r\ntwo\r\n").await.expect("written");
            wait_for_end(&mut stream).await;
            let _ = hung_up.send(());
        }
    })
    .await;
    let client = client();
    let mut stream = client.open(post(&server.url("/"))).await.expect("a head");
    assert_eq!(stream.status(), StatusCode::OK);
    assert_eq!(piece(&mut stream).await, "one");
    go_on.send(()).expect("the server waits");
    assert_eq!(piece(&mut stream).await, "two");
    drop(stream);
    tokio::time::timeout(PATIENCE, end).await.expect("hung up").expect("told");
}

#[tokio::test]
async fn a_stream_that_is_cut_off_does_not_end_well() {
    let server = Server::saying_once("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await;
    let client = client();
    let mut stream = client.open(post(&server.url("/"))).await.expect("a head");
    assert_eq!(piece(&mut stream).await, "one");
    stream
        .piece()
        .await
        .expect("an error")
        .expect_err("the connection ended before the body did");
    let whole = Server::saying_once("HTTP/1.1 404 x\r\ncontent-length: 3\r\n\r\none").await;
    let mut stream = client.open(post(&whole.url("/"))).await.expect("a head");
    assert_eq!(stream.status(), StatusCode::NOT_FOUND);
    assert_eq!(piece(&mut stream).await, "one");
    assert!(stream.piece().await.is_none());
}
