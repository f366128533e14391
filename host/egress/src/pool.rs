//! Connections between requests.
//!
//! HTTP/1.1 connections wait here, the latest used first; an HTTP/2 connection stays here while requests share it. The pool is bounded
//! for each endpoint and in all, the longest unused makes room, and [`Pool::sweep`] lets go what nobody has used for long. It never
//! dials and never judges: who takes a connection judges its address first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http2::SendRequest;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::endpoint::Endpoint;
use crate::h1::H1;
use crate::h2_link::{H2, RequestBody};
use crate::link::Link;
use crate::transport::Ends;

pub(crate) struct Limits {
    pub(crate) idle_max: usize,
    pub(crate) idle_max_per_target: usize,
    pub(crate) idle_timeout: Duration,
}

pub(crate) struct Pool {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    places: HashMap<Arc<Endpoint>, Place>,
    /// HTTP/1.1 connections by ticket, so the longest unused comes first.
    idle: BTreeMap<u64, Idle>,
    last_ticket: u64,
    closed: bool,
}

/// What is known of one endpoint.
#[derive(Default)]
struct Place {
    /// Tickets of its idle connections, the latest last.
    idle: Vec<u64>,
    shared: Option<Shared>,
    /// It has answered over TLS that it speaks HTTP/1.1, so that nobody need wait to share.
    speaks_h1: bool,
    dialling: Option<watch::Receiver<()>>,
}

struct Idle {
    endpoint: Arc<Endpoint>,
    connection: Box<H1>,
    expires: Instant,
}

struct Shared {
    h2: H2,
    used: Instant,
}

/// How a request without a pooled connection goes on.
pub(crate) enum Turn {
    /// It dials.
    Free,
    /// It dials, and others wait to see whether they can share; they are let go when this is dropped.
    First(FirstDial),
    /// It waits until the channel closes, looks again, and dials if there is still nothing to share.
    Wait(watch::Receiver<()>),
}

pub(crate) struct FirstDial {
    pool: Arc<Pool>,
    endpoint: Arc<Endpoint>,
    _waited_for: watch::Sender<()>,
}

impl Pool {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    /// A connection of the endpoint, as it was left: it may have ended since.
    pub(crate) fn take(&self, endpoint: &Endpoint, now: Instant) -> Option<Link> {
        let mut state = self.lock();
        let State { places, idle, .. } = &mut *state;
        let place = places.get_mut(endpoint)?;
        if let Some(shared) = &mut place.shared {
            if !shared.h2.sender.is_closed() {
                shared.used = now;
                return Some(Link::H2(shared.h2.clone()));
            }
            place.shared = None;
        }
        while let Some(ticket) = place.idle.pop() {
            // One that expired is dropped here, at the price of a system call under the lock; it is rare.
            if let Some(found) = idle.remove(&ticket)
                && found.expires > now
            {
                return Some(Link::H1(found.connection));
            }
        }
        None
    }

    /// Keeps a connection for the endpoint's next request, at most for `idle_for`.
    pub(crate) fn put(&self, endpoint: &Arc<Endpoint>, connection: Box<H1>, idle_for: Duration, now: Instant) {
        let expires = now + idle_for.min(self.limits.idle_timeout);
        let mut state = self.lock();
        if state.closed || self.limits.idle_max == 0 {
            return;
        }
        let ticket = state.next_ticket();
        let place = state.place(endpoint);
        if place.idle.len() >= self.limits.idle_max_per_target {
            return;
        }
        place.idle.push(ticket);
        let endpoint = Arc::clone(endpoint);
        let new = Idle {
            endpoint,
            connection,
            expires,
        };
        state.idle.insert(ticket, new);
        let evicted = (state.idle.len() > self.limits.idle_max).then(|| state.evict_longest_idle());
        drop(state);
        drop(evicted);
    }

    /// Keeps a new HTTP/2 connection for sharing, and returns the caller's share.
    pub(crate) fn share(&self, endpoint: &Arc<Endpoint>, sender: SendRequest<RequestBody>, ends: Ends, now: Instant) -> H2 {
        let mut state = self.lock();
        let id = state.next_ticket();
        let h2 = H2 { id, sender, ends };
        if !state.closed {
            state.evict_shared_down_to(self.limits.idle_max);
            let place = state.place(endpoint);
            place.speaks_h1 = false;
            place.shared = Some(Shared { h2: h2.clone(), used: now });
        }
        h2
    }

    /// No longer hands out this HTTP/2 connection; requests under way on it go on.
    pub(crate) fn forget(&self, endpoint: &Endpoint, id: u64) {
        let mut state = self.lock();
        if let Some(place) = state.places.get_mut(endpoint)
            && place.shared.as_ref().is_some_and(|shared| shared.h2.id == id)
        {
            place.shared = None;
        }
    }

    /// Remembers that the endpoint speaks HTTP/1.1.
    pub(crate) fn learn_h1(&self, endpoint: &Arc<Endpoint>) {
        let mut state = self.lock();
        if !state.closed {
            state.place(endpoint).speaks_h1 = true;
        }
    }

    /// What a request does that found nothing to use. Over TLS the first one dials and the others wait for it once, so that
    /// many requests at once share one HTTP/2 connection instead of opening one each.
    pub(crate) fn turn(self: &Arc<Self>, endpoint: &Arc<Endpoint>) -> Turn {
        if !endpoint.is_tls() {
            return Turn::Free;
        }
        let mut state = self.lock();
        if state.closed {
            return Turn::Free;
        }
        let place = state.place(endpoint);
        if place.speaks_h1 {
            return Turn::Free;
        }
        if let Some(first) = &place.dialling {
            return Turn::Wait(first.clone());
        }
        let (sender, receiver) = watch::channel(());
        place.dialling = Some(receiver);
        Turn::First(FirstDial {
            pool: Arc::clone(self),
            endpoint: Arc::clone(endpoint),
            _waited_for: sender,
        })
    }

    /// Lets go what has expired or ended, and what is known of endpoints that nobody uses.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut state = self.lock();
        let expired: Vec<u64> = state
            .idle
            .iter()
            .filter(|(_, idle)| idle.expires <= now)
            .map(|(ticket, _)| *ticket)
            .collect();
        let mut ended = Vec::with_capacity(expired.len());
        for ticket in expired {
            ended.extend(state.remove_idle(ticket));
        }
        let idle_timeout = self.limits.idle_timeout;
        state.places.retain(|_, place| {
            place
                .shared
                .take_if(|shared| shared.h2.sender.is_closed() || shared.used + idle_timeout <= now);
            !place.idle.is_empty() || place.shared.is_some() || place.dialling.is_some()
        });
        drop(state);
        // Closing them is a system call each; nobody waits for that.
        drop(ended);
    }

    /// Drops all connections and keeps none from now on.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        let all = std::mem::take(&mut *state);
        state.closed = true;
        drop(state);
        drop(all);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    fn place(&mut self, endpoint: &Arc<Endpoint>) -> &mut Place {
        self.places.entry(Arc::clone(endpoint)).or_default()
    }

    fn evict_longest_idle(&mut self) -> Option<Idle> {
        let ticket = *self.idle.first_key_value()?.0;
        self.remove_idle(ticket)
    }

    fn remove_idle(&mut self, ticket: u64) -> Option<Idle> {
        let idle = self.idle.remove(&ticket)?;
        if let Some(place) = self.places.get_mut(&idle.endpoint) {
            place.idle.retain(|other| *other != ticket);
        }
        Some(idle)
    }

    /// Makes room for one more: a new HTTP/2 connection is rare, so looking at all of them is cheap enough.
    fn evict_shared_down_to(&mut self, max: usize) {
        let shared = |place: &Place| place.shared.as_ref().map(|shared| shared.used);
        while self.places.values().filter_map(shared).count() >= max.max(1) {
            let oldest = self.places.values_mut().filter(|place| place.shared.is_some());
            match oldest.min_by_key(|place| shared(place)) {
                Some(place) => place.shared = None,
                None => return,
            }
        }
    }
}

impl Drop for FirstDial {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        if let Some(place) = state.places.get_mut(&self.endpoint) {
            place.dialling = None;
        }
    }
}

#[cfg(test)]
mod tests;
