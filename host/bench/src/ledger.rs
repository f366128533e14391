//! The ledger of one round: when each document was posted, answered and delivered, on one clock. Load and receiver
//! write it, each its own columns; whoever waits for the last delivery is woken by the receiver.

use anyhow::{Result, bail};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// One row for each document; times are nanoseconds since the ledger was opened, 0 while it has not happened.
pub(crate) struct Ledger {
    opened: Instant,
    rows: Vec<Row>,
    arrived: AtomicUsize,
    deliveries: AtomicUsize,
    goal: AtomicUsize,
    reached: Notify,
    /// Hashes of the `webhook-id`s seen: a repeated delivery must come under its first id.
    webhook_ids: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

#[derive(Default)]
struct Row {
    posted_ns: AtomicU64,
    answered_ns: AtomicU64,
    delivered_ns: AtomicU64,
}

/// What the ledger says of a stretch of documents; the lists are sorted.
pub(crate) struct Account {
    /// From the first post to the last delivery.
    pub(crate) elapsed: Duration,
    /// From a post to its 202, in nanoseconds.
    pub(crate) answers_ns: Vec<u64>,
    /// From a post to the arrival of its delivery, in nanoseconds.
    pub(crate) deliveries_ns: Vec<u64>,
}

impl Ledger {
    pub(crate) fn open(documents: u32) -> Ledger {
        Ledger {
            opened: Instant::now(),
            rows: (0..documents).map(|_| Row::default()).collect(),
            arrived: AtomicUsize::new(0),
            deliveries: AtomicUsize::new(0),
            goal: AtomicUsize::new(usize::MAX),
            reached: Notify::new(),
            webhook_ids: Mutex::new(HashSet::with_capacity(documents as usize)),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn posted(&self, document: u32) {
        self.rows[document as usize].posted_ns.store(self.now_ns(), Relaxed);
    }

    pub(crate) fn answered(&self, document: u32) {
        self.rows[document as usize].answered_ns.store(self.now_ns(), Relaxed);
    }

    /// Of repeated deliveries the first one counts.
    pub(crate) fn delivered(&self, document: u32, webhook_id: &[u8]) -> Result<()> {
        let now_ns = self.now_ns();
        let Some(row) = self.rows.get(document as usize) else {
            bail!("a delivery of document {document}, which nobody posted")
        };
        self.webhook_ids
            .lock()
            .expect("nobody panics while holding it")
            .insert(self.hasher.hash_one(webhook_id));
        self.deliveries.fetch_add(1, Relaxed);
        let first = row.delivered_ns.compare_exchange(0, now_ns, SeqCst, Relaxed).is_ok();
        if first && self.arrived.fetch_add(1, SeqCst) + 1 >= self.goal.load(SeqCst) {
            self.reached.notify_one();
        }
        Ok(())
    }

    /// Waits until so many documents have arrived. One waiter at a time.
    pub(crate) async fn arrivals(&self, documents: u32) {
        self.goal.store(documents as usize, SeqCst);
        while self.arrived() < documents as usize {
            self.reached.notified().await;
        }
    }

    /// How many documents have arrived so far.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(SeqCst)
    }

    /// Deliveries beyond the first of their document: at-least-once allows them, a quiet receiver should see none.
    pub(crate) fn duplicates(&self) -> usize {
        self.deliveries.load(SeqCst) - self.arrived()
    }

    /// How many different `webhook-id`s came: as many as documents, or an id was changed or used twice.
    pub(crate) fn webhook_ids(&self) -> usize {
        self.webhook_ids.lock().expect("nobody panics while holding it").len()
    }

    /// What happened to these documents, all of which have arrived and been answered.
    pub(crate) fn account(&self, documents: Range<u32>) -> Account {
        let rows = &self.rows[documents.start as usize..documents.end as usize];
        let sorted = |column: fn(&Row) -> &AtomicU64| {
            let spans = rows
                .iter()
                .map(|row| column(row).load(SeqCst).saturating_sub(row.posted_ns.load(SeqCst)));
            let mut spans: Vec<u64> = spans.collect();
            spans.sort_unstable();
            spans
        };
        let first_ns = rows.iter().map(|row| row.posted_ns.load(SeqCst)).min().unwrap_or(0);
        let last_ns = rows.iter().map(|row| row.delivered_ns.load(SeqCst)).max().unwrap_or(0);
        Account {
            elapsed: Duration::from_nanos(last_ns.saturating_sub(first_ns)),
            answers_ns: sorted(|row| &row.answered_ns),
            deliveries_ns: sorted(|row| &row.delivered_ns),
        }
    }

    /// Never 0, which says "not yet".
    fn now_ns(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_nanos()).map_or(u64::MAX, |now_ns| now_ns.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ledger_tells_missing_from_repeated() {
        let ledger = Ledger::open(2);
        for document in 0..2 {
            ledger.posted(document);
            ledger.answered(document);
        }
        ledger.delivered(1, b"b").expect("it was posted");
        ledger.delivered(1, b"b").expect("it was posted");
        assert_eq!((ledger.arrived(), ledger.duplicates(), ledger.webhook_ids()), (1, 1, 1));
        ledger.delivered(0, b"a").expect("it was posted");
        ledger.arrivals(2).await;
        assert_eq!((ledger.arrived(), ledger.duplicates(), ledger.webhook_ids()), (2, 1, 2));
        assert!(ledger.delivered(2, b"c").is_err());
        let account = ledger.account(0..2);
        assert!(account.deliveries_ns[0] > 0 && account.elapsed.as_nanos() > 0);
    }
}
