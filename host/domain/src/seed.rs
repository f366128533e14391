//! Where a plugin's random numbers come from.

use sha2::Digest as _;

use crate::key::Key;

/// The seed of one run: of the event, the integration, and the revision by way of the generation, which has one. The ids are as they are
/// shown.
pub fn seed(key: Key, event: &str, integration: &str, generation: u32) -> [u8; 32] {
    let mut hash = sha2::Sha256::new();
    hash.update(b"hookmill seed 1\0");
    hash.update(key.as_i64().to_be_bytes());
    hash.update(event);
    hash.update(integration);
    hash.update(generation.to_be_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::time::Time;

    // Frozen: a run that is made again, by any release, gets the numbers that it got.
    #[test]
    fn vectors_are_frozen() {
        let key = Key::from_parts(Time::from_millis(1_790_000_000_000), 5, 321);
        let seed = |generation| Digest::from_bytes(seed(key, "evt_1", "int_1", generation)).to_string();
        assert_eq!(seed(0), "144e3f42f5d7a509a2cee6ba4edd9c89f3148067194ced43950840c068cb4475");
        assert_eq!(seed(1), "60efd66e046407e3228ae17bec9be01c20d48135639b9ade10e04b55612ec924");
    }
}
