#![allow(unsafe_code)]
use bytes::Bytes;
use hookmill_domain::{address::AddressPolicy, target::TargetUrl};
use hookmill_egress::*;
use http::*;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn cpu_ns() -> u64 {
    let mut t = 0;
    for e in std::fs::read_dir("/proc/self/task").unwrap() {
        let e = e.unwrap();
        let name = std::fs::read_to_string(e.path().join("comm")).unwrap();
        if name.starts_with("client") {
            t += std::fs::read_to_string(e.path().join("schedstat"))
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap();
        }
    }
    t
}
fn server() -> std::net::SocketAddr {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("server".into()).spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tx.send(l.local_addr().unwrap()).unwrap();
            loop {
                let (mut s, _) = l.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut b = vec![0u8; 16384];
                    let mut n = 0;
                    loop {
                        let r = s.read(&mut b[n..]).await.unwrap_or(0);
                        if r == 0 { return }
                        n += r;
                        if b[..n].ends_with(b"END") { n = 0; s.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: Tue, 14 Nov 2023 22:14:20 GMT\r\ncontent-length: 2\r\n\r\nok").await.unwrap(); }
                    }
                });
            }
        })
    }).unwrap();
    rx.recv().unwrap()
}
fn run(label: &str, workers: usize, conc: usize, spawned: bool) {
    let addr = server();
    let rt = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("client")
        .enable_all()
        .build()
        .unwrap();
    let total = 100_000usize;
    let mut body = vec![b' '; 1000];
    body.extend_from_slice(b"END");
    let body = Bytes::from(body);
    let c0 = cpu_ns();
    let t0 = Instant::now();
    rt.block_on(async {
        let client = Arc::new(Client::new(ClientConfig::default()));
        let t = TargetUrl::parse(&format!("http://{addr}/alfred/x")).unwrap();
        let endpoint = Endpoint::new(1, &t);
        let pq = t.join(None, &[]).unwrap();
        let policy = Arc::new(AddressPolicy::parse(["loopback"]).unwrap());
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..conc {
            let (client, endpoint, pq, policy, body) = (client.clone(), endpoint.clone(), pq.clone(), policy.clone(), body.clone());
            set.spawn(async move {
                let mut sender = None;
                if spawned {
                    let s = tokio::net::TcpStream::connect(addr).await.unwrap();
                    s.set_nodelay(true).unwrap();
                    let (snd, conn) =
                        hyper::client::conn::http1::handshake::<_, http_body_util::Full<Bytes>>(hyper_util::rt::TokioIo::new(s))
                            .await
                            .unwrap();
                    tokio::spawn(conn);
                    sender = Some(snd);
                }
                for _ in 0..total / conc {
                    let mut headers = endpoint.headers();
                    headers.insert("content-type", HeaderValue::from_static("application/json"));
                    headers.insert("webhook-id", HeaderValue::from_static("dlv_01m3250v00e50r2rt5cy4tqkff"));
                    headers.insert("webhook-timestamp", HeaderValue::from_static("1700000000"));
                    headers.insert(
                        "webhook-signature",
                        HeaderValue::from_static("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
                    );
                    headers.insert("authorization", HeaderValue::from_static("Bearer abcdefg1234567989"));
                    if let Some(sender) = &mut sender {
                        headers.insert("user-agent", HeaderValue::from_static("Hookmill/0.1"));
                        let mut r = Request::new(http_body_util::Full::new(body.clone()));
                        *r.method_mut() = Method::POST;
                        *r.uri_mut() = pq.clone().into();
                        *r.headers_mut() = headers;
                        sender.ready().await.unwrap();
                        let a = sender.send_request(r).await.unwrap();
                        let b = http_body_util::BodyExt::collect(a.into_body()).await.unwrap().to_bytes();
                        assert_eq!(&*b, b"ok");
                        continue;
                    }
                    let a = client
                        .send(Outgoing {
                            endpoint: endpoint.clone(),
                            path_and_query: pq.clone(),
                            method: Method::POST,
                            headers,
                            body: body.clone(),
                            timeout: None,
                            policy: policy.clone(),
                            wall_seconds: 0,
                        })
                        .await;
                    assert!(a.is_success());
                }
            });
        }
        while let Some(x) = set.join_next().await {
            x.unwrap();
        }
    });
    let el = t0.elapsed();
    println!(
        "{label}: {:.2} us wall/req, {:.2} us client cpu/req",
        el.as_secs_f64() * 1e6 / total as f64,
        (cpu_ns() - c0) as f64 / 1e3 / total as f64
    );
}
#[test]
fn perf() {
    println!(
        "attempt future {} bytes",
        std::mem::size_of_val(&{
            let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _g = rt.enter();
            let c: &'static Client = Box::leak(Box::new(Client::new(ClientConfig::default())));
            let t = TargetUrl::parse("http://127.0.0.1/").unwrap();
            c.send(Outgoing {
                endpoint: Endpoint::new(1, &t),
                path_and_query: t.join(None, &[]).unwrap(),
                method: Method::POST,
                headers: HeaderMap::new(),
                body: Bytes::new(),
                timeout: None,
                policy: Arc::new(AddressPolicy::default()),
                wall_seconds: 0,
            })
        })
    );
    let b = std::env::var("BARE").is_ok();
    for _ in 0..6 {
        run("x", 2, 32, b);
    }
}
