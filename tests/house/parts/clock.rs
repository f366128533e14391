//! A clock that is turned by hand.

use std::sync::{Arc, Mutex};

use hookmill_domain::clock::{Clock, Sleep};
use hookmill_domain::time::Time;
use tokio::sync::watch;

/// Stands still until it is turned. Its dice are a counter.
#[derive(Debug, Clone)]
pub struct HandClock {
    now: watch::Sender<Time>,
    dice: Arc<Mutex<u64>>,
}

impl HandClock {
    pub fn at(millis: i64) -> HandClock {
        HandClock {
            now: watch::channel(Time::from_millis(millis)).0,
            dice: Arc::default(),
        }
    }

    pub fn now_time(&self) -> Time {
        *self.now.borrow()
    }

    pub fn turn_to(&self, at: Time) {
        self.now.send_modify(|now| *now = at.max(*now));
    }

    pub fn turn_by_ms(&self, millis: u64) {
        self.now.send_modify(|now| *now = now.plus_millis(millis));
    }
}

impl Clock for HandClock {
    fn now(&self) -> Time {
        *self.now.borrow()
    }

    fn wall_seconds(&self) -> i64 {
        self.now().seconds()
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        let mut now = self.now.subscribe();
        Box::pin(async move {
            // The clock outlives every test that waits for it.
            let _ = now.wait_for(|now| *now >= at).await;
        })
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut dice = self.dice.lock().expect("nobody panics with the dice in hand");
        for byte in bytes {
            *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (*dice >> 33) as u8;
        }
    }
}
