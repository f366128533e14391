//! TLS, and HTTP/2 over it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmill_egress::{BodyEnd, Client, ClientConfig, FailureCode};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Barrier, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::server::{Server, wait_for_end};
use crate::{config, failure, post, response};

/// A certificate for these names that vouches for itself, and what accepts connections with it.
fn certificate(names: &[&str], alpn: &[&str]) -> (CertificateDer<'static>, TlsAcceptor) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("valid names");
    let der = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![der.clone()], key)
        .expect("they belong together");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (der, TlsAcceptor::from(Arc::new(config)))
}

fn trusting(root: CertificateDer<'static>) -> Client {
    Client::new(ClientConfig {
        extra_roots: vec![root],
        ..config()
    })
}

async fn accepting<F>(acceptor: TlsAcceptor, script: impl Fn(TlsStream<TcpStream>, usize) -> F + Clone + Send + Sync + 'static) -> Server
where
    F: Future<Output = ()> + Send,
{
    Server::start(move |stream, number| {
        let (acceptor, script) = (acceptor.clone(), script.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                script(stream, number).await;
            }
        }
    })
    .await
}

fn url(server: &Server, host: &str, path: &str) -> String {
    format!("https://{host}:{}{path}", server.address.port())
}

/// Answers with what it was asked, once `at_once` requests are there.
async fn echo(request: Request<Incoming>, at_once: Arc<Barrier>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    at_once.wait().await;
    let names: Vec<&str> = head.headers.keys().map(|name| name.as_str()).collect();
    let told = format!("{:?} {} {} {} {}", head.version, head.method, head.uri, names.join(","), body.len());
    Ok(Response::new(Full::from(told)))
}

async fn http2_server(acceptor: TlsAcceptor, at_once: usize) -> Server {
    let barrier = Arc::new(Barrier::new(at_once));
    accepting(acceptor, move |stream, _| {
        let barrier = Arc::clone(&barrier);
        async move {
            let service = service_fn(move |request| echo(request, Arc::clone(&barrier)));
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = serving.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

#[tokio::test]
async fn http1_over_tls() {
    let (root, acceptor) = certificate(&["localhost"], &["http/1.1"]);
    let server = accepting(acceptor, |stream, _| async move {
        let answer = service_fn(|request: Request<Incoming>| async move {
            assert_eq!(request.version(), Version::HTTP_11);
            assert_eq!(request.uri(), "/a?b=c");
            assert!(request.headers().contains_key("host"));
            Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(b"ok"))))
        });
        let serving = hyper::server::conn::http1::Builder::new();
        let _ = serving.serve_connection(TokioIo::new(stream), answer).await;
    })
    .await;
    let client = trusting(root);
    for number in 0..3 {
        let answer = client.send(post(&url(&server, "localhost", "/a?b=c"))).await;
        assert_eq!(answer.reused_connection, number > 0);
        assert_eq!(response(answer).status, StatusCode::OK);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn http2_where_the_receiver_speaks_it() {
    let (root, acceptor) = certificate(&["localhost", "127.0.0.1"], &["h2", "http/1.1"]);
    let server = http2_server(acceptor, 1).await;
    let client = trusting(root);
    let answer = client.send(post(&url(&server, "localhost", "/a?b=c"))).await;
    let answered = response(answer);
    let port = server.address.port();
    assert_eq!(
        String::from_utf8_lossy(&answered.body),
        format!("HTTP/2.0 POST https://localhost:{port}/a?b=c content-type,user-agent,content-length 2")
    );
    assert_eq!(answered.body_end, BodyEnd::Complete);
    // By address, too: the certificate names it.
    let answer = client.send(post(&url(&server, "127.0.0.1", "/"))).await;
    assert!(answer.is_success(), "{answer:?}");
}

#[tokio::test]
async fn many_at_once_share_one_http2_connection() {
    const AT_ONCE: usize = 50;
    let (root, acceptor) = certificate(&["localhost"], &["h2"]);
    // The server answers none of them before it has all of them.
    let server = http2_server(acceptor, AT_ONCE).await;
    let client = Arc::new(trusting(root));
    let url = url(&server, "localhost", "/");
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, mut outgoing) = (Arc::clone(&client), post(&url));
        outgoing.body = vec![b' '; 100_000].into();
        sending.spawn(async move { client.send(outgoing).await });
    }
    let mut reused = 0;
    while let Some(answer) = sending.join_next().await {
        let answer = answer.expect("a task");
        reused += usize::from(answer.reused_connection);
        assert!(answer.is_success(), "{answer:?}");
    }
    assert_eq!((server.connections(), reused), (1, AT_ONCE - 1));
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_of_the_right_name() {
    let (root, acceptor) = certificate(&["localhost"], &["h2"]);
    let server = http2_server(acceptor, 1).await;
    let (other_root, _) = certificate(&["localhost"], &[]);
    let stranger = trusting(other_root);
    let untrusted = stranger.send(post(&url(&server, "localhost", "/"))).await;
    failure(untrusted, FailureCode::Tls);
    let by_address = trusting(root).send(post(&url(&server, "127.0.0.1", "/"))).await;
    let wrong_name = failure(by_address, FailureCode::Tls);
    assert!(wrong_name.detail.contains("not valid for"), "{wrong_name}");
}

#[tokio::test]
async fn a_handshake_that_hangs_or_breaks() {
    let (root, _) = certificate(&["localhost"], &[]);
    let client = Client::new(ClientConfig {
        connect_timeout: Duration::from_millis(500),
        extra_roots: vec![root],
        ..config()
    });
    let silent = Server::start(|mut stream, _| async move { wait_for_end(&mut stream).await }).await;
    let hanging = client.send(post(&url(&silent, "localhost", "/"))).await;
    let hanging = failure(hanging, FailureCode::Tls);
    assert_eq!(hanging.detail, "the handshake did not end in time");
    let plain = Server::start(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        wait_for_end(&mut stream).await;
    })
    .await;
    let broken = client.send(post(&url(&plain, "localhost", "/"))).await;
    failure(broken, FailureCode::Tls);
}

/// Serves HTTP/2 by hand: the first connection does `fault` to its second request, later ones answer.
async fn faulty_http2(
    fault: fn(&mut h2::server::Connection<TlsStream<TcpStream>, Bytes>, h2::server::SendResponse<Bytes>),
) -> (CertificateDer<'static>, Server, mpsc::Receiver<usize>) {
    let (root, acceptor) = certificate(&["localhost"], &["h2"]);
    let (seen, seeing) = mpsc::channel(16);
    let server = accepting(acceptor, move |stream, number| {
        let seen = seen.clone();
        async move {
            let mut connection = h2::server::handshake(stream).await.expect("speaks HTTP/2");
            let mut requests = 0;
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                requests += 1;
                seen.send(number).await.expect("the test listens");
                if number == 0 && requests == 2 {
                    fault(&mut connection, respond);
                } else {
                    respond.send_response(Response::new(()), true).expect("the stream is open");
                }
            }
        }
    })
    .await;
    (root, server, seeing)
}

#[tokio::test]
async fn a_refused_stream_is_sent_again() {
    let (root, server, mut seen) = faulty_http2(|_, mut respond| respond.send_reset(h2::Reason::REFUSED_STREAM)).await;
    let client = trusting(root);
    let url = url(&server, "localhost", "/");
    for _ in 0..2 {
        let answer = client.send(post(&url)).await;
        assert!(answer.is_success(), "{answer:?}");
    }
    // The second one went to the first connection, then to a new one.
    let order = [seen.recv().await, seen.recv().await, seen.recv().await];
    assert_eq!(order, [Some(0), Some(0), Some(1)]);
}

#[tokio::test]
async fn a_reset_stream_is_not_sent_again() {
    let (root, server, _seen) = faulty_http2(|_, mut respond| respond.send_reset(h2::Reason::INTERNAL_ERROR)).await;
    let client = trusting(root);
    let url = url(&server, "localhost", "/");
    assert!(client.send(post(&url)).await.is_success());
    failure(client.send(post(&url)).await, FailureCode::Reset);
    assert!(client.send(post(&url)).await.is_success());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_says_good_bye_is_replaced() {
    let (root, server, _seen) = faulty_http2(|connection, mut respond| {
        respond.send_response(Response::new(()), true).expect("the stream is open");
        connection.graceful_shutdown();
    })
    .await;
    let client = trusting(root);
    let url = url(&server, "localhost", "/");
    for _ in 0..10 {
        let answer = client.send(post(&url)).await;
        assert!(answer.is_success(), "{answer:?}");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn closing_the_client_ends_its_http2_connections() {
    let (root, acceptor) = certificate(&["localhost"], &["h2"]);
    let (ended, mut has_ended) = mpsc::channel(1);
    let server = accepting(acceptor, move |stream, _| {
        let ended = ended.clone();
        async move {
            let service = service_fn(|_| async { Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::default())) });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = serving.serve_connection(TokioIo::new(stream), service).await;
            ended.send(()).await.expect("the test listens");
        }
    })
    .await;
    let client = trusting(root);
    let answer = client.send(post(&url(&server, "localhost", "/"))).await;
    assert!(answer.is_success());
    client.close().await;
    has_ended.recv().await.expect("the connection ended");
}
