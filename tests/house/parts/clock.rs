//! A clock that is turned by hand.

use std::sync::{Arc, Mutex};

use hookmill_domain::clock::{Clock, Sleep};
use hookmill_domain::time::Time;
use tokio::sync::watch;

/// Stands still until it is turned. Its dice are a counter.
#[derive(Debug, Clone)]
pub struct HandClock {
    now: watch::Sender<Time>,
    /// Until when somebody sleeps.
    sleeps: watch::Sender<Vec<Time>>,
    dice: Arc<Mutex<u64>>,
}

impl HandClock {
    pub fn at(millis: i64) -> HandClock {
        HandClock {
            now: watch::channel(Time::from_millis(millis)).0,
            sleeps: watch::channel(Vec::new()).0,
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

    /// Turns on and on, each time to the end of a sleep that lasts no longer than so much. Ends never.
    pub async fn turn_to_sleeps_of(&self, millis: u64) {
        let mut sleeps = self.sleeps.subscribe();
        loop {
            let now = self.now_time();
            let next = |sleeps: &[Time]| {
                sleeps
                    .iter()
                    .filter(|at| **at > now && **at <= now.plus_millis(millis))
                    .min()
                    .copied()
            };
            let slept = sleeps.wait_for(|sleeps| next(sleeps).is_some()).await;
            let slept = slept.expect("the clock outlives its turning");
            let at = next(&slept).expect("somebody sleeps");
            drop(slept);
            self.turn_to(at);
        }
    }
}

/// One who sleeps, until it is dropped.
struct Asleep(watch::Sender<Vec<Time>>, Time);

impl Asleep {
    fn until(at: Time, sleeps: watch::Sender<Vec<Time>>) -> Asleep {
        sleeps.send_modify(|sleeps| sleeps.push(at));
        Asleep(sleeps, at)
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        let Asleep(sleeps, at) = self;
        sleeps.send_modify(|sleeps| {
            let position = sleeps.iter().position(|slept| slept == at);
            sleeps.swap_remove(position.expect("it is there until now"));
        });
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
        let asleep = Asleep::until(at, self.sleeps.clone());
        Box::pin(async move {
            let _asleep = asleep;
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
