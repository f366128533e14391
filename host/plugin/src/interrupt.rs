//! Interrupts: whoever wants a guest's thread for another call does not wait for the next tick.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use wasmtime::{Engine, EngineWeak};

use crate::ticker::TICK;

/// How long slices are at least on the average, however many want the threads: what one organization posts cuts those of another, and a slice
/// costs a switch.
const GAP_NS: u64 = (TICK.as_nanos() / 4) as u64;

/// Interrupts running guests. It keeps nothing of the room alive.
pub struct Interrupter {
    engines: [EngineWeak; 2],
    began: Instant,
    /// When it last did so, since it began.
    last_ns: AtomicU64,
}

impl fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupter").finish_non_exhaustive()
    }
}

impl Interrupter {
    pub(crate) fn new(engines: [&Engine; 2]) -> Interrupter {
        Interrupter {
            engines: engines.map(Engine::weak),
            began: Instant::now(),
            last_ns: AtomicU64::new(0),
        }
    }

    /// Lets the guests that are running give their threads away now, and not at the next tick, unless that has happened a moment ago. What they
    /// may compute they keep.
    pub fn interrupt(&self) {
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let last_ns = self.last_ns.load(SeqCst);
        if now_ns < last_ns.saturating_add(GAP_NS) || self.last_ns.compare_exchange(last_ns, now_ns, SeqCst, SeqCst).is_err() {
            return;
        }
        for engine in self.engines.iter().filter_map(EngineWeak::upgrade) {
            engine.increment_epoch();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use wasmtime::{Config, Instance, Module, Store, UpdateDeadline};

    use super::*;

    /// So long a guest runs that nobody interrupts: the test lets it go after that, and has failed.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_guest_is_interrupted_at_most_once_in_a_while() {
        let engine = Engine::new(Config::new().epoch_interruption(true)).expect("an engine");
        let interrupter = Arc::new(Interrupter::new([&engine, &engine]));
        let ended = Arc::new(AtomicBool::new(false));
        let caller = std::thread::spawn({
            let (interrupter, engine, ended) = (interrupter.clone(), engine.clone(), ended.clone());
            move || {
                let began = Instant::now();
                let mut asked = 0_u64;
                while !ended.load(SeqCst) && began.elapsed() < PATIENCE {
                    interrupter.interrupt();
                    asked += 1;
                }
                let by_itself = ended.load(SeqCst);
                while !ended.load(SeqCst) {
                    engine.increment_epoch();
                }
                (by_itself, asked)
            }
        });
        let module = wat::parse_str(r#"(module (func (export "loop") (loop (br 0))))"#).expect("a module");
        let module = Module::new(&engine, module).expect("a module");
        let mut store = Store::new(&engine, 0);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            *store.data_mut() += 1;
            match *store.data() {
                20 => Ok(UpdateDeadline::Interrupt),
                _ => Ok(UpdateDeadline::Continue(1)),
            }
        });
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        let forever = instance.get_typed_func::<(), ()>(&mut store, "loop").expect("a function");
        let began = Instant::now();
        forever.call(&mut store, ()).expect_err("it is interrupted");
        let took = began.elapsed();
        ended.store(true, SeqCst);
        let (by_itself, asked) = caller.join().expect("joined");
        assert!(by_itself, "nobody interrupted it");
        assert!(
            took >= Duration::from_nanos(GAP_NS) * 9,
            "{took:?}: two raises each, with a gap between"
        );
        assert!(asked > 20, "{asked}");
    }
}
