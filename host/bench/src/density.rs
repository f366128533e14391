//! Many distinct plugins on one host: the real binary, set up by its API.
//!
//! Each plugin is the passthrough with a number of its own, so that each has its own digest, its own artifact and its own place in memory;
//! each has an integration that listens to an inbox of its own. The host is started again, so that nothing is loaded, and then each plugin
//! gets two events, one after the other and with nothing else under way: the first one finds it cold, the second one warm. What is told is
//! the time from the post to the delivery, which is more than the call: the first event also reads its integration, and dials.

use crate::ledger::Ledger;
use crate::load::Door;
use crate::receiver::Receiver;
use crate::server::{DATA, JSON, Server, System, post};
use crate::stats::{Spread, percentile};
use crate::{call, event, machine};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Organizations that share the plugins, in turns; each may have 1,000 of them by default.
const ORGANIZATIONS: u32 = 20;
/// The most plugins that these may have.
const PLUGINS_MAX: u32 = ORGANIZATIONS * 1000;
/// Uploads under way at once, each of another organization; one host compiles fewer.
const UPLOADS: u32 = 4;
/// The longest that a delivery may take before the benchmark ends.
const DELIVERY_MAX: Duration = Duration::from_secs(60);
/// How much slower a cold call may be, in milliseconds.
const AIM_MS: f64 = 5.0;

/// Its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Plugins
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(i64::from(FEW)..=i64::from(PLUGINS_MAX)))]
    plugins: u32,
    /// Starts with few plugins, and with all
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    starts: u32,
    /// Where the data lies, on the disk that is meant; beside this program if not given
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The product's binary; beside this program if not given
    #[arg(long, value_name = "FILE")]
    hookmill: Option<PathBuf>,
}

/// Plugins of the first starts.
const FEW: u32 = 10;

/// Runs it and prints what came out.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure(settings))
}

/// The host under test, between two starts.
struct Place {
    system: System,
    receiver: Receiver,
}

async fn measure(settings: &Settings) -> Result<()> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("find the folder of this program")?;
    let below = settings.folder.as_deref().unwrap_or(beside);
    let product = crate::server::product(settings.hookmill.as_deref(), beside)?;
    let plugins = settings.plugins;
    let component_bytes = call::numbered(0).len();
    println!("{plugins} plugins on one host\n");
    machine::print(below)?;
    println!(
        "  method    each the passthrough ({component_bytes} bytes) with a number of its own and an integration, all set up by the API;"
    );
    println!("            started again, then two small events for each, one at a time: the first finds it unloaded, its artifact");
    println!("            mostly in the system's cache of files; from the post to the delivery, on loopback");

    let ledger = Arc::new(Ledger::open(2 * plugins));
    let place = Place {
        system: System::Hookmill(product),
        receiver: Receiver::open(ledger.clone()).await?,
    };
    let folder = tempfile::Builder::new().prefix("hookmill-bench-").tempdir_in(below)?;
    let server = place.system.start_on(folder, place.receiver.address).await?;
    register(&server.door, place.receiver.address, 0..FEW).await?;
    let (folder, with_few) = place.starts(server.leave().await?, settings.starts).await?;

    let server = place.system.start_on(folder, place.receiver.address).await?;
    let begun = Instant::now();
    register(&server.door, place.receiver.address, FEW..plugins).await?;
    let took = begun.elapsed();
    println!(
        "\n  registered      {:.0} s, {:.1} ms each: inspected, compiled, stored, and an integration",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e3 / f64::from(plugins - FEW)
    );
    let (folder, with_all) = place.starts(server.leave().await?, settings.starts).await?;

    let server = place.system.start_on(folder, place.receiver.address).await?;
    let idle_mib = memory_mib(&server)?;
    let begun = Instant::now();
    use_each(&server, plugins, &ledger).await?;
    let took = begun.elapsed();
    let peak_mib = memory_mib(&server)?;
    let ids = ledger.webhook_ids();
    ensure!(ids == 2 * plugins as usize, "{ids} webhook-ids for {} events", 2 * plugins);
    let folder = server.leave().await?;

    // As after a change of the engine: what is compiled behind the start is ended with it.
    std::fs::remove_dir_all(folder.path().join(DATA).join("artifacts"))?;
    let (_, uncompiled) = place.starts(folder, 1).await?;

    println!("  memory          {peak_mib:.0} MiB at most after all were used, {idle_mib:.0} MiB after a start");
    println!("\n  start-up, ms        median    min    max    ({} starts)", settings.starts);
    for (name, starts) in [
        (format!("{FEW} plugins"), &with_few),
        (format!("{plugins} plugins"), &with_all),
        ("none compiled".to_owned(), &uncompiled),
    ] {
        if let Some(ms) = Spread::of(starts.iter().copied()) {
            println!("    {name:15}{:>10.0}{:>7.0}{:>7.0}", ms.median, ms.min, ms.max);
        }
    }
    println!(
        "\n  delivered, ms          p50    p95    p99    max    ({:.0} s for all)",
        took.as_secs_f64()
    );
    let mut medians_ms = Vec::new();
    for (name, documents) in [("cold", 0..plugins), ("warm", plugins..2 * plugins)] {
        let account = ledger.account(documents);
        let ms = [50, 95, 99, 100].map(|per_cent| percentile(&account.deliveries_ns, per_cent) as f64 / 1e6);
        println!("    {name:15}{:>10.2}{:>7.2}{:>7.2}{:>7.2}", ms[0], ms[1], ms[2], ms[3]);
        medians_ms.push(ms[0]);
    }
    if let [cold_ms, warm_ms] = medians_ms[..] {
        println!(
            "    the median cold one takes {:.2} ms more; aimed at: at most {AIM_MS} ms",
            cold_ms - warm_ms
        );
    }
    Ok(())
}

impl Place {
    /// So many starts, and how long each took until the host listened, in milliseconds.
    async fn starts(&self, mut folder: TempDir, count: u32) -> Result<(TempDir, Vec<f64>)> {
        let mut took_ms = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            let server = self.system.start_on(folder, self.receiver.address).await?;
            took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            folder = server.leave().await?;
        }
        Ok((folder, took_ms))
    }
}

fn memory_mib(server: &Server) -> Result<f64> {
    Ok(server.memory_peak_bytes()? as f64 / 1024.0 / 1024.0)
}

fn organization(plugin: u32) -> String {
    format!("density-{}", plugin % ORGANIZATIONS)
}

/// Uploads these plugins and makes an integration for each.
async fn register(door: &Door, receiver: SocketAddr, plugins: Range<u32>) -> Result<()> {
    for first in plugins.clone().filter(|plugin| *plugin < ORGANIZATIONS) {
        let body = format!(r#"{{"name": "{}"}}"#, organization(first));
        post(door, "/organizations", JSON, body.as_bytes()).await?;
    }
    let next = Arc::new(AtomicU32::new(plugins.start));
    let mut uploads = JoinSet::new();
    for _ in 0..UPLOADS {
        let (door, next, end) = (door.clone(), next.clone(), plugins.end);
        uploads.spawn(async move {
            loop {
                let plugin = next.fetch_add(1, Relaxed);
                if plugin >= end {
                    return anyhow::Ok(());
                }
                register_one(&door, receiver, plugin).await?;
            }
        });
    }
    while let Some(ended) = uploads.join_next().await {
        ended.context("join the uploads")??;
    }
    Ok(())
}

async fn register_one(door: &Door, receiver: SocketAddr, plugin: u32) -> Result<()> {
    let organization = organization(plugin);
    let path = format!("/plugins?name=plugin-{plugin}&organization={organization}");
    post(door, &path, "application/wasm", &call::numbered(plugin)).await?;
    let integration = format!(
        r#"{{"organization": "{organization}", "type": "webhook", "events": ["{}"], "inboxes": ["inbox-{plugin}"], "plugin": "plugin-{plugin}", "target": "http://{receiver}/"}}"#,
        event::KIND
    );
    post(door, "/integrations", JSON, integration.as_bytes()).await
}

/// Posts two events for each plugin, each once the one before it has been delivered.
async fn use_each(server: &Server, plugins: u32, ledger: &Ledger) -> Result<()> {
    for plugin in 0..plugins {
        for document in [plugin, plugins + plugin] {
            let body = event::for_inbox(&organization(plugin), plugin, document);
            ledger.posted(document);
            post(&server.door, "/events", JSON, body.as_bytes()).await?;
            ledger.answered(document);
            let arrived = ledger.arrived();
            let expected = 2 * plugin + 1 + u32::from(document >= plugins);
            timeout(DELIVERY_MAX, ledger.arrivals(expected)).await.with_context(|| {
                format!(
                    "document {document} of plugin {plugin} has not arrived, {arrived} have: {}",
                    server.complaints()
                )
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_its_organization_and_its_document() {
        let body = event::for_inbox(&organization(21), 21, 77);
        let event: serde_json::Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!((&event["organization"], &event["inbox"]), (&"density-1".into(), &"inbox-21".into()));
        assert_eq!(event::number_in(body.as_bytes()).expect("it carries one"), 77);
    }
}
