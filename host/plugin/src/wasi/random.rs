//! Random numbers that come out of the call's seed alone.
//!
//! The stream is frozen: block i is SHA-256 over a fixed word, the stream's name, the seed and i. Changing it would change what
//! plugins answer to events that were accepted before.

use sha2::{Digest as _, Sha256};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use crate::sandbox::Sandbox;

/// The most bytes that a guest gets at once.
const BYTES_MAX: u64 = 256 * 1024;

/// One stream of a call.
#[derive(Debug)]
pub(crate) struct Random {
    name: &'static [u8],
    seed: [u8; 32],
    block: [u8; 32],
    used: usize,
    next: u64,
}

impl Random {
    /// The stream behind `wasi:random/random`.
    pub(crate) fn secure(seed: [u8; 32]) -> Random {
        Random::named(b"random", seed)
    }

    /// The stream behind `wasi:random/insecure`, apart from the other, so that the use of one does not move the other.
    pub(crate) fn insecure(seed: [u8; 32]) -> Random {
        Random::named(b"insecure", seed)
    }

    /// The stream behind `wasi:random/insecure-seed`.
    fn insecure_seed(seed: [u8; 32]) -> Random {
        Random::named(b"insecure-seed", seed)
    }

    fn named(name: &'static [u8], seed: [u8; 32]) -> Random {
        Random {
            name,
            seed,
            block: [0; 32],
            used: 32,
            next: 0,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                let mut hash = Sha256::new();
                hash.update(b"hookmill:plugin/random/1\0");
                hash.update([self.name.len() as u8]);
                hash.update(self.name);
                hash.update(self.seed);
                hash.update(self.next.to_be_bytes());
                self.block = hash.finalize().into();
                self.next += 1;
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }

    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > BYTES_MAX {
            return Err(wasmtime::Error::msg(format!("at most {BYTES_MAX} random bytes are given at once")));
        }
        let mut bytes = vec![0; len as usize];
        self.fill(&mut bytes);
        Ok(bytes)
    }
}

impl random::Host for Sandbox {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.wasi().random.bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.wasi().random.number())
    }
}

impl insecure::Host for Sandbox {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.wasi().insecure.bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.wasi().insecure.number())
    }
}

impl insecure_seed::Host for Sandbox {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let mut stream = Random::insecure_seed(self.seed());
        Ok((stream.number(), stream.number()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: these bytes were computed apart from this code.
    #[test]
    fn the_stream_is_frozen() {
        let mut stream = Random::secure([7; 32]);
        let mut bytes = [0; 40];
        stream.fill(&mut bytes);
        let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            shown,
            "49ecca034fb1f1949fbe5836adaf9d66a3ed6270bc297edf682d208359a1d64750a5d576849c3b90"
        );
        let mut again = Random::secure([7; 32]);
        assert_eq!(again.number().to_le_bytes(), bytes[..8]);
    }

    #[test]
    fn streams_differ_by_name_and_seed() {
        let first = |mut stream: Random| stream.number();
        let numbers = [
            first(Random::secure([1; 32])),
            first(Random::secure([2; 32])),
            first(Random::insecure([1; 32])),
            first(Random::insecure_seed([1; 32])),
        ];
        for (i, number) in numbers.iter().enumerate() {
            assert!(!numbers[..i].contains(number));
        }
    }

    #[test]
    fn a_huge_request_is_refused() {
        assert!(Random::secure([0; 32]).bytes(BYTES_MAX + 1).is_err());
    }
}
