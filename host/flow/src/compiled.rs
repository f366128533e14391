//! Keeps the folder of compiled artifacts as it should be, beside the river and behind everything in it.
//!
//! At a start: what an event may need and this engine has not compiled is compiled, so that a new engine's first events do not wait for it;
//! what was called most of late comes first. Beside that, and once a day: what no component needs any more goes. A start does not wait for any
//! of it, and an event or an upload never does.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_plugin_room::{Ahead, Swept};
use hookmill_store::Store;
use tracing::{info, warn};

use crate::calls::chain;
use crate::river::Inner;

/// How often the folder is looked through.
const PERIOD_MS: u64 = 24 * 60 * 60 * 1000;
/// How long it takes until a start asks again what is missing, if that can not be found out.
const FAILURE_WAIT_MS: u64 = 60 * 1000;
/// One that has given way goes behind so many: it is among the most used, and yet is not to hold all others up where it takes long.
const BEHIND: usize = 4;
/// Components that the store is asked for at once.
const ASKED_AT_ONCE: usize = 500;

/// Keeps it until the river stops. What is under way then is left: the next start finds it.
pub(crate) async fn keep_artifacts(inner: Arc<Inner>) {
    let mut stop = inner.stop.subscribe();
    let work = async { tokio::join!(compile_missing(&inner), sweep_daily(&inner)) };
    tokio::select! {
        _ = work => {}
        // A sender that is gone means the end as well.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// The bytes of a component, as the plugin room asks for them.
pub(crate) async fn fetch(store: Store, digest: Digest) -> io::Result<Bytes> {
    let bytes = store
        .component(digest)
        .await
        .map_err(|failure| io::Error::other(failure.to_string()))?;
    bytes.ok_or_else(|| io::Error::other("the component is not stored"))
}

async fn compile_missing(inner: &Arc<Inner>) {
    let missing = loop {
        match missing(inner).await {
            Ok(missing) => break missing,
            Err(failure) => warn!(error = %failure, "what is to be compiled could not be found out; that is tried again"),
        }
        inner.clock.sleep_until(inner.clock.now().plus_millis(FAILURE_WAIT_MS)).await;
    };
    if missing.is_empty() {
        return;
    }
    info!(
        components = missing.len(),
        "components are compiled for this engine, behind all other work"
    );
    let (mut compiled, mut failed, mut left) = (0, 0, VecDeque::from(missing));
    while let Some(digest) = left.pop_front() {
        match inner.plugins.compile_ahead(digest, || fetch(inner.store.clone(), digest)).await {
            Ok(Ahead::Compiled { .. } | Ahead::WasThere) => compiled += 1,
            Ok(Ahead::GaveWay) => left.insert(BEHIND.min(left.len()), digest),
            Ok(Ahead::NoRoom) => {
                info!(
                    components = left.len() + 1,
                    "the folder of artifacts is full; events have compiled what they need"
                );
                break;
            }
            Err(failure) => {
                failed += 1;
                warn!(component = %digest, error = chain(&failure), "a component could not be compiled ahead");
            }
        }
    }
    info!(compiled, failed, "components are compiled for this engine");
}

/// What an event may need and this engine has not compiled, the most used first.
async fn missing(inner: &Arc<Inner>) -> anyhow::Result<Vec<Digest>> {
    let compiled = inner.plugins.compiled().await?;
    let in_use = inner.store.components_in_use().await?.into_iter().map(|found| found.digest);
    Ok(in_use.filter(|digest| !compiled.contains(digest)).collect())
}

async fn sweep_daily(inner: &Arc<Inner>) {
    loop {
        if let Err(failure) = sweep(inner).await {
            warn!(error = %failure, "compiled artifacts could not be looked through; that is tried again tomorrow");
        }
        inner.clock.sleep_until(inner.clock.now().plus_millis(PERIOD_MS)).await;
    }
}

async fn sweep(inner: &Arc<Inner>) -> anyhow::Result<()> {
    let settled = inner.plugins.settled().await?;
    for digests in settled.chunks(ASKED_AT_ONCE) {
        for digest in inner.store.not_stored(digests.to_vec()).await? {
            inner.plugins.forget(digest).await?;
        }
    }
    let swept = inner.plugins.sweep().await?;
    if swept != Swept::default() {
        let Swept { artifacts, bytes } = swept;
        info!(artifacts, bytes, "compiled artifacts that nobody needs any more are removed");
    }
    Ok(())
}
