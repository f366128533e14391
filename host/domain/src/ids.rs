//! Ids as people see them: TypeIDs, a prefix and a UUID (version 7) with milliseconds in front.
//!
//! Ids of events, runs and deliveries carry the key of the event's row, so that a row is found without an index, and are a function
//! of that row, so that they are the same after a crash. No id is a secret.
//!
//! TypeID: <https://github.com/jetify-com/typeid/tree/main/spec>; UUID version 7: RFC 9562, section 5.7.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

use crate::key::Key;
use crate::time::Time;

/// Says that a text is not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id that begins with {prefix}_")]
pub struct NotAnId {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

fn show<T: StaticType>(uuid: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    fmt::Display::fmt(&TypeSafeId::<T>::from_uuid(uuid), f)
}

fn read<T: StaticType>(text: &str) -> Result<Uuid, NotAnId> {
    let id = TypeSafeId::<T>::from_str(text).map_err(|_| NotAnId { prefix: T::TYPE })?;
    Ok(id.uuid())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What its text begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Its 16 bytes, as rows hold them.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// An id that was stored.
            pub fn from_bytes(bytes: [u8; 16]) -> $name {
                $name(Uuid::from_bytes(bytes))
            }
        }

        const _: () = {
            #[derive(Default)]
            struct Tag;

            impl StaticType for Tag {
                const TYPE: &'static str = $prefix;
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    show::<Tag>(self.0, f)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    show::<Tag>(self.0, f)
                }
            }

            impl FromStr for $name {
                type Err = NotAnId;

                fn from_str(text: &str) -> Result<$name, NotAnId> {
                    read::<Tag>(text).map($name)
                }
            }
        };

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// The id of an API key. It names the key; it does not open anything.
    ApiKeyId,
    "key"
);
id!(
    /// The id of an integration.
    IntegrationId,
    "int"
);
id!(
    /// The id of a plugin.
    PluginId,
    "plg"
);
id!(
    /// The id of an event: its key and the salt of the start that it was accepted in.
    EventId,
    "evt"
);
id!(
    /// The id of a run: its event's key and a hash of what the run is owed to.
    RunId,
    "run"
);
id!(
    /// The id of a delivery, and its `webhook-id`: its event's key and a hash of the run and the request's number.
    DeliveryId,
    "dlv"
);

/// Bits after the host: 64 less the variant's two and the host's eight.
const TAIL_BITS: u32 = 54;
const TAIL_MASK: u64 = (1 << TAIL_BITS) - 1;

/// 54 random bits, made at every start, so that a restored copy of the database mints no old ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt(u64);

impl Salt {
    /// The salt of these random bits; those above the 54th are cut.
    pub fn new(random: u64) -> Salt {
        Salt(random & TAIL_MASK)
    }

    /// As rows hold it.
    pub fn as_i64(self) -> i64 {
        self.0 as i64
    }
}

/// A key and 54 further bits as a UUID of version 7: milliseconds, the key's counter, its host, the tail.
fn uuid_of(key: Key, tail: u64) -> Uuid {
    let millis = key.time().millis() as u64;
    let high = (millis << 16) | 0x7000 | u64::from(key.counter());
    let low = (0b10 << 62) | (u64::from(key.host()) << TAIL_BITS) | (tail & TAIL_MASK);
    Uuid::from_u64_pair(high, low)
}

/// What [`uuid_of`] put together; `None` for a UUID that it can not have made.
fn key_of(uuid: Uuid) -> Option<(Key, u64)> {
    let (high, low) = uuid.as_u64_pair();
    let millis = i64::try_from(high >> 16).ok()?;
    if high & 0xf000 != 0x7000 || low >> 62 != 0b10 || millis > Time::MAX.millis() {
        return None;
    }
    let host = ((low >> TAIL_BITS) & 0xff) as u8;
    let counter = (high & 0xfff) as u16;
    Some((Key::from_parts(Time::from_millis(millis), host, counter), low & TAIL_MASK))
}

impl EventId {
    /// The id of the event with this key and salt.
    pub fn new(key: Key, salt: Salt) -> EventId {
        EventId(uuid_of(key, salt.0))
    }

    /// The key and the salt in it; `None` for an id that this house can not have made.
    pub fn parts(&self) -> Option<(Key, Salt)> {
        key_of(self.0).map(|(key, tail)| (key, Salt(tail)))
    }
}

impl RunId {
    /// The key of its event; `None` for an id that this house can not have made.
    pub fn key(&self) -> Option<Key> {
        key_of(self.0).map(|(key, _)| key)
    }
}

impl DeliveryId {
    /// The key of its event; `None` for an id that this house can not have made.
    pub fn key(&self) -> Option<Key> {
        key_of(self.0).map(|(key, _)| key)
    }
}

/// What a run's id is made of: an event, and the order that it is run under. Generation 0 is owed to the event itself, each further
/// one to a replay or a resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSource {
    /// The event's key.
    pub key: Key,
    /// The event's salt for generation 0, else the one that the order was written under.
    pub salt: Salt,
    /// Whose plugin runs.
    pub integration: IntegrationId,
    /// Counts an event's orders, from 0.
    pub generation: u32,
}

impl RunSource {
    /// The run's id.
    pub fn run_id(&self) -> RunId {
        RunId(uuid_of(self.key, self.tail("run", 0)))
    }

    /// The id of the delivery that the run's request number `ordinal` (from 0) is owed as.
    pub fn delivery_id(&self, ordinal: u16) -> DeliveryId {
        DeliveryId(uuid_of(self.key, self.tail("dlv", ordinal)))
    }

    fn tail(&self, prefix: &str, ordinal: u16) -> u64 {
        let mut hash = Sha256::new();
        hash.update(prefix);
        hash.update(self.salt.0.to_be_bytes());
        hash.update(self.integration.as_bytes());
        hash.update(self.generation.to_be_bytes());
        hash.update(ordinal.to_be_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut tail = [0; 8];
        tail.copy_from_slice(&hash[..8]);
        u64::from_be_bytes(tail)
    }
}

macro_rules! random_id {
    ($name:ident) => {
        impl $name {
            /// A new id: the time and ten random bytes.
            pub fn new(now: Time, random: [u8; 10]) -> $name {
                $name(uuid::Builder::from_unix_timestamp_millis(now.millis() as u64, &random).into_uuid())
            }
        }
    };
}

random_id!(ApiKeyId);
random_id!(IntegrationId);
random_id!(PluginId);

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> RunSource {
        RunSource {
            key: Key::from_parts(Time::from_millis(1_790_000_000_000), 5, 321),
            salt: Salt::new(0x0123_4567_89ab_cdef),
            integration: IntegrationId::new(Time::from_millis(1_780_000_000_000), [7; 10]),
            generation: 0,
        }
    }

    // Frozen: receivers hold these ids to tell duplicates apart, so no release may make others of the same parts.
    #[test]
    fn vectors_are_frozen() {
        let source = source();
        assert_eq!(EventId::new(source.key, source.salt).to_string(), "evt_01m3250v00e50r2rt5cy4tqkff");
        assert_eq!(source.integration.to_string(), "int_01ksr49200ew3re1r70w3ge1r7");
        assert_eq!(source.run_id().to_string(), "run_01m3250v00e50r2x90jbqcx4z0");
        assert_eq!(source.delivery_id(0).to_string(), "dlv_01m3250v00e50r2jpp9tfnq5pb");
        assert_eq!(source.delivery_id(1).to_string(), "dlv_01m3250v00e50r2zmzzy7kq318");
        assert_eq!(
            RunSource { generation: 1, ..source }.delivery_id(0).to_string(),
            "dlv_01m3250v00e50r2ks7y0wn4b0x"
        );
    }

    #[test]
    fn keys_come_back() {
        let source = source();
        let event: EventId = EventId::new(source.key, source.salt)
            .to_string()
            .parse()
            .expect("it was just shown");
        assert_eq!(event.parts(), Some((source.key, source.salt)));
        assert_eq!(source.run_id().key(), Some(source.key));
        assert_eq!(source.delivery_id(63).key(), Some(source.key));
    }

    #[test]
    fn texts_that_are_no_ids() {
        for text in [
            "",
            "evt_",
            "evt",
            "int_01m31tc0g0e50rahb38j6tqkff",
            "evt_zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "evt_01m31tc0g0é",
        ] {
            assert_eq!(text.parse::<EventId>(), Err(NotAnId { prefix: "evt" }), "{text}");
        }
        let foreign: EventId = "evt_00000000000000000000000000".parse().expect("a TypeID by its form");
        assert_eq!(foreign.parts(), None);
    }
}
