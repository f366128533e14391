//! `cargo bench -p hookmill-bench`: a plugin call in the host's own path beside a bare wasmtime loop, with one plugin and with 64 in turn.
//!
//! The loops are those of `hookmill-bench call`, which prints percentiles and the machine. Criterion adds its statistics, keeps the last run
//! under `target/criterion` and compares the next one with it. Only the calls are timed, not the checks of their answers.

use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion};
use hookmill_bench::{COMPILE_CHILD, Loops};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(COMPILE_CHILD) {
        return hookmill_plugin_room::compile_child(args);
    }
    let mut criterion = Criterion::default().configure_from_args();
    calls(&mut criterion);
    criterion.final_summary();
    ExitCode::SUCCESS
}

fn calls(criterion: &mut Criterion) {
    let program = std::env::current_exe().expect("this program");
    let folder = program.parent().expect("a program lies in a folder");
    let mut group = criterion.benchmark_group("plugin call");
    let calls = |iterations| u32::try_from(iterations).unwrap_or(u32::MAX);
    for plugins in [1, 64] {
        let loops = Loops::open(plugins, folder).expect("both loops are made ready");
        group.bench_function(BenchmarkId::new("bare wasmtime", plugins), |bencher| {
            bencher.iter_custom(|iterations| loops.bare(calls(iterations)).expect("the calls give back their events"));
        });
        group.bench_function(BenchmarkId::new("hookmill", plugins), |bencher| {
            bencher.iter_custom(|iterations| loops.room(calls(iterations)).expect("the calls give back their events"));
        });
    }
    group.finish();
}
