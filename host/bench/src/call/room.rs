//! The product's plugin room, called as the river calls it.

use super::{check, nanoseconds_since};
use crate::event;
use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::outcome::Outcome;
use hookmill_domain::time::Time;
use hookmill_plugin_room::{Call, CompilerCommand, Plugins, Settings};
use std::convert::Infallible;
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The room with these components loaded.
pub(super) struct Room {
    plugins: Plugins,
    digests: Vec<Digest>,
    runtime: Runtime,
    _artifacts: TempDir,
}

impl Room {
    pub(super) fn open(components: &[Vec<u8>], below: &Path) -> Result<Room> {
        let artifacts = tempfile::Builder::new().prefix("hookmill-bench-").tempdir_in(below)?;
        let compiler = CompilerCommand {
            program: std::env::current_exe()?,
            args: vec![crate::COMPILE_CHILD.into()],
            env: Vec::new(),
        };
        let plugins = Plugins::open(Settings::new(artifacts.path(), compiler))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let mut digests = Vec::new();
        for bytes in components {
            let digest = Digest::of(bytes);
            let fetch = async || Ok::<_, Infallible>(Bytes::copy_from_slice(bytes));
            runtime.block_on(plugins.load(None, digest, fetch)).context("load a component")?;
            digests.push(digest);
        }
        Ok(Room {
            plugins,
            digests,
            runtime,
            _artifacts: artifacts,
        })
    }

    /// Calls the plugins in turn, so many times, and tells how long each call took, in nanoseconds.
    pub(super) fn call(&self, calls: u32) -> Result<Vec<u64>> {
        let (plugins, digests) = (self.plugins.clone(), self.digests.clone());
        // On a thread of the runtime, where the river's calls run.
        let work = self.runtime.spawn(async move { transform(&plugins, &digests, calls).await });
        self.runtime.block_on(work).context("join the calls")?
    }
}

async fn transform(plugins: &Plugins, digests: &[Digest], calls: u32) -> Result<Vec<u64>> {
    let (posted, data) = event::posted_and_data();
    let call = Call {
        event_id: event::ID,
        kind: event::KIND,
        organization: event::ORGANIZATION,
        inbox: None,
        project: None,
        accepted_at: Time::from_millis(event::ACCEPTED_AT_MS),
        data: &data,
        integration_id: event::INTEGRATION_ID,
        targets: &[],
        config: "null",
        seed: [7; 32],
    };
    let mut took_ns = Vec::with_capacity(calls as usize);
    for digest in digests.iter().cycle().take(calls as usize) {
        let start = Instant::now();
        let component = plugins.loaded(digest).context("a component is no longer loaded")?;
        let called = plugins.transform(&component, &call).await;
        took_ns.push(nanoseconds_since(start));
        let answer = called
            .outcome
            .map_err(|fault| anyhow!("the call ended with {:?}: {}", fault.code, fault.message))?;
        let Outcome::Deliver(requests) = answer else {
            bail!("the passthrough did not deliver")
        };
        check(requests.first().context("it sent nothing")?.body.bytes(), &posted)?;
    }
    Ok(took_ns)
}
