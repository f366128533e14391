//! The floor: the least that a durable webhook host can do, done well, as a server of its own.
//!
//! ```text
//! POST /events ─▶ writer: one commit for all that wait ─▶ 202
//!                              └─▶ delivery workers: sign, POST ─▶ attempt row, with the next commit
//! ```
//!
//! It keeps the promise of a 202 (`synchronous=FULL`) and knows nothing else: no keys, no parsing, no plugin, no
//! fairness, no retry after a restart. What makes the product fast is done here too, or the floor would be a low one:
//! one multi-thread runtime for HTTP both ways, queues swapped whole, one hand-over a commit, standing workers,
//! checkpoints every 4,000 pages.

mod deliver;
mod ingest;
mod writer;

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

const DATABASE: &str = "floor.sqlite";

/// Its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// The folder for its database; made if it is not there.
    #[arg(long)]
    data: PathBuf,
    /// Where every event is delivered.
    #[arg(long)]
    target: SocketAddr,
}

/// Serves until the process is ended or the database fails.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    std::fs::create_dir_all(&settings.data).context("make the folder for the database")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let floor = Floor::open(&settings.data, settings.target).await?;
        println!("the floor listens on http://{}", floor.listener.local_addr()?);
        floor.serve().await
    })
}

/// Ready to serve: the database open, the workers waiting.
struct Floor {
    listener: TcpListener,
    queue: Arc<writer::Queue>,
    /// Told when the writer fails.
    failure: oneshot::Receiver<Result<()>>,
}

impl Floor {
    async fn open(data: &Path, target: SocketAddr) -> Result<Floor> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let queue = Arc::new(writer::Queue::default());
        let (committed, hand_overs) = mpsc::channel(writer::HAND_OVERS_MAX);
        let failure = writer::start(&data.join(DATABASE), queue.clone(), committed)?;
        deliver::start(target, &queue, hand_overs)?;
        Ok(Floor { listener, queue, failure })
    }

    async fn serve(self) -> Result<()> {
        tokio::select! {
            ended = ingest::serve(self.listener, self.queue) => ended,
            failed = self.failure => failed.context("the writer has gone")?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::load::{self, Door};
    use crate::receiver::Receiver;

    #[tokio::test]
    async fn every_event_is_on_disk_delivered_and_recorded() {
        const EVENTS: u32 = 300;
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let ledger = Arc::new(Ledger::open(EVENTS));
        let receiver = Receiver::open(ledger.clone()).await.expect("loopback is there");
        let floor = Floor::open(folder.path(), receiver.address).await.expect("the folder is new");
        let queue = floor.queue.clone();
        let door = Door {
            address: floor.listener.local_addr().expect("it is bound"),
            key: None,
        };
        let server = tokio::spawn(floor.serve());

        load::pour(&door, 0..EVENTS, 8, &ledger)
            .await
            .expect("every event is answered with 202");
        let database = rusqlite::Connection::open(folder.path().join(DATABASE)).expect("the floor has made it");
        let count = |sql| database.query_row(sql, [], |row| row.get::<_, u32>(0)).expect("the table is there");
        assert_eq!(count("SELECT count(DISTINCT body) FROM event"), EVENTS);

        ledger.arrivals(EVENTS).await;
        assert_eq!((ledger.duplicates(), ledger.webhook_ids()), (0, EVENTS as usize));
        queue.settled().await;
        assert_eq!(
            count("SELECT count(*) FROM attempt JOIN event ON key = event WHERE status = 200"),
            EVENTS
        );
        server.abort();
    }
}
