//! The receiver: answers every delivery with 200 at once and enters it in the ledger. It verifies no signature, since
//! that would cost the cores what no limit depends on.

use crate::event;
use crate::ledger::Ledger;
use crate::wire::Wire;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// More than any host here keeps open; a connection past it waits for an earlier one to end.
const CONNECTIONS_MAX: usize = 4096;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Listens on loopback until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn open(ledger: Arc<Ledger>) -> Result<Receiver> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("open the receiver")?;
        let address = listener.local_addr()?;
        Ok(Receiver {
            address,
            task: tokio::spawn(accept(listener, ledger)),
        })
    }
}

impl Drop for Receiver {
    /// Ends the connections too: their set belongs to the task.
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, ledger: Arc<Ledger>) {
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        if let Ok((stream, _)) = listener.accept().await {
            let ledger = ledger.clone();
            connections.spawn(async move {
                let ended = receive(Wire::new(stream), &ledger).await;
                // A server that is ended between two rounds resets its connections.
                if let Some(fault) = ended.err().filter(|error| !error.is::<std::io::Error>()) {
                    eprintln!("the receiver dropped a connection: {fault:#}");
                }
            });
        }
    }
}

async fn receive(wire: Result<Wire>, ledger: &Ledger) -> Result<()> {
    let mut wire = wire?;
    while let Some(delivery) = wire.read().await? {
        let document = event::number_in(delivery.body)?;
        let webhook_id = delivery.header("webhook-id").context("find the webhook-id of a delivery")?;
        ledger.delivered(document, webhook_id)?;
        wire.write(ANSWER).await?;
    }
    Ok(())
}
