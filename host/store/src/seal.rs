//! Sealing: header values and signing secrets are encrypted at the store's edge, and opened at it.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) with a random nonce; the associated data names organization, integration and field, so
//! that a sealed value moved to another row does not open. Keys are a ring: the first seals, each opens what it sealed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::error::OpenError;

const FORM: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// The keys, the sealing one first. It is never shown.
pub struct Keyring {
    keys: Vec<(KeyId, XChaCha20Poly1305)>,
    from: String,
}

/// The name of a key; it stands before what the key has sealed.
type KeyId = [u8; KEY_ID_BYTES];

/// Why a sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key that sealed it is not in the ring.
    #[error("the key that sealed it is not in the keyring")]
    NoKey,
    /// It was changed, cut or moved.
    #[error("it is damaged")]
    Damaged,
}

impl Keyring {
    /// Reads a ring: one line a key, `id:key`, the id 8 hexadecimal digits, the key 32 bytes in base64. Blank lines and those that begin
    /// with `#` are passed over.
    pub fn parse(text: &str, from: &str) -> Result<Keyring, OpenError> {
        let bad = |line: usize, message: &str| OpenError::Keyring {
            from: from.to_owned(),
            message: format!("line {line}: {message}"),
        };
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, key) = line.split_once(':').ok_or_else(|| bad(number + 1, "is not `id:key`"))?;
            let id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8);
            let id = id
                .ok_or_else(|| bad(number + 1, "the id is not 8 hexadecimal digits"))?
                .to_be_bytes();
            let key = BASE64.decode(key).map_err(|_| bad(number + 1, "the key is not base64"))?;
            let cipher = XChaCha20Poly1305::new_from_slice(&key).map_err(|_| bad(number + 1, "the key is not 32 bytes"))?;
            keys.push((id, cipher));
        }
        if keys.is_empty() {
            return Err(OpenError::Keyring {
                from: from.to_owned(),
                message: "holds no key".to_owned(),
            });
        }
        Ok(Keyring {
            keys,
            from: from.to_owned(),
        })
    }

    /// The ring in this file; without a key if it is not there.
    pub(crate) fn read(path: &Path) -> Result<Keyring, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        match fs::read_to_string(path) {
            Ok(text) => Keyring::parse(&text, &path.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Keyring {
                keys: Vec::new(),
                from: path.display().to_string(),
            }),
            Err(error) => Err(io(error)),
        }
    }

    /// Makes that file, with one new key and for the owner alone.
    pub(crate) fn make(path: &Path, random: &dyn Fn(&mut [u8])) -> Result<Keyring, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let (mut id, mut key) = ([0; KEY_ID_BYTES], [0; 32]);
        random(&mut id);
        random(&mut key);
        let line = format!("{:08x}:{}\n", u32::from_be_bytes(id), BASE64.encode(key));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Keyring::parse(&line, &path.display().to_string())
    }

    /// Whether it has no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Refuses a ring that belongs to another database: it has no key of any of these, which that one holds sealed. One that has lost a key
    /// of several stops what that one sealed and nothing else.
    pub(crate) fn check(&self, sealed_values: impl Iterator<Item = rusqlite::Result<Vec<u8>>>) -> Result<(), OpenError> {
        let mut missing = BTreeSet::new();
        for sealed in sealed_values {
            let Some(id) = sealed?.get(1..=KEY_ID_BYTES).and_then(|id| KeyId::try_from(id).ok()) else {
                continue;
            };
            if self.keys.iter().any(|(known, _)| *known == id) {
                return Ok(());
            }
            missing.insert(id);
        }
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = missing.into_iter().map(|id| format!("{:08x}", u32::from_be_bytes(id))).collect();
        Err(OpenError::Keyring {
            from: self.from.clone(),
            message: format!(
                "{} what the database holds: {}",
                match self.is_empty() {
                    true => "is not there, and belongs to a backup as the database does; these keys have sealed",
                    false => "has none of the keys that have sealed",
                },
                ids.join(", ")
            ),
        })
    }

    /// Seals `plain` for the place that `associated` names.
    pub(crate) fn seal(&self, plain: &[u8], associated: &str, random: &dyn Fn(&mut [u8])) -> Vec<u8> {
        let (id, cipher) = &self.keys[0];
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: associated.as_bytes(),
        };
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("configurations are far below the cipher's 256 GiB");
        [&[FORM][..], id, &nonce, &sealed].concat()
    }

    /// Opens what [`Keyring::seal`] made for that place.
    pub(crate) fn open_sealed(&self, sealed: &[u8], associated: &str) -> Result<Vec<u8>, SealError> {
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError::Damaged)?;
        if head[0] != FORM {
            return Err(SealError::Damaged);
        }
        let (id, nonce) = head[1..].split_at(KEY_ID_BYTES);
        let (_, cipher) = self.keys.iter().find(|(known, _)| known == id).ok_or(SealError::NoKey)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Damaged)?;
        let payload = Payload {
            msg: body,
            aad: associated.as_bytes(),
        };
        cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0000000a:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    const TWO: &str = "0000000b:MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    fn ring(lines: &[&str]) -> Keyring {
        Keyring::parse(&lines.join("\n"), "test").expect("a ring")
    }

    fn dice(bytes: &mut [u8]) {
        bytes.fill(7);
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let sealed = ring(&[ONE]).seal(b"Bearer x", "1|int_a|headers", &dice);
        assert_eq!(
            ring(&[TWO, ONE]).open_sealed(&sealed, "1|int_a|headers").as_deref(),
            Ok(&b"Bearer x"[..])
        );
        assert_eq!(ring(&[ONE]).open_sealed(&sealed, "1|int_b|headers"), Err(SealError::Damaged));
        assert_eq!(ring(&[TWO]).open_sealed(&sealed, "1|int_a|headers"), Err(SealError::NoKey));
        for cut in 0..sealed.len() {
            assert!(ring(&[ONE]).open_sealed(&sealed[..cut], "1|int_a|headers").is_err());
        }
    }

    #[test]
    fn rings_that_are_none() {
        for text in [
            "",
            "# only a comment",
            "zz",
            "0000000a:AAAA",
            "a:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "0000000a:é",
        ] {
            assert!(Keyring::parse(text, "test").is_err(), "{text}");
        }
    }
}
