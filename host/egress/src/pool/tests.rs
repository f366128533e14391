//! The pool by a clock of its own: `now` is a parameter, so nothing here waits.

use super::*;
use crate::transport::Transport;
use hookmill_domain::target::TargetUrl;
use tokio::net::{TcpListener, TcpStream};

async fn connection() -> Box<H1> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let remote = listener.local_addr().expect("is bound");
    let (stream, accepted) = tokio::join!(TcpStream::connect(remote), listener.accept());
    drop(accepted);
    let stream = stream.expect("connects");
    let local = stream.local_addr().expect("is connected").ip();
    H1::new(Transport::Plain(stream), Ends { remote, local })
}

fn pool(idle_max: usize, idle_max_per_target: usize) -> Arc<Pool> {
    Arc::new(Pool::new(Limits {
        idle_max,
        idle_max_per_target,
        idle_timeout: Duration::from_secs(50),
    }))
}

fn endpoint(organization: u64, url: &str) -> Arc<Endpoint> {
    Endpoint::new(organization, &TargetUrl::parse(url).expect("valid"))
}

fn port(link: Option<Link>) -> Option<u16> {
    Some(link?.ends().remote.port())
}

/// Idle connections, and endpoints of which something is known.
fn held(pool: &Pool) -> (usize, usize) {
    let state = pool.lock();
    (state.idle.len(), state.places.len())
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_latest_comes_first_and_old_ones_expire() {
    let (pool, now) = (pool(10, 10), Instant::now());
    let a = endpoint(1, "http://h.example/");
    let (first, second) = (connection().await, connection().await);
    let second_port = second.ends.remote.port();
    pool.put(&a, first, LONG, now);
    pool.put(&a, second, LONG, now + Duration::from_secs(30));
    assert_eq!(pool.lock().idle.len(), 2);

    let later = now + Duration::from_secs(60);
    assert_eq!(port(pool.take(&a, later)), Some(second_port));
    // The other one has waited longer than 50 s.
    assert!(pool.take(&a, later).is_none());
    assert_eq!(pool.lock().idle.len(), 0);
}

#[tokio::test]
async fn a_sweep_drops_what_expired_and_forgets_its_endpoint() {
    let (pool, now) = (pool(10, 10), Instant::now());
    let (a, b) = (endpoint(1, "http://a.example/"), endpoint(1, "http://b.example/"));
    pool.put(&a, connection().await, Duration::from_secs(4), now);
    pool.put(&b, connection().await, LONG, now);
    pool.sweep(now + Duration::from_secs(4));
    assert_eq!(held(&pool), (1, 1));
    pool.sweep(now + Duration::from_secs(50));
    assert_eq!(held(&pool), (0, 0));
}

#[tokio::test]
async fn it_is_bounded_for_an_endpoint_and_in_all() {
    let (pool, now) = (pool(3, 2), Instant::now());
    let (a, b) = (endpoint(1, "http://a.example/"), endpoint(1, "http://b.example/"));
    for _ in 0..3 {
        pool.put(&a, connection().await, LONG, now);
    }
    assert_eq!(pool.lock().idle.len(), 2);
    for _ in 0..2 {
        pool.put(&b, connection().await, LONG, now);
    }
    // The longest unused of all made room: one of `a`.
    assert_eq!(pool.lock().idle.len(), 3);
    assert!(pool.take(&a, now).is_some());
    assert!(pool.take(&a, now).is_none());
    assert!(pool.take(&b, now).is_some());
    assert!(pool.take(&b, now).is_some());
}

#[tokio::test]
async fn endpoints_are_told_apart() {
    let (pool, now) = (pool(10, 10), Instant::now());
    pool.put(&endpoint(1, "http://h.example/a"), connection().await, LONG, now);
    for other in [
        endpoint(2, "http://h.example/a"),
        endpoint(1, "https://h.example/a"),
        endpoint(1, "http://h.example:81/a"),
        endpoint(1, "http://i.example/a"),
    ] {
        assert!(pool.take(&other, now).is_none(), "{other:?}");
    }
    let same = endpoint(1, "http://H.example:80/another/path?and=query");
    assert!(pool.take(&same, now).is_some());
}

#[tokio::test]
async fn over_tls_one_dials_and_the_others_wait() {
    let pool = pool(10, 10);
    let (plain, tls) = (endpoint(1, "http://h.example/"), endpoint(1, "https://h.example/"));
    assert!(matches!(pool.turn(&plain), Turn::Free));
    let Turn::First(first) = pool.turn(&tls) else {
        panic!("nobody dials yet");
    };
    let Turn::Wait(mut waiting) = pool.turn(&tls) else {
        panic!("one dials");
    };
    pool.sweep(Instant::now() + LONG);
    assert!(matches!(pool.turn(&tls), Turn::Wait(_)));
    drop(first);
    assert!(waiting.changed().await.is_err());
    assert!(matches!(pool.turn(&tls), Turn::First(_)));
    pool.learn_h1(&tls);
    assert!(matches!(pool.turn(&tls), Turn::Free));
}

#[tokio::test]
async fn closed_it_keeps_nothing() {
    let (pool, now) = (pool(10, 10), Instant::now());
    let a = endpoint(1, "http://h.example/");
    pool.put(&a, connection().await, LONG, now);
    pool.close();
    assert!(pool.take(&a, now).is_none());
    pool.put(&a, connection().await, LONG, now);
    assert!(pool.take(&a, now).is_none());
}
