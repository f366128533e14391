//! Fuel: how much a call computes, as a count of executed instructions that is the same on every machine and each time.
//!
//! Counting changes the compiled code and makes it slower, so no host's call is counted: a component is compiled once more, for an engine
//! of its own, and the call is made again there, in the same sandbox and with the same limits but those on time. The artifact comes from
//! the compiling child's pipe into memory. It lies in no folder, so no other engine can find it, and would refuse it if it did: what
//! decides the code is written into it.
//!
//! Counted is all that the guest executes: what its core modules do when they are instantiated (their start functions, the values of their
//! globals), the allocations by which it takes the event, `transform`, the calls of its parts among each other, and what it frees after
//! it has answered. An instruction counts 1, and so does entering a function; `block`, `loop`, `else`, `end`, `return`, `drop` and `nop` count
//! nothing; a copy or a fill counts 1 more for each byte or element. The first content of its memories counts nothing, for a host maps it;
//! nor does what the host does for the guest (lifting, logs, clocks).
//!
//! Nothing of the machine goes into the count:
//! - It is put in by the translation of each function, before a processor is thought of; so registers, vectors, optimisation, the size of
//!   pages and reserved addresses change the code and not the count.
//! - There are no epochs here. A guest gives its thread away after so many instructions, always the same number, and how often does not
//!   count.
//! - Memory grows by the limiter's rules, as in every call, and what is past them is a trap, never an answer that depends on what is free.
//! - What does depend on the machine gets no count: a call that fills its stack, whose frames are another processor's other frames; one
//!   for which the host had no memory; one that the wall clock had to end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use wasmtime::{Store, Trap};

use crate::Plugins;
use crate::call::{Call, answer};
use crate::compiling::{blocking, host};
use crate::engine::{Metering, Size, Tier};
use crate::fault::is_of_host;
use crate::inspect::link;
use crate::loaded::{Component, Ready};
use crate::mapping::taken;
use crate::refusal::{LoadError, Refusal};
use crate::sandbox::{Sandbox, store};

/// The most that is counted of a call: many times what the CPU time of a call allows, and some ten seconds of an endless loop.
pub(crate) const FUEL_MAX: u64 = 10_000_000_000;
/// After so much fuel the guest gives its thread away. What a function has used since its last call, and no more than this, is lost where
/// it ends in a trap of the processor: so it is a part of such a call's count, and changing it changes the count.
const SLICE_FUEL: u64 = 10_000;
/// How long counting one call may take: many times what the slowest machine needs for [`FUEL_MAX`].
const WALL: Duration = Duration::from_secs(300);

/// The fuel of a call: a count of the instructions that it executed, the same for equal calls of equal components on every machine.
///
/// It changes with the version of wasmtime, which puts the counting in. A call that ended in a trap inside a function (a division by
/// zero, an address out of bounds) is told without that function's instructions since its last call, at most some ten thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fuel {
    /// So much, to the end of the call, however that was.
    Used(u64),
    /// The call was ended when it had used more than this.
    MoreThan(u64),
    /// There is no count that would be the same elsewhere.
    Uncounted(Uncounted),
}

/// Why there is no count of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Uncounted {
    /// It filled its stack.
    #[error("the call filled its stack, whose end depends on the processor")]
    Stack,
    /// The machine had no memory or no slot for it.
    #[error("this machine could not give the call what it needs")]
    Host,
    /// It took too long on this machine.
    #[error("the call could not be counted within {wall_seconds} s")]
    Time {
        /// How long it took at least.
        wall_seconds: u64,
    },
}

/// A component that is ready for counting. It can be called by nothing else.
#[derive(Debug, Clone)]
pub struct Fueled(Component);

impl Plugins {
    /// Makes a component ready for counting: compiles it once more. `bytes` are the component's own.
    pub async fn with_fuel(&self, component: &Component, bytes: Bytes) -> Result<Fueled, LoadError> {
        let refused = |refusal: Refusal| LoadError::Refused(Arc::new(refusal));
        let digest = *component.digest();
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(LoadError::WrongBytes { wanted: digest, found });
        }
        let artifact = self.0.compiler.compile_with_fuel(bytes).await.map_err(refused)?;
        // The same slots as for its calls: they bound its tables.
        let is_large = Arc::ptr_eq(&component.ready().tier, &self.0.tiers.large);
        let size = if is_large { Size::large(1, 1) } else { Size::small(1, 1) };
        let limits = self.0.limits.clone();
        let made = blocking(move || {
            let tier = Tier::open(&limits, &size, Metering::Fuel).map_err(std::io::Error::other)?;
            let component = taken(&tier.engine, &artifact).map_err(std::io::Error::other)?;
            Ok(link(&Arc::new(tier), digest, &component, artifact.bytes().len() as u64, 0))
        });
        let component = made.await.map_err(|error| refused(host(error)))?.map_err(refused)?;
        Ok(Fueled(component))
    }

    /// Counts the fuel of a call, which is made for nothing else: it does what it does by [`Plugins::transform`], but has more stack, and no
    /// limit on CPU time. An endless one is ended when it has used more than ten billion, which takes some seconds.
    pub async fn count_fuel(&self, component: &Fueled, call: &Call<'_>) -> Fuel {
        let ready = component.0.ready();
        let _slot = ready.tier.calls.acquire().await.expect("nobody closes the semaphore");
        let mut store = store(&ready.tier, &self.0.limits, call.data.len() as u64, call.accepted_at, call.seed);
        let counted = tokio::time::timeout(WALL, count(ready, &mut store, call)).await;
        let timed_out = Uncounted::Time {
            wall_seconds: WALL.as_secs(),
        };
        counted.unwrap_or(Fuel::Uncounted(timed_out))
    }
}

pub(crate) async fn count(ready: &Ready, store: &mut Store<Sandbox>, call: &Call<'_>) -> Fuel {
    // One more than is told: who has used it all has used more.
    let filled = FUEL_MAX + 1;
    store.set_fuel(filled).expect(COUNTS);
    store.fuel_async_yield_interval(Some(SLICE_FUEL)).expect(COUNTS);
    let ended = async {
        let instance = ready.pre.instantiate_async(&mut *store).await?;
        answer(ready, store, &instance, call).await
    };
    let ended = ended.await;
    let used = filled - store.get_fuel().expect(COUNTS);
    match ended {
        Err(error) if is_of_host(&error) => Fuel::Uncounted(Uncounted::Host),
        Err(error) if matches!(error.downcast_ref(), Some(Trap::StackOverflow)) => Fuel::Uncounted(Uncounted::Stack),
        _ if used > FUEL_MAX => Fuel::MoreThan(FUEL_MAX),
        _ => Fuel::Used(used),
    }
}

const COUNTS: &str = "a component is fueled by an engine that counts alone";
