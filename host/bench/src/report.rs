//! The tables that a human reads.

use crate::event::EVENT_BYTES;
use crate::river::Round;
use crate::server::System;
use crate::stats::Spread;
use anyhow::Result;
use std::time::SystemTime;

/// How it is measured, and which binary.
pub(crate) fn method(rounds: u32, events: u32, warm_up: u32, systems: &[System]) -> Result<()> {
    println!(
        "  method    {rounds} rounds each, in turns, and who begins in turns; {events} events of {EVENT_BYTES} bytes after {warm_up} to warm up;"
    );
    println!("            each round a fresh process and folder; from the first post to the last delivery, all on loopback");
    for system in systems {
        if let System::Hookmill(program) = system {
            let age = SystemTime::now()
                .duration_since(program.metadata()?.modified()?)
                .unwrap_or_default();
            println!("  product   {}, built {} minutes ago", program.display(), age.as_secs() / 60);
        }
    }
    Ok(())
}

/// The rounds at full speed: one line a system, and how the second stands to the first.
pub(crate) fn full(connections: u32, systems: &[System], rounds: &[Vec<Round>]) {
    println!("\nAs fast as it goes, {connections} connections");
    println!("                       events/s            CPU µs       202, ms     delivered, ms    MiB");
    println!("                median    min    max     an event    p50    p99       p50    p99    peak");
    for (system, rounds) in systems.iter().zip(rounds) {
        let speed = spread(rounds.iter().map(|round| round.events_per_second));
        let cpu_us = median(rounds, |round| round.cpu_us);
        let memory_mib = median(rounds, |round| round.memory_mib);
        let (name, latencies) = (system.name(), latencies(rounds));
        println!(
            "  {name:12}{:>8.0}{:>7.0}{:>7.0}{cpu_us:>13.1}{latencies}{memory_mib:>8.0}",
            speed.median, speed.min, speed.max
        );
    }
    if let [floor, product] = rounds {
        let speeds = |rounds: &[Round]| rounds.iter().map(|round| round.events_per_second).collect::<Vec<f64>>();
        ratios("events/s", "the floor", &speeds(floor), &speeds(product));
        let cpu_us = |rounds: &[Round]| rounds.iter().map(|round| round.cpu_us).collect::<Vec<f64>>();
        ratios("CPU", "the floor", &cpu_us(floor), &cpu_us(product));
    }
    calls(rounds);
    let load_cpu_us = spread(rounds.iter().flatten().map(|round| round.load_cpu_us)).median;
    let duplicates: usize = rounds.iter().flatten().map(|round| round.duplicates).sum();
    println!("  load and receiver took {load_cpu_us:.1} µs an event beside it; repeated deliveries: {duplicates}");
}

/// The rounds at the slow rate.
pub(crate) fn slow(per_second: u32, events: u32, systems: &[System], rounds: &[Vec<Round>]) {
    println!("\nAt {per_second} events a second, {events} events a round");
    println!("                  202, ms     delivered, ms     CPU µs");
    println!("                p50    p99       p50    p99   an event");
    for (system, rounds) in systems.iter().zip(rounds) {
        println!(
            "  {:10}{}{:>11.0}",
            system.name(),
            latencies(rounds),
            median(rounds, |round| round.cpu_us)
        );
    }
    calls(rounds);
}

/// How long the plugin's calls took, as the host tells it of each run.
fn calls(rounds: &[Vec<Round>]) {
    let of_product: Vec<[f64; 2]> = rounds.iter().flatten().filter_map(|round| round.call_us).collect();
    if !of_product.is_empty() {
        let of_rounds = |at: usize| spread(of_product.iter().map(|call_us| call_us[at])).median;
        println!(
            "  a plugin's call inside the host: p50 {:.0} µs, p99 {:.0} µs",
            of_rounds(0),
            of_rounds(1)
        );
    }
}

/// Of 202 and delivery, each the median round's median and 99th percentile.
fn latencies(rounds: &[Round]) -> String {
    let answer = [0, 1].map(|at| median_at(rounds, |round| round.answer_ms, at));
    let delivery = [0, 1].map(|at| median_at(rounds, |round| round.delivery_ms, at));
    format!("{:>7.2}{:>7.2}{:>10.2}{:>7.2}", answer[0], answer[1], delivery[0], delivery[1])
}

/// How the product's figures stand to the limit's, of which there are as many, in the same order.
pub(crate) fn ratios(what: &str, limit_name: &str, limit: &[f64], product: &[f64]) {
    let of_medians = spread(product.iter().copied()).median / spread(limit.iter().copied()).median;
    let pairs = spread(limit.iter().zip(product).map(|(limit, product)| product / limit));
    println!(
        "  {what:10}{of_medians:>10.2} of {limit_name}; pair by pair {:.2} ({:.2} to {:.2})",
        pairs.median, pairs.min, pairs.max
    );
}

fn median_at(rounds: &[Round], figures: fn(&Round) -> [f64; 2], at: usize) -> f64 {
    spread(rounds.iter().map(|round| figures(round)[at])).median
}

fn median(rounds: &[Round], figure: fn(&Round) -> f64) -> f64 {
    spread(rounds.iter().map(figure)).median
}

/// Every system has played at least one round; of none there would be nothing to say.
pub(crate) fn spread(figures: impl Iterator<Item = f64>) -> Spread {
    Spread::of(figures).unwrap_or(Spread {
        median: f64::NAN,
        min: f64::NAN,
        max: f64::NAN,
    })
}
