//! Connections of clients: accepted up to a maximum, spoken to in HTTP/1.1, drained at the end. Past the maximum whoever idles for longest makes
//! room, so that nobody keeps others out by connecting alone. What is answered is not known here.

mod guests;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hookmill_domain::limits::IntakeLimits;
use http::{Request, Response};
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

pub(crate) use self::guests::{Guest, Guests};
use crate::patient::Patient;

/// The most bytes of a request's head, and of what is read ahead of a body: it bounds a connection's memory beside its body.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long a full machine (no places, no file descriptors) is left alone before the next connection is tried.
const PAUSE: Duration = Duration::from_millis(100);

/// So long whoever is connected may take to ask for something, also where others find no place.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client may spend on connections.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionRules {
    connections_max: usize,
    /// For a request's head, and for how long a connection may idle between requests.
    head_timeout: Duration,
    /// For a client that does not read its answer.
    write_stall: Duration,
    patience: Duration,
    drain: Duration,
}

impl ConnectionRules {
    /// By the host's limits.
    pub(crate) fn new(limits: &IntakeLimits, drain: Duration) -> ConnectionRules {
        let read_timeout = Duration::from_millis(limits.request_read_timeout_ms);
        ConnectionRules {
            connections_max: limits.connections_max.try_into().unwrap_or(usize::MAX),
            head_timeout: read_timeout,
            write_stall: read_timeout,
            patience: PATIENCE,
            drain,
        }
    }
}

/// Answers requests until `shutdown` ends, then closes what idles and lets the rest finish. Gives what is left of the time for that.
pub(crate) async fn serve<A, F, B>(listener: TcpListener, rules: ConnectionRules, answer: A, shutdown: impl Future<Output = ()>) -> Duration
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut guests = Guests::new(rules.patience);
    let mut shutdown = pin!(shutdown);
    let mut newcomer = None;
    let mut pause: Option<Instant> = None;
    loop {
        if guests.len() < rules.connections_max
            && let Some(stream) = newcomer.take()
        {
            let guest = guests.guest();
            let task = converse(stream, rules.clone(), guest.clone(), answer.clone(), stopping.clone());
            guests.add(connections.spawn(task).id(), guest);
            pause = None;
        }
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next_with_id() => {
                guests.remove(ended_task(ended));
            }
            accepted = listener.accept(), if newcomer.is_none() && pause.is_none() => match accepted {
                Ok((stream, _)) => {
                    newcomer = Some(stream);
                    if guests.len() >= rules.connections_max {
                        guests.make_room();
                        pause = Some(Instant::now() + PAUSE);
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "can not accept a connection");
                    if is_full(&error) {
                        guests.make_room();
                    }
                    pause = Some(Instant::now() + PAUSE);
                }
            },
            () = tokio::time::sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => {
                pause = newcomer.is_some().then(|| {
                    guests.make_room();
                    Instant::now() + PAUSE
                });
            }
        }
    }
    drop((listener, newcomer));
    stop.send_replace(true);
    let deadline = Instant::now() + rules.drain;
    let drained = async {
        while let Some(ended) = connections.join_next_with_id().await {
            ended_task(ended);
        }
    };
    if tokio::time::timeout_at(deadline, drained).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests under way took too long to end: their connections are cut"
        );
        connections.shutdown().await;
    }
    deadline.duration_since(Instant::now())
}

async fn converse<A, F, B>(stream: TcpStream, rules: ConnectionRules, guest: Arc<Guest>, answer: A, mut stopping: watch::Receiver<bool>)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin + 'static,
{
    // A small answer must not wait for the acknowledgement of the one before it. Where this fails, the connection is broken anyway.
    let _ = stream.set_nodelay(true);
    let asking = guest.clone();
    let service = service_fn(move |request| {
        let (served, answer) = (asking.served(), answer(request));
        async { Ok::<_, Infallible>(answer.await.map(|body| served.until_the_end_of(body))) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(rules.head_timeout)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(Patient::new(stream, rules.write_stall, guest.clone())), service)
    );
    let stopped = async {
        // An error means that the sender is gone, which is the end as well.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        () = stopped => None,
        () = guest.leaves() => return,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients go away and send nonsense; that is nothing to be told to the operator.
        tracing::debug!(error = &error as &dyn std::error::Error, "a client's connection ended early");
    }
}

/// Whether the machine has no more file descriptors, or no memory for another connection.
fn is_full(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// The task that has ended. A panic in it is told.
fn ended_task(ended: Result<(Id, ()), JoinError>) -> Id {
    match ended {
        Ok((task, ())) => task,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a connection's task panicked");
            error.id()
        }
    }
}

#[cfg(test)]
mod tests;
