//! The load: keep-alive connections that post documents, each the next one as soon as it has its 202 (`pour`), or at
//! a given rate (`drip`). Anything but a 202 ends the round: with so few events under way nothing may be refused.

use crate::event::Request;
use crate::ledger::Ledger;
use crate::wire::Wire;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections that share the work of a slow rate: so many that an answer that takes long delays no later post.
const DRIP_CONNECTIONS: u32 = 16;

/// Where events are posted, and under which key.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) key: Option<String>,
}

/// Posts these documents over so many connections, as fast as they are answered.
pub(crate) async fn pour(door: &Door, documents: Range<u32>, connections: u32, ledger: &Arc<Ledger>) -> Result<()> {
    let next = Arc::new(AtomicU32::new(documents.start));
    let mut posters = JoinSet::new();
    for _ in 0..connections {
        let (mut poster, next, end) = (Poster::open(door, ledger).await?, next.clone(), documents.end);
        posters.spawn(async move {
            loop {
                let document = next.fetch_add(1, Relaxed);
                if document >= end {
                    return Ok(());
                }
                poster.post(document).await?;
            }
        });
    }
    join(posters).await
}

/// Posts these documents one by one, `per_second` of them.
pub(crate) async fn drip(door: &Door, documents: Range<u32>, per_second: u32, ledger: &Arc<Ledger>) -> Result<()> {
    let mut posters = JoinSet::new();
    let mut lanes = Vec::new();
    for _ in 0..DRIP_CONNECTIONS {
        lanes.push(Poster::open(door, ledger).await?);
    }
    let start = Instant::now();
    for (lane, mut poster) in (0..DRIP_CONNECTIONS).zip(lanes) {
        let documents = documents.clone();
        posters.spawn(async move {
            for document in documents.clone().skip(lane as usize).step_by(DRIP_CONNECTIONS as usize) {
                let turn = document - documents.start;
                tokio::time::sleep_until(start + Duration::from_secs(1) * turn / per_second).await;
                poster.post(document).await?;
            }
            Ok(())
        });
    }
    join(posters).await
}

/// One connection, with a request to write over and over.
struct Poster {
    wire: Wire,
    request: Request,
    ledger: Arc<Ledger>,
}

impl Poster {
    async fn open(door: &Door, ledger: &Arc<Ledger>) -> Result<Poster> {
        let mut head = format!(
            "POST /events HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n",
            door.address
        );
        if let Some(key) = &door.key {
            head.push_str(&format!("authorization: Bearer {key}\r\n"));
        }
        Ok(Poster {
            wire: Wire::connect(door.address).await?,
            request: Request::new(&head),
            ledger: ledger.clone(),
        })
    }

    async fn post(&mut self, document: u32) -> Result<()> {
        let request = self.request.of(document);
        self.ledger.posted(document);
        self.wire.write(request).await?;
        let answer = self.wire.read().await?.context("wait for an answer")?;
        let status = answer.status()?;
        ensure!(
            status == 202,
            "an event was answered with {status}: {}",
            String::from_utf8_lossy(answer.body)
        );
        self.ledger.answered(document);
        Ok(())
    }
}

/// The first failure ends the others: the set aborts them when it is dropped.
async fn join(mut posters: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = posters.join_next().await {
        ended.context("join a connection of the load")??;
    }
    Ok(())
}
