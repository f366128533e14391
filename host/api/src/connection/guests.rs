//! Who is connected, and who leaves where others find no place: whoever has asked for nothing for longest.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::task::Id;
use tokio::time::Instant;

/// All connections, by their tasks.
pub(crate) struct Guests {
    by_task: HashMap<Id, Arc<Guest>>,
    since: Instant,
    /// So long everybody may take to ask for something.
    patience: Duration,
}

/// A connection.
pub(crate) struct Guest {
    /// Since when it asks for nothing, a request whose head is under way included, in microseconds of the guests' time and one more; 0 while it is
    /// served.
    idle_since: AtomicU64,
    /// Some of its last answer has yet to be written.
    is_writing: AtomicBool,
    since: Instant,
    leave: Notify,
    /// As of that time it is to leave.
    leave_as_of: AtomicU64,
}

impl Guests {
    pub(crate) fn new(patience: Duration) -> Guests {
        Guests {
            by_task: HashMap::new(),
            since: Instant::now(),
            patience,
        }
    }

    /// One that has just come.
    pub(crate) fn guest(&self) -> Arc<Guest> {
        let guest = Guest {
            idle_since: AtomicU64::new(0),
            is_writing: AtomicBool::new(false),
            since: self.since,
            leave: Notify::new(),
            leave_as_of: AtomicU64::new(0),
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

    pub(super) fn len(&self) -> usize {
        self.by_task.len()
    }

    /// Has whoever idles for longest leave, if that is long enough.
    pub(super) fn make_room(&self) {
        let idle = self.by_task.values().filter_map(|guest| Some((guest.idle_since()?, guest)));
        let patience = u64::try_from(self.patience.as_micros()).unwrap_or(u64::MAX);
        if let Some((since, guest)) = idle.min_by_key(|(since, _)| *since)
            && micros(self.since).saturating_sub(since) >= patience
        {
            guest.leave_as_of.store(since, Relaxed);
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
            // It may have been served meanwhile.
            if self.idle_since() == Some(self.leave_as_of.load(Relaxed)) {
                return;
            }
        }
    }

    /// Some of an answer could not be written yet, or, after that, has been.
    pub(crate) fn writes(&self, waits: bool) {
        if self.is_writing.swap(waits, Relaxed) && !waits && self.idle_since.load(Relaxed) > 0 {
            self.idles();
        }
    }

    fn idle_since(&self) -> Option<u64> {
        let since = self.idle_since.load(Relaxed);
        (since > 0 && !self.is_writing.load(Relaxed)).then_some(since)
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
