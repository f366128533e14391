//! The way in: reads a posted event whole, puts it before the writer, and answers 202 when it is on disk.

use super::writer::{Post, Queue};
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

const BODY_BYTES_MAX: usize = 1024 * 1024;
const CONNECTIONS_MAX: usize = 1024;

/// Accepts connections until the listener fails.
pub(super) async fn serve(listener: TcpListener, queue: Arc<Queue>) -> Result<()> {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = free.clone().acquire_owned().await?;
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let queue = queue.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &queue));
            // A client that goes away ends its own connection, nothing more.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

async fn answer(request: Request<Incoming>, queue: &Queue) -> Result<Response<Empty<Bytes>>, Infallible> {
    let status = if request.method() == Method::POST && request.uri().path() == "/events" {
        accept(request, queue).await
    } else {
        StatusCode::NOT_FOUND
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}

async fn accept(request: Request<Incoming>, queue: &Queue) -> StatusCode {
    let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
        return StatusCode::BAD_REQUEST;
    };
    let (on_disk, wait) = oneshot::channel();
    queue
        .post(Post {
            body: body.to_bytes(),
            on_disk,
        })
        .await;
    match wait.await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
