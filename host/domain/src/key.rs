//! Keys of events: integers that sort by time, minted by the program and never by the database.

use crate::time::Time;

/// The key of an event's row: 44 bits of milliseconds, 8 of host, 12 of counter. It is never zero, and positive until the year 2248.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(i64);

const HOST_BITS: u32 = 8;
const COUNTER_BITS: u32 = 12;

impl Key {
    /// Stands below every key that is minted.
    pub const ZERO: Key = Key(0);
    /// Stands above every key that is minted.
    pub const MAX: Key = Key(i64::MAX);
    /// How many keys one host mints in one millisecond before it goes on in the next.
    pub const PER_MILLISECOND: u16 = 1 << COUNTER_BITS;

    /// The key of these parts; bits of `counter` above the twelfth are cut.
    pub fn from_parts(at: Time, host: u8, counter: u16) -> Key {
        let counter = i64::from(counter % Key::PER_MILLISECOND);
        Key((at.millis() << (HOST_BITS + COUNTER_BITS)) | (i64::from(host) << COUNTER_BITS) | counter)
    }

    /// The key that a row or an id holds; `None` if it is negative.
    pub fn from_i64(raw: i64) -> Option<Key> {
        (raw >= 0).then_some(Key(raw))
    }

    /// As rows hold it.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// When the event was accepted.
    pub fn time(self) -> Time {
        Time::from_millis(self.0 >> (HOST_BITS + COUNTER_BITS))
    }

    /// The host that minted it.
    pub fn host(self) -> u8 {
        ((self.0 >> COUNTER_BITS) & 0xff) as u8
    }

    /// Its number in the millisecond.
    pub fn counter(self) -> u16 {
        (self.0 & 0xfff) as u16
    }
}

/// Mints keys that only grow, whatever the clock does.
#[derive(Debug)]
pub struct KeyMint {
    host: u8,
    last: Key,
}

impl KeyMint {
    /// Goes on above `greatest`, the greatest key on disk.
    pub fn new(host: u8, greatest: Key) -> KeyMint {
        KeyMint { host, last: greatest }
    }

    /// The next key. When the clock stands still or has gone back it counts on, and a full counter goes on in the next millisecond
    /// without waiting for it.
    pub fn mint(&mut self, now: Time) -> Key {
        self.last = if now > self.last.time() {
            Key::from_parts(now, self.host, 0)
        } else if self.last.host() == self.host && self.last.counter() + 1 < Key::PER_MILLISECOND {
            Key::from_parts(self.last.time(), self.host, self.last.counter() + 1)
        } else {
            Key::from_parts(self.last.time().plus_millis(1), self.host, 0)
        };
        self.last
    }

    /// The last key minted, or the one it began above.
    pub fn last(&self) -> Key {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let key = Key::from_parts(Time::from_millis(1_790_000_000_000), 7, 4095);
        assert_eq!((key.time().millis(), key.host(), key.counter()), (1_790_000_000_000, 7, 4095));
        assert!(Key::from_parts(Time::MAX, 255, 4095).as_i64() > 0);
    }

    #[test]
    fn keys_grow_when_the_clock_stands_still_or_goes_back() {
        let mut mint = KeyMint::new(3, Key::ZERO);
        let mut last = Key::ZERO;
        for n in 0..10_000 {
            let key = mint.mint(Time::from_millis(1_000 - n / 5_000));
            assert!(key > last);
            last = key;
        }
        assert_eq!(last.time().millis(), 1_002, "10,000 keys fill two milliseconds and begin a third");
    }

    #[test]
    fn never_below_the_greatest_on_disk_even_of_another_host() {
        let greatest = Key::from_parts(Time::from_millis(5_000), 9, 4);
        let key = KeyMint::new(3, greatest).mint(Time::from_millis(10));
        assert!(key > greatest);
        assert_eq!(key.host(), 3);
    }
}
