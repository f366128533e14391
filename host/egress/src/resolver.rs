//! From a name to its addresses, by the system's resolver.
//!
//! The system's call can not be cancelled and may hang for as long as a name server keeps silent, so it runs on a thread of its own
//! that counts until it is back, whoever has stopped waiting: a few for each organization, some for all.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, FailureCode};

/// From this many organizations on, those without a look-up under way are forgotten.
const ORGANIZATIONS_KEPT: usize = 256;

pub(crate) struct Resolver {
    /// Names answered from here, never by the system.
    fixed: HashMap<String, Vec<IpAddr>>,
    all: Arc<Semaphore>,
    organizations: Mutex<HashMap<u64, Arc<Semaphore>>>,
    max_per_organization: usize,
}

impl Resolver {
    pub(crate) fn new(fixed: HashMap<String, Vec<IpAddr>>, max: usize, max_per_organization: usize) -> Self {
        Self {
            fixed,
            all: Arc::new(Semaphore::new(max)),
            organizations: Mutex::default(),
            max_per_organization,
        }
    }

    /// All addresses of a name, at least one.
    pub(crate) async fn resolve(&self, organization: u64, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, Failure> {
        if let Some(addresses) = self.fixed.get(name) {
            return some(addresses.clone());
        }
        let own = timeout_at(deadline, self.of(organization).acquire_owned())
            .await
            .map_err(|_| failure("the organization's earlier look-ups have not come back in time"))?;
        let all = timeout_at(deadline, Arc::clone(&self.all).acquire_owned())
            .await
            .map_err(|_| Failure::local(FailureCode::Dns, "all look-ups of the host are hanging"))?;
        let question = name.to_owned();
        let call = tokio::task::spawn_blocking(move || {
            let _until_it_is_back = (own, all);
            look_up(&question)
        });
        match timeout_at(deadline, call).await {
            Err(_) => Err(failure("no answer in time")),
            Ok(Err(_)) => Err(Failure::local(
                FailureCode::Dns,
                "the look-up was given up, since the host is shutting down",
            )),
            Ok(Ok(Err(error))) => Err(Failure::of_io(FailureCode::Dns, "the name can not be resolved", &error)),
            Ok(Ok(Ok(addresses))) if addresses.is_empty() => Err(failure("the name has no addresses")),
            Ok(Ok(Ok(addresses))) => Ok(addresses),
        }
    }

    fn of(&self, organization: u64) -> Arc<Semaphore> {
        let mut organizations = self.organizations.lock().unwrap_or_else(PoisonError::into_inner);
        if organizations.len() >= ORGANIZATIONS_KEPT {
            organizations.retain(|_, semaphore| {
                // Others hold it while they wait or look up.
                Arc::strong_count(semaphore) > 1
            });
        }
        let semaphore = organizations
            .entry(organization)
            .or_insert_with(|| Arc::new(Semaphore::new(self.max_per_organization)));
        Arc::clone(semaphore)
    }
}

fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    // The port is of no interest, only the call has a place for one.
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in (name, 0).to_socket_addrs()? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    Ok(addresses)
}

fn some(addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Failure> {
    if addresses.is_empty() {
        return Err(failure("the name has no addresses"));
    }
    Ok(addresses)
}

fn failure(detail: &str) -> Failure {
    Failure::new(FailureCode::Dns, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn hanging_look_ups_of_one_organization_leave_others_alone() {
        let soon = || Instant::now() + Duration::from_millis(20);
        let later = || Instant::now() + Duration::from_secs(10);
        let resolver = Resolver::new(HashMap::new(), 3, 2);
        let hanging = resolver.of(1).acquire_many_owned(2).await;
        let theirs = resolver.resolve(1, "127.0.0.1", soon()).await;
        let theirs = theirs.expect_err("none left");
        assert_eq!((theirs.code, theirs.local_fault), (FailureCode::Dns, false));
        let others = resolver.resolve(2, "127.0.0.1", later()).await;
        assert_eq!(others, Ok(vec![IpAddr::from([127, 0, 0, 1])]));

        let all = Arc::clone(&resolver.all).acquire_many_owned(3).await;
        let others = resolver.resolve(2, "127.0.0.1", soon()).await;
        assert!(others.expect_err("none left").local_fault);
        drop((hanging, all));
        let theirs = resolver.resolve(1, "127.0.0.1", later()).await;
        assert!(theirs.is_ok());
    }

    #[test]
    fn organizations_without_look_ups_are_forgotten() {
        let resolver = Resolver::new(HashMap::new(), 1, 1);
        let kept = resolver.of(0);
        for organization in 1..1000 {
            let _ = resolver.of(organization);
        }
        let organizations = resolver.organizations.lock().expect("not poisoned");
        assert!(organizations.len() <= ORGANIZATIONS_KEPT);
        assert!(Arc::ptr_eq(&organizations[&0], &kept));
    }
}
