//! The machine, in the lines that a reader needs to judge the figures: what decides here is the number of cores and how
//! long the disk takes to promise.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::stats::percentile;

const SYNCS: usize = 101;

/// Prints what it is and where the data will lie.
pub(crate) fn print(folder: &Path) -> Result<()> {
    let cores = std::thread::available_parallelism()?;
    let memory_gib = memory_kib().map_or(0, |kib| kib.div_ceil(1024 * 1024));
    println!("  machine   {}, {cores} cores, {memory_gib} GiB", processor());
    println!("  system    Linux {}, {}", kernel(), compiler());
    let (device, kind) = file_system(folder).unwrap_or_default();
    let (p50_us, p99_us) = sync_us(folder)?;
    println!("  disk      {kind} on {device}; 4 KiB and fdatasync take {p50_us} µs (p99 {p99_us})");
    if cfg!(debug_assertions) {
        println!("  NOTE      a debug build: these figures say nothing");
    }
    Ok(())
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn memory_kib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The compiler at hand, which most likely built this.
fn compiler() -> String {
    let version = std::process::Command::new("rustc").arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    version.map_or_else(|| "no rustc at hand".to_owned(), |version| version.trim().to_owned())
}

/// Device and kind of the file system that the folder lies on: the mount with the longest path above it.
fn file_system(folder: &Path) -> Option<(String, String)> {
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(_, at, _)| folder.starts_with(at));
    // Of several mounts at one place the last one counts.
    above
        .max_by_key(|(_, at, _)| at.len())
        .map(|(device, _, kind)| (device.to_owned(), kind.to_owned()))
}

/// How long an append of one page and its `fdatasync` take there: the price of a commit.
fn sync_us(folder: &Path) -> Result<(u64, u64)> {
    let mut file: File = tempfile::tempfile_in(folder).context("write to the folder for the data")?;
    let mut took_us = Vec::new();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took_us.push(u64::try_from(start.elapsed().as_micros())?);
    }
    took_us.sort_unstable();
    Ok((percentile(&took_us, 50), percentile(&took_us, 99)))
}
