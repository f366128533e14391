//! The thread that raises the engines' epochs, so that running guests come by their meters.
//!
//! It ticks while calls begin or are under way, and parks when there have been none for a while: an idle host wakes nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How often a running guest gives its thread away.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call after which the thread parks.
const IDLE_TICKS_MAX: u32 = 100;

/// Owns the thread and joins it when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    begun: AtomicU64,
    ended: AtomicU64,
    parked: AtomicBool,
    stopped: AtomicBool,
}

/// While it lives, the epochs go on.
#[derive(Debug)]
pub(crate) struct Ticking<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engines: &[&Engine]) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let engines = engines.iter().map(|engine| engine.weak()).collect();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("plugin-ticker".to_owned())
            .spawn(move || run(&of_thread, engines))?;
        Ok(Ticker {
            shared,
            thread: Some(thread),
        })
    }

    /// To be held during a call.
    pub(crate) fn during_call(&self) -> Ticking<'_> {
        self.shared.begun.fetch_add(1, SeqCst);
        if self.shared.parked.load(SeqCst) {
            self.wake();
        }
        Ticking(&self.shared)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It can not panic: it has nothing to fail at.
            let _ = thread.join();
        }
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, SeqCst);
    }
}

fn run(shared: &Shared, engines: Vec<EngineWeak>) {
    let mut begun_before = 0;
    let mut idle_ticks = 0;
    while !shared.stopped.load(SeqCst) {
        std::thread::sleep(TICK);
        for engine in engines.iter().filter_map(EngineWeak::upgrade) {
            engine.increment_epoch();
        }
        // Read in this order, so that a call between the two reads counts as under way.
        let ended = shared.ended.load(SeqCst);
        let begun = shared.begun.load(SeqCst);
        let idle = begun == ended && begun == begun_before;
        idle_ticks = if idle { idle_ticks + 1 } else { 0 };
        begun_before = begun;
        if idle_ticks == IDLE_TICKS_MAX {
            idle_ticks = 0;
            // A call that begins after this store unparks; one that began before it is seen by the load.
            shared.parked.store(true, SeqCst);
            if shared.begun.load(SeqCst) == begun && !shared.stopped.load(SeqCst) {
                std::thread::park();
            }
            shared.parked.store(false, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_ticker_parks_and_a_call_wakes_it() {
        let engine = crate::engine::compiling(crate::engine::Metering::Epochs).expect("an engine");
        let ticker = Ticker::start(&[&engine]).expect("a thread");
        let wait_until_parked = |parked: bool| {
            while ticker.shared.parked.load(SeqCst) != parked {
                std::thread::yield_now();
            }
        };
        for _ in 0..2 {
            wait_until_parked(true);
            let _ticking = ticker.during_call();
            wait_until_parked(false);
        }
    }
}
