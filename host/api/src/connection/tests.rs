use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::*;

/// A server whose `/slow` waits for leave, and whose end can be asked for.
struct Served {
    address: SocketAddr,
    asked: Arc<Notify>,
    leave: Arc<Notify>,
    end: oneshot::Sender<()>,
    task: JoinHandle<Duration>,
}

async fn served(connections_max: usize, head_timeout: Duration, drain: Duration) -> Served {
    let write_stall = Duration::from_secs(60);
    served_by(ConnectionRules {
        connections_max,
        head_timeout,
        write_stall,
        patience: Duration::ZERO,
        drain,
    })
    .await
}

async fn served_by(rules: ConnectionRules) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (asked, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (end, ended) = oneshot::channel::<()>();
    let answer = {
        let (asked, leave) = (asked.clone(), leave.clone());
        move |request: Request<Incoming>| {
            let (asked, leave) = (asked.clone(), leave.clone());
            async move {
                if request.uri().path() == "/slow" {
                    asked.notify_one();
                    leave.notified().await;
                }
                let answer = match request.uri().path() {
                    "/large" => Bytes::from(vec![b'.'; LARGE_BYTES]),
                    _ => Bytes::from_static(b"here"),
                };
                Response::new(Full::new(answer))
            }
        }
    };
    let task = tokio::spawn(serve(listener, rules, answer, async {
        // A test that drops its end has ended.
        let _ = ended.await;
    }));
    Served {
        address,
        asked,
        leave,
        end,
        task,
    }
}

async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

/// What comes until `end` has come or the connection is closed.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).ends_with(end) || end.is_empty() {
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            break;
        }
    }
    String::from_utf8(read).expect("text")
}

/// More than the system takes of what nobody reads.
const LARGE_BYTES: usize = 32 << 20;
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn requests_under_way_are_answered_at_the_end_and_idle_connections_closed() {
    let served = served(10, LONG, LONG).await;
    let mut idle = ask(served.address, "/").await;
    assert!(read_until(&mut idle, "here").await.starts_with("HTTP/1.1 200"));
    let mut slow = ask(served.address, "/slow").await;
    served.asked.notified().await;
    served.end.send(()).expect("it serves");
    assert_eq!(read_until(&mut idle, "").await, "", "closed without another word");
    served.leave.notify_one();
    let answer = read_until(&mut slow, "").await;
    assert!(answer.ends_with("here") && answer.contains("connection: close"), "{answer}");
    served.task.await.expect("no panic");
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn the_drain_is_bounded() {
    let served = served(10, LONG, Duration::from_millis(20)).await;
    let mut slow = ask(served.address, "/slow").await;
    served.asked.notified().await;
    served.end.send(()).expect("it serves");
    served.task.await.expect("no panic");
    assert_eq!(read_until(&mut slow, "").await, "", "cut");
}

#[tokio::test]
async fn connections_past_the_maximum_wait_for_a_place() {
    let served = served(1, LONG, LONG).await;
    let mut first = ask(served.address, "/slow").await;
    served.asked.notified().await;
    let mut second = ask(served.address, "/").await;
    let waited = AtomicBool::new(false);
    let answer = async {
        let answer = read_until(&mut second, "here").await;
        assert!(waited.load(Ordering::Relaxed), "it was let in beside the first");
        answer
    };
    let first = async {
        waited.store(true, Ordering::Relaxed);
        served.leave.notify_one();
        assert!(read_until(&mut first, "here").await.starts_with("HTTP/1.1 200"));
        drop(first);
    };
    let (answer, ()) = tokio::join!(answer, first);
    assert!(answer.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn whoever_idles_for_longest_makes_room() {
    let served = served(3, LONG, LONG).await;
    let mut slow = ask(served.address, "/slow").await;
    served.asked.notified().await;
    // One that has been answered, and one that has begun to ask.
    let mut answered = ask(served.address, "/").await;
    assert!(read_until(&mut answered, "here").await.starts_with("HTTP/1.1 200"));
    let mut silent = TcpStream::connect(served.address).await.expect("a connection");
    silent.write_all(b"GET / HTTP/1.1\r\n").await.expect("sent");
    let mut newcomers = Vec::new();
    for gone in [&mut answered, &mut silent] {
        let mut newcomer = ask(served.address, "/").await;
        assert!(read_until(&mut newcomer, "here").await.starts_with("HTTP/1.1 200"));
        assert_eq!(read_until(gone, "").await, "", "it is the one that has left");
        newcomers.push(newcomer);
    }
    served.leave.notify_one();
    assert!(
        read_until(&mut slow, "here").await.starts_with("HTTP/1.1 200"),
        "who is served stays"
    );
}

#[tokio::test]
async fn who_has_yet_to_read_an_answer_stays() {
    let served = served(1, LONG, LONG).await;
    let mut reader = ask(served.address, "/large").await;
    assert_eq!(reader.read_u8().await.expect("it has begun"), b'H');
    let mut newcomer = ask(served.address, "/").await;
    let answer = tokio::spawn(async move { read_until(&mut newcomer, "here").await });
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    while read < LARGE_BYTES {
        let bytes = reader.read(&mut buffer).await.expect("it is not cut");
        assert!(bytes > 0, "it is not cut");
        read += bytes;
    }
    // Then it makes room.
    assert!(answer.await.expect("no panic").starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn however_many_come_to_a_full_house_each_has_its_turn() {
    // So long nobody is sent away unheard.
    let patience = Duration::from_millis(50);
    let served = served_by(ConnectionRules {
        connections_max: 4,
        head_timeout: LONG,
        write_stall: LONG,
        patience,
        drain: LONG,
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut guest = ask(served.address, "/").await;
        read_until(&mut guest, "here").await;
        idle.push(guest);
    }
    let mut newcomers = JoinSet::new();
    for _ in 0..12 {
        newcomers.spawn(async move {
            let mut newcomer = ask(served.address, "/").await;
            let answer = read_until(&mut newcomer, "here").await;
            (newcomer, answer)
        });
    }
    for (_, answer) in newcomers.join_all().await {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let served = served(10, Duration::from_millis(20), LONG).await;
    let mut stream = TcpStream::connect(served.address).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.expect("sent");
    let answer = read_until(&mut stream, "").await;
    assert!(!answer.contains("200"), "{answer}");
}
