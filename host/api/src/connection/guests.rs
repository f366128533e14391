//! Who is connected, and who leaves where others find no place: whoever has asked for nothing for longest.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::task::Id;
use tokio::time::Instant;

/// All connections, by their tasks.
pub(super) struct Guests {
    by_task: HashMap<Id, Arc<Guest>>,
    since: Instant,
    /// So long everybody may take to ask for something.
    patience: Duration,
}

/// A connection.
pub(super) struct Guest {
    /// Since when it asks for nothing, in microseconds of the guests' time and one more; 0 while it is served.
    idle_since: AtomicU64,
    since: Instant,
    leave: Notify,
}

impl Guests {
    pub(super) fn new(patience: Duration) -> Guests {
        Guests {
            by_task: HashMap::new(),
            since: Instant::now(),
            patience,
        }
    }

    /// One that has just come.
    pub(super) fn guest(&self) -> Arc<Guest> {
        let guest = Guest {
            idle_since: AtomicU64::new(0),
            since: self.since,
            leave: Notify::new(),
        };
        guest.idles();
        Arc::new(guest)
    }

    pub(super) fn add(&mut self, task: Id, guest: Arc<Guest>) {
        self.by_task.insert(task, guest);
    }

    pub(super) fn remove(&mut self, task: Id) {
        self.by_task.remove(&task);
    }

    /// Has whoever idles for longest leave, if that is long enough.
    pub(super) fn make_room(&self) {
        let idle = self.by_task.values().map(|guest| (guest.idle_since.load(Relaxed), guest));
        let longest = idle.filter(|(since, _)| *since > 0).min_by_key(|(since, _)| *since);
        let patience = u64::try_from(self.patience.as_micros()).unwrap_or(u64::MAX);
        if let Some((since, guest)) = longest
            && micros(self.since).saturating_sub(since) >= patience
        {
            guest.leave.notify_one();
        }
    }
}

impl Guest {
    /// It is served until that is dropped.
    pub(super) fn served(self: &Arc<Guest>) -> Served {
        self.idle_since.store(0, Relaxed);
        Served(self.clone())
    }

    /// Ends when it is to leave.
    pub(super) async fn leaves(&self) {
        loop {
            self.leave.notified().await;
            // It may have asked for something meanwhile.
            if self.idle_since.load(Relaxed) > 0 {
                return;
            }
        }
    }

    fn idles(&self) {
        self.idle_since.store(micros(self.since), Relaxed);
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
}

/// While it lives, a guest is served.
pub(super) struct Served(Arc<Guest>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.idles();
    }
}

impl Served {
    /// An answer's body, by whose end the guest has been served.
    pub(super) fn until_the_end_of<B>(self, body: B) -> Answer<B> {
        Answer { body, _served: self }
    }
}

/// An answer's body.
pub(super) struct Answer<B> {
    body: B,
    _served: Served,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
