//! The memory that bodies take: those of requests while they are read and judged, and apart from them those of answers until they are read.
//! Small ones are bounded by the number of connections; a larger one takes its share of what the host and its organization may have, as its
//! bytes come in, and waits where there is none left. So a client that announces much and sends little takes little, and one organization can
//! not take what another needs. Since they grow, they may come to wait for each other: then one goes on past what there is, so that a pool is
//! exceeded by one body at most. One that is larger than its organization's pool takes no more of the host's than that, so that nobody waits
//! for it alone. Of these, one goes on at a time, past what there is. Answers ask for all that they take at once: those that wait for it keep
//! nothing from others.

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
    /// For one claim that is larger than its organization's pool.
    larger: Arc<Semaphore>,
    /// Those that have a larger body under way; others are dropped when the next one comes.
    organizations: Mutex<HashMap<OrganizationKey, Weak<Shared>>>,
}

#[derive(Clone)]
struct Pool {
    shared: Arc<Shared>,
    kib: usize,
}

struct Shared {
    free: Arc<Semaphore>,
    /// For one claim that holds something already and would wait for more: it goes on past the pool. Claims that grow side by side would else
    /// all wait for what the others hold.
    past: Arc<Semaphore>,
}

impl Pool {
    fn new(kib: usize) -> Pool {
        let shared = Shared {
            free: Arc::new(Semaphore::new(kib)),
            past: Arc::new(Semaphore::new(1)),
        };
        Pool {
            shared: Arc::new(shared),
            kib,
        }
    }
}

/// What a claim has of a pool.
struct Share {
    pool: Pool,
    held: Option<OwnedSemaphorePermit>,
    /// It has whatever it wants beside the pool: at most one share has.
    past: Option<OwnedSemaphorePermit>,
}

impl Share {
    fn new(pool: Pool) -> Share {
        Share {
            pool,
            held: None,
            past: None,
        }
    }

    fn kib(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Lets it have `kib` in all; one that is larger than the whole pool gets the whole pool.
    async fn top_up(&mut self, kib: usize) {
        let has = self.kib();
        let wanted = kib.min(self.pool.kib).saturating_sub(has);
        if wanted == 0 || self.past.is_some() {
            return;
        }
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let Shared { free, past } = &*self.pool.shared;
        tokio::select! {
            biased;
            more = free.clone().acquire_many_owned(wanted) => self.add(more.expect("the semaphore is never closed")),
            past = past.clone().acquire_owned(), if has > 0 => self.past = Some(past.expect("the semaphore is never closed")),
        }
    }

    /// The same without waiting: as much of it as is free.
    fn take(&mut self, kib: usize) {
        let Shared { free, .. } = &*self.pool.shared;
        let wanted = kib.saturating_sub(self.kib()).min(free.available_permits());
        let more = u32::try_from(wanted).map(|wanted| free.clone().try_acquire_many_owned(wanted));
        // Whoever comes in between has it.
        if let Ok(Ok(more)) = more {
            self.add(more);
        }
    }

    fn add(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
    }

    fn shrink(&mut self, kib: usize) {
        if kib <= self.kib() {
            self.past = None;
        }
        if let Some(held) = &mut self.held {
            drop(held.split(held.num_permits().saturating_sub(kib)));
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
            larger: Arc::new(Semaphore::new(1)),
            organizations: Mutex::default(),
        }))
    }

    /// A claim of nothing so far, by somebody of that organization. Operators are held to the host's share alone.
    pub(crate) fn claim(&self, organization: Option<OrganizationKey>) -> Claim {
        Claim {
            bodies: self.clone(),
            organization,
            of_organization: None,
            of_host: Share::new(self.0.host.clone()),
            larger: None,
        }
    }

    fn pool(&self, organization: OrganizationKey) -> Pool {
        let mut pools = self.0.organizations.lock().unwrap_or_else(PoisonError::into_inner);
        let kib = self.0.organization_kib;
        if let Some(shared) = pools.get(&organization).and_then(Weak::upgrade) {
            return Pool { shared, kib };
        }
        pools.retain(|_, pool| pool.strong_count() > 0);
        let pool = Pool::new(kib);
        pools.insert(organization, Arc::downgrade(&pool.shared));
        pool
    }
}

/// Memory that a body takes; given back when it is dropped.
pub(crate) struct Claim {
    bodies: Bodies,
    organization: Option<OrganizationKey>,
    of_organization: Option<Share>,
    of_host: Share,
    larger: Option<OwnedSemaphorePermit>,
}

impl Claim {
    /// Lets the claim hold `bytes` in all, when there is room for them: the organization's first, so that it waits for itself alone. One that
    /// grows in steps always comes to an end: of those that wait for more, one goes on past its organization's pool, and one past all.
    pub(crate) async fn grow(&mut self, bytes: usize) {
        let kib = bytes.div_ceil(KIB);
        if self.larger.is_some() {
            return;
        }
        if kib > self.kib_max() {
            let larger = self.bodies.0.larger.clone().acquire_owned().await;
            self.larger = Some(larger.expect("the semaphore is never closed"));
            // It waits for nothing more, since whoever waits for it may have the rest.
            return self.take(self.kib_max());
        }
        if self.of_host.past.is_some() {
            return;
        }
        if let Some(organization) = self.organization {
            let pool = || self.bodies.pool(organization);
            self.of_organization.get_or_insert_with(|| Share::new(pool())).top_up(kib).await;
        }
        self.of_host.top_up(kib).await;
    }

    /// What it takes of the pools at most.
    fn kib_max(&self) -> usize {
        self.organization.map_or(usize::MAX, |_| self.bodies.0.organization_kib)
    }

    fn shares(&mut self) -> impl Iterator<Item = &mut Share> {
        self.of_organization.iter_mut().chain([&mut self.of_host])
    }

    /// Has it hold `kib` of the pools, or what of it is free.
    fn take(&mut self, kib: usize) {
        if let Some(organization) = self.organization {
            let pool = || self.bodies.pool(organization);
            self.of_organization.get_or_insert_with(|| Share::new(pool()));
        }
        self.shares().for_each(|share| share.take(kib));
    }

    /// Gives back what the claim holds past `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let kib = bytes.div_ceil(KIB);
        self.shares().for_each(|share| share.shrink(kib));
        if self.larger.is_some() {
            self.take(kib.min(self.kib_max()));
            // Where the pools have no room for it, it stays the one that is past them.
            if self.shares().all(|share| share.kib() >= kib) {
                self.larger = None;
            }
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
    fn of_claims_that_wait_for_each_other_one_goes_on() {
        let bodies = bodies();
        let claims = |organization| [(); 2].map(|()| bodies.claim(Some(OrganizationKey(organization))));
        let ([mut first, mut second], [mut third, mut fourth]) = (claims(1), claims(2));
        for claim in [&mut first, &mut second] {
            assert!(now(claim.grow(100 * 1024)));
        }
        assert!(now(third.grow(50 * 1024)) && now(fourth.grow(50 * 1024)));
        // Each organization's pool, or the host's, is taken by claims that all want more.
        assert!(now(first.grow(150 * 1024)), "the one past the host's waits for nobody");
        assert!(now(first.grow(200 * 1024)));
        assert!(!now(second.grow(150 * 1024)), "both are taken, and so is the way past them");
        assert!(!now(third.grow(60 * 1024)) && !now(fourth.grow(60 * 1024)));
        assert!(!now(bodies.claim(None).grow(1)), "who holds nothing keeps nobody from going on");
        drop(first);
        assert!(now(second.grow(150 * 1024)), "then there is room for the next");
        drop(second);
        assert!(now(third.grow(60 * 1024)) && now(fourth.grow(60 * 1024)));
        // What was past a pool is given back like the rest.
        assert!(now(third.grow(140 * 1024)) && now(fourth.grow(160 * 1024)));
        fourth.shrink(50 * 1024);
        assert!(now(third.grow(150 * 1024)) && now(bodies.claim(None).grow(100 * 1024)));
    }

    #[test]
    fn one_organization_takes_no_more_of_the_hosts_than_of_its_own() {
        let bodies = bodies();
        let mut whole = bodies.claim(Some(OrganizationKey(1)));
        assert!(now(whole.grow(100 * 1024 * 1024)));
        let mut others = bodies.claim(Some(OrganizationKey(2)));
        assert!(now(others.grow(100 * 1024)));
        drop(others);
        // Two would take a multiple of what the pools tell.
        let bodies = Bodies::new(&IntakeLimits {
            payload_memory_bytes_max: 400 * 1024,
            payload_memory_bytes_max_per_organization: 200 * 1024,
            ..IntakeLimits::default()
        });
        let [mut first, mut second] = [1, 2].map(|organization| bodies.claim(Some(OrganizationKey(organization))));
        assert!(now(first.grow(300 * 1024)));
        assert!(!now(second.grow(300 * 1024)));
        assert!(now(first.grow(400 * 1024)), "it grows on");
        let mut others = bodies.claim(Some(OrganizationKey(3)));
        assert!(
            now(others.grow(200 * 1024)),
            "who waits to be the larger one keeps nothing from others"
        );
        drop(others);
        first.shrink(200 * 1024);
        assert!(now(second.grow(300 * 1024)));
    }

    #[test]
    fn one_that_is_larger_waits_for_no_room_and_leaves_its_place_when_it_has_some() {
        let bodies = bodies();
        let claim = |organization| bodies.claim(Some(OrganizationKey(organization)));
        let [mut first, mut second, mut third] = [1, 2, 3].map(claim);
        assert!(now(first.grow(200 * 1024)) && now(second.grow(50 * 1024)));
        assert!(now(third.grow(300 * 1024)), "50 were free, and it has those");
        assert!(!now(claim(2).grow(1)));
        third.shrink(100 * 1024);
        assert!(
            !now(second.grow(201 * 1024)),
            "the pools have room for 50 of its 100: it stays the larger one"
        );
        drop(first);
        third.shrink(100 * 1024);
        assert!(now(second.grow(201 * 1024)));
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
