//! The memory that bodies take: those of requests while they are read and judged, and apart from them those of answers until they are read. Small ones are bounded by the number of connections; a larger one takes its
//! share of what the host and its organization may have, as its bytes come in, and waits where there is none left. So a client that
//! announces much and sends little takes little, and one organization can not take what another needs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::limits::IntakeLimits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this size take no share.
pub(crate) const FREE_BYTES: usize = 64 * 1024;

const KIB: usize = 1024;

/// What is there to be shared.
#[derive(Clone)]
pub(crate) struct Bodies(Arc<Inner>);

struct Inner {
    host: Pool,
    organization_kib: usize,
    /// Those that have a larger body under way; others are dropped when the next one comes.
    organizations: Mutex<HashMap<OrganizationKey, Weak<Semaphore>>>,
}

#[derive(Clone)]
struct Pool {
    free: Arc<Semaphore>,
    kib: usize,
}

impl Pool {
    fn new(kib: usize) -> Pool {
        Pool {
            free: Arc::new(Semaphore::new(kib)),
            kib,
        }
    }

    /// Lets a claim have `kib` in all; one that is larger than the whole pool gets the whole pool.
    async fn top_up(&self, claim: &mut Option<OwnedSemaphorePermit>, kib: usize) {
        let held = claim.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = kib.min(self.kib).saturating_sub(held);
        if wanted == 0 {
            return;
        }
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let more = self
            .free
            .clone()
            .acquire_many_owned(wanted)
            .await
            .expect("the semaphore is never closed");
        match claim {
            Some(claim) => claim.merge(more),
            None => *claim = Some(more),
        }
    }
}

impl Bodies {
    /// What the limits allow payloads in memory.
    pub(crate) fn new(limits: &IntakeLimits) -> Bodies {
        let kib = |bytes: u64| {
            usize::try_from(bytes / KIB as u64)
                .unwrap_or(usize::MAX)
                .clamp(1, Semaphore::MAX_PERMITS)
        };
        Bodies(Arc::new(Inner {
            host: Pool::new(kib(limits.payload_memory_bytes_max)),
            organization_kib: kib(limits.payload_memory_bytes_max_per_organization),
            organizations: Mutex::default(),
        }))
    }

    /// A claim of nothing so far, by somebody of that organization. Operators are held to the host's share alone.
    pub(crate) fn claim(&self, organization: Option<OrganizationKey>) -> Claim {
        Claim {
            bodies: self.clone(),
            organization,
            of_organization: None,
            of_host: None,
        }
    }

    fn pool(&self, organization: OrganizationKey) -> Pool {
        let mut pools = self.0.organizations.lock().unwrap_or_else(PoisonError::into_inner);
        let kib = self.0.organization_kib;
        if let Some(free) = pools.get(&organization).and_then(Weak::upgrade) {
            return Pool { free, kib };
        }
        pools.retain(|_, pool| pool.strong_count() > 0);
        let pool = Pool::new(kib);
        pools.insert(organization, Arc::downgrade(&pool.free));
        pool
    }
}

/// Memory that a body takes; given back when it is dropped.
pub(crate) struct Claim {
    bodies: Bodies,
    organization: Option<OrganizationKey>,
    of_organization: Option<OwnedSemaphorePermit>,
    of_host: Option<OwnedSemaphorePermit>,
}

impl Claim {
    /// Lets the claim hold `bytes` in all, when there is room for them: the organization's first, so that it waits for itself alone.
    pub(crate) async fn grow(&mut self, bytes: usize) {
        let kib = bytes.div_ceil(KIB);
        if let Some(organization) = self.organization {
            self.bodies.pool(organization).top_up(&mut self.of_organization, kib).await;
        }
        self.bodies.0.host.top_up(&mut self.of_host, kib).await;
    }

    /// Gives back what the claim holds past `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let kib = bytes.div_ceil(KIB);
        for held in [&mut self.of_organization, &mut self.of_host].into_iter().flatten() {
            drop(held.split(held.num_permits().saturating_sub(kib)));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_now::now;

    use super::*;

    /// Whether a future is ready at once.
    mod futures_now {
        use std::pin::pin;
        use std::task::{Context, Poll, Waker};

        pub(super) fn now(future: impl Future<Output = ()>) -> bool {
            pin!(future).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
        }
    }

    fn bodies() -> Bodies {
        Bodies::new(&IntakeLimits {
            payload_memory_bytes_max: 300 * 1024,
            payload_memory_bytes_max_per_organization: 200 * 1024,
            ..IntakeLimits::default()
        })
    }

    #[test]
    fn an_organization_waits_for_itself() {
        let bodies = bodies();
        let mut first = bodies.claim(Some(OrganizationKey(1)));
        assert!(now(first.grow(150 * 1024)));
        let mut second = bodies.claim(Some(OrganizationKey(1)));
        assert!(!now(second.grow(60 * 1024)), "150 and 60 are more than 200");
        assert!(
            now(bodies.claim(Some(OrganizationKey(2))).grow(100 * 1024)),
            "another one is not held up"
        );
        drop(first);
        assert!(now(second.grow(60 * 1024)));
    }

    #[test]
    fn one_larger_than_all_goes_alone() {
        let bodies = bodies();
        let mut large = bodies.claim(None);
        assert!(now(large.grow(1024 * 1024)));
        assert!(now(large.grow(2048 * 1024)), "it has all there is");
        assert!(!now(bodies.claim(None).grow(1)));
        drop(large);
        assert!(now(bodies.claim(None).grow(1)));
    }

    #[test]
    fn claims_grow_by_what_is_missing() {
        let bodies = bodies();
        let mut claim = bodies.claim(Some(OrganizationKey(1)));
        assert!(now(claim.grow(100 * 1024)));
        assert!(now(claim.grow(200 * 1024)));
        assert!(now(claim.grow(10)), "it never shrinks by itself");
        assert!(!now(bodies.claim(Some(OrganizationKey(1))).grow(1)));
    }
    #[test]
    fn claims_give_back_what_they_no_longer_need() {
        let bodies = bodies();
        let mut claim = bodies.claim(Some(OrganizationKey(1)));
        assert!(now(claim.grow(200 * 1024)));
        claim.shrink(300 * 1024);
        assert!(!now(bodies.claim(Some(OrganizationKey(1))).grow(1)), "it had no more");
        claim.shrink(150 * 1024);
        assert!(now(bodies.claim(Some(OrganizationKey(1))).grow(50 * 1024)));
        assert!(now(bodies.claim(None).grow(150 * 1024)));
        assert!(now(claim.grow(150 * 1024)), "it has kept that");
        claim.shrink(0);
        assert!(now(bodies.claim(None).grow(300 * 1024)));
    }
}
