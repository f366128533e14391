//! A child that compiles, seen from outside while it does.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookmill_domain::limits::PluginLimits;
use hookmill_plugin_room::{CompilerCommand, Plugins, Settings};

use crate::child;
use crate::guests::slow_guest;

/// How long anything may take here, unless it has gone wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the kernel tells of a child.
struct Seen {
    environment: Vec<u8>,
    /// The soft and the hard limit of each resource, by its name.
    limits: HashMap<String, [String; 2]>,
    process: u32,
    group: u32,
}

/// The process that has this in its environment, once it is sealed: that comes after its limits.
async fn sealed(mark: &[u8]) -> Seen {
    loop {
        for entry in fs::read_dir("/proc").expect("the kernel's own folder") {
            let entry = entry.expect("an entry");
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some(seen) = look(process, &entry.path(), mark) {
                return seen;
            }
        }
        // Nothing tells of it but these files.
        tokio::task::yield_now().await;
    }
}

/// `None`: it is another process, it has ended, or is not sealed yet.
fn look(process: u32, folder: &Path, mark: &[u8]) -> Option<Seen> {
    let environment = fs::read(folder.join("environ")).ok()?;
    if !environment.windows(mark.len()).any(|part| part == mark) {
        return None;
    }
    let text = |name| fs::read_to_string(folder.join(name)).ok();
    let is_sealed = text("status")?.lines().any(|line| line == "Seccomp:\t2");
    let limits = text("limits")?;
    // Columns of fixed width: the resource, its soft and its hard limit.
    let limits = limits.lines().skip(1).map(|line| {
        let (name, values) = line.split_at(25);
        let mut values = values.split_whitespace().map(str::to_owned);
        (name.trim_end().to_owned(), [(); 2].map(|()| values.next().unwrap_or_default()))
    });
    // Its name stands in parentheses, then its state, its parent and its group.
    let stat = text("stat")?;
    let group = stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()?;
    is_sealed.then(|| Seen {
        environment,
        limits: limits.collect(),
        process,
        group,
    })
}

#[tokio::test]
async fn it_is_limited_and_knows_nothing_of_its_surroundings() {
    let dir = tempfile::tempdir().expect("a folder");
    let command = CompilerCommand {
        env: vec![("MARK".into(), PathBuf::from(dir.path()).into())],
        ..child()
    };
    let settings = Settings {
        hot_slots: 16,
        ..Settings::new(dir.path(), command)
    };
    let plugins = Plugins::open(settings).expect("a room");
    let mark = [b"MARK=", dir.path().as_os_str().as_bytes()].concat();
    let seen = tokio::select! {
        compiled = plugins.inspect(None, slow_guest()) => panic!("nobody saw it compile: {compiled:?}"),
        seen = tokio::time::timeout(PATIENCE, sealed(&mark)) => seen.expect("it compiles"),
    };
    assert_eq!(
        seen.environment,
        [&mark[..], b"\0"].concat(),
        "it has what it was given, and nothing else"
    );
    assert_eq!(seen.group, seen.process, "signals of the host's terminal are not for it");
    let PluginLimits {
        compile_cpu_seconds,
        compile_memory_bytes,
        ..
    } = PluginLimits::default();
    for (resource, soft, hard) in [
        ("Max cpu time", compile_cpu_seconds, compile_cpu_seconds + 1),
        ("Max address space", compile_memory_bytes, compile_memory_bytes),
        ("Max file size", 0, 0),
        ("Max core file size", 0, 0),
        ("Max open files", 16, 16),
        ("Max processes", 0, 0),
    ] {
        assert_eq!(seen.limits[resource], [soft.to_string(), hard.to_string()], "{resource}");
    }
}
