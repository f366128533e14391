//! What Linux tells of a process: CPU time used and the most memory it had. Read from `/proc`, so that a process need
//! not have ended.

use anyhow::{Context, Result};
use std::time::Duration;

/// User and system time of all threads, ended ones too, to the kernel's tick (10 ms).
pub(crate) fn cpu(process_id: u32) -> Result<Duration> {
    let stat = read(process_id, "stat")?;
    // The second field is a name in parentheses that may hold anything; user and system time are the 14th and 15th.
    let fields = stat.rsplit_once(')').context("read /proc/…/stat")?.1;
    let ticks = fields.split_ascii_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>().context("read the CPU time in /proc/…/stat")?;
    Ok(Duration::from_secs(1) * u32::try_from(ticks)? / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// The largest resident size so far, in bytes.
pub(crate) fn memory_peak_bytes(process_id: u32) -> Result<u64> {
    let status = read(process_id, "status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("find VmHWM in /proc/…/status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>().context("read VmHWM")? * 1024)
}

fn read(process_id: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{process_id}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_is_seen_to_work() {
        let own = std::process::id();
        let before = cpu(own).expect("this process has a stat");
        let mut sum = 0_u64;
        while cpu(own).expect("this process has a stat") == before {
            sum = (0..100_000).fold(sum, |sum, number| sum.wrapping_mul(31).wrapping_add(number));
        }
        assert!(std::hint::black_box(sum) != 1);
        assert!(memory_peak_bytes(own).expect("this process has a status") > 100_000);
    }
}
