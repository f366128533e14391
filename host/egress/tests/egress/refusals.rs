//! Where no request goes.

use std::net::IpAddr;
use std::sync::Arc;

use hookmill_domain::address::AddressPolicy;
use hookmill_egress::{Client, ClientConfig, FailureCode};

use crate::server::Server;
use crate::{client, config, failure, policy, post, response};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn client_knowing(name: &str, addresses: &[&str]) -> Client {
    let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().expect("the test names addresses")).collect();
    Client::new(ClientConfig {
        fixed_names: [(name.to_owned(), addresses)].into(),
        ..config()
    })
}

#[tokio::test]
async fn loopback_is_refused_in_all_its_spellings() {
    let server = Server::answering(OK).await;
    let port = server.address.port();
    let client = client();
    for (host, detail) in [
        ("127.0.0.1", "127.0.0.1 is a loopback address"),
        ("2130706433", "127.0.0.1 is a loopback address"),
        ("0x7f.1", "127.0.0.1 is a loopback address"),
        ("localhost", "the name answers with a loopback address"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1 stands for 127.0.0.1, a loopback address"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1 stands for 127.0.0.1, a loopback address"),
        ("0.0.0.0", "0.0.0.0 is the unspecified address"),
    ] {
        let mut outgoing = post(&format!("http://{host}:{port}/"));
        outgoing.policy = Arc::new(AddressPolicy::default());
        let refused = failure(client.send(outgoing).await, FailureCode::EgressRefused);
        assert_eq!(refused.detail, detail);
    }
    assert_eq!(server.connections(), 0);
    // Allowed, the name works; the mapped form reaches the same listener.
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let answer = client.send(post(&format!("http://{host}:{port}/"))).await;
        assert!(response(answer).status.is_success(), "{host}");
    }
}

#[tokio::test]
async fn one_bad_address_refuses_the_name() {
    let server = Server::answering(OK).await;
    let url = format!("http://rebound.example:{}/", server.address.port());
    for bad in ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"] {
        let client = client_knowing("rebound.example", &["127.0.0.1", bad]);
        let refused = failure(client.send(post(&url)).await, FailureCode::EgressRefused);
        assert!(!refused.detail.contains(bad), "addresses behind names are not told: {refused}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn allowed_addresses_are_dialled_in_turn() {
    let server = Server::answering(OK).await;
    let url = format!("http://two.example:{}/", server.address.port());
    // Nobody listens on the first.
    let client = client_knowing("two.example", &["127.0.0.2", "127.0.0.1"]);
    assert!(client.send(post(&url)).await.is_success());
    let nowhere = client_knowing("two.example", &[]);
    failure(nowhere.send(post(&url)).await, FailureCode::Dns);
}

#[tokio::test]
async fn the_houses_own_listeners_are_refused_whatever_is_allowed() {
    let server = Server::answering(OK).await;
    let port = server.address.port();
    let client = client_knowing("house.example", &["127.0.0.1"]);
    let urls = ["127.0.0.1", "house.example", "[::ffff:127.0.0.1]"].map(|host| format!("http://{host}:{port}/"));
    for listener in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        client.set_own_listeners(vec![listener.parse().expect("an address")]);
        for url in &urls {
            let mut outgoing = post(url);
            outgoing.policy = policy(&["0.0.0.0/0", "::/0", "loopback"]);
            failure(client.send(outgoing).await, FailureCode::EgressRefused);
        }
    }
    assert_eq!(server.connections(), 0);
    client.set_own_listeners(vec!["127.0.0.1:1".parse().expect("an address")]);
    assert!(client.send(post(&urls[0])).await.is_success());
}

#[tokio::test]
async fn a_pooled_connection_is_judged_again() {
    let server = Server::answering(OK).await;
    let client = client();
    let url = server.url("/");
    assert!(client.send(post(&url)).await.is_success());
    assert!(client.send(post(&url)).await.reused_connection);

    let mut outgoing = post(&url);
    outgoing.policy = policy(&["private"]);
    failure(client.send(outgoing).await, FailureCode::EgressRefused);

    assert!(client.send(post(&url)).await.is_success());
    client.set_own_listeners(vec![server.address]);
    failure(client.send(post(&url)).await, FailureCode::EgressRefused);
    assert_eq!(server.connections(), 2);
}
