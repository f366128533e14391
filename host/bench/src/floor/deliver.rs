//! The way out: standing workers, each with a connection that it keeps, sign and send what was committed.

use super::writer::{Attempt, Committed, Queue};
use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

/// Deliveries in flight, as the product allows them for one target.
const WORKERS: usize = 64;
/// The receiver here never refuses, and a kept connection may have gone once.
const TRIES_MAX: u32 = 3;
const RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// 24 bytes, as the specification asks for at least.
const SECRET: &[u8] = b"the floor's own secret..";

/// Starts the workers and the task that wakes them.
pub(super) fn start(target: SocketAddr, queue: &Arc<Queue>, hand_overs: mpsc::Receiver<Vec<Committed>>) -> Result<()> {
    let due = Arc::new(Due {
        jobs: Mutex::default(),
        count: Semaphore::new(0),
    });
    let client = Client::new(target)?;
    for _ in 0..WORKERS {
        tokio::spawn(work(client.clone(), due.clone(), queue.clone()));
    }
    tokio::spawn(distribute(hand_overs, due));
    Ok(())
}

/// What is to be sent. Bounded by the places that the queue before the writer gives out.
struct Due {
    jobs: Mutex<VecDeque<Job>>,
    count: Semaphore,
}

struct Job {
    key: i64,
    body: Bytes,
}

/// Answers a commit's posts and wakes as many workers, from within the runtime: waking its tasks from the writer's
/// thread would cost a system call each.
async fn distribute(mut hand_overs: mpsc::Receiver<Vec<Committed>>, due: Arc<Due>) {
    while let Some(committed) = hand_overs.recv().await {
        let count = committed.len();
        let mut jobs = Vec::with_capacity(count);
        for Committed { key, post } in committed {
            // A client that has gone does not take its event back.
            let _ = post.on_disk.send(());
            jobs.push(Job { key, body: post.body });
        }
        due.jobs.lock().expect("nobody panics while holding it").extend(jobs);
        due.count.add_permits(count);
    }
}

async fn work(client: Client, due: Arc<Due>, queue: Arc<Queue>) {
    let mut connection = None;
    while let Ok(one) = due.count.acquire().await {
        one.forget();
        let job = due.jobs.lock().expect("nobody panics while holding it").pop_front();
        let Some(job) = job else { continue };
        let status = client.deliver(&mut connection, &job).await;
        queue.record(Attempt {
            key: job.key,
            status: status.as_u16(),
        });
    }
}

#[derive(Clone)]
struct Client {
    target: SocketAddr,
    host: HeaderValue,
    /// The state of the HMAC after its key: what every signature starts from.
    signing: Hmac<Sha256>,
}

impl Client {
    fn new(target: SocketAddr) -> Result<Client> {
        let signing = Hmac::new_from_slice(SECRET).context("key the signature")?;
        Ok(Client {
            target,
            host: HeaderValue::try_from(target.to_string())?,
            signing,
        })
    }

    /// Sends it until it is answered; a delivery that never is counts as a bad gateway.
    async fn deliver(&self, connection: &mut Option<SendRequest<Full<Bytes>>>, job: &Job) -> StatusCode {
        for _ in 0..TRIES_MAX {
            match self.attempt(connection, job).await {
                Ok(status) => return status,
                Err(error) => eprintln!("a delivery failed: {error:#}"),
            }
            *connection = None;
        }
        StatusCode::BAD_GATEWAY
    }

    async fn attempt(&self, connection: &mut Option<SendRequest<Full<Bytes>>>, job: &Job) -> Result<StatusCode> {
        let sender = match connection {
            Some(sender) => sender,
            None => connection.insert(self.connect().await?),
        };
        sender.ready().await?;
        let response = sender.send_request(self.request(job)?).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX).collect().await;
        ensure!(body.is_ok(), "the response could not be read to its end");
        Ok(status)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.target).await.context("connect to the receiver")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows at the sender.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// Signed by the Standard Webhooks specification: HMAC-SHA256 of id, timestamp and body, joined by dots.
    fn request(&self, job: &Job) -> Result<Request<Full<Bytes>>> {
        let id = format!("evt_{:016x}", job.key);
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string();
        let mut signature = self.signing.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", &job.body] {
            signature.update(part);
        }
        let signature = format!("v1,{}", STANDARD.encode(signature.finalize().into_bytes()));
        let request = Request::post("/")
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", HeaderValue::try_from(id)?)
            .header("webhook-timestamp", HeaderValue::try_from(timestamp)?)
            .header("webhook-signature", HeaderValue::try_from(signature)?);
        Ok(request.body(Full::new(job.body.clone()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_published_library_verifies_the_signature() {
        let client = Client::new(SocketAddr::from(([127, 0, 0, 1], 1))).expect("the address is a header value");
        let body = Bytes::from_static(b"{\"event\": \"document_text\"}");
        let request = client
            .request(&Job {
                key: 77,
                body: body.clone(),
            })
            .expect("it can be signed");
        let published = standardwebhooks::Webhook::from_bytes(SECRET.to_vec()).expect("the secret is long enough");
        published
            .verify(&body, request.headers())
            .expect("it is signed as the specification says");
        assert!(published.verify(b"{}", request.headers()).is_err());
    }
}
