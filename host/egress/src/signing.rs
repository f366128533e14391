//! Signatures by the Standard Webhooks specification (<https://www.standardwebhooks.com>), version `v1`: HMAC-SHA256 over
//! `id.timestamp.body`.
//!
//! A [`Secret`] is read or made once and then signs any number of messages. It is never printed; only [`Secret::expose`] gives it out.

use std::fmt;
use std::io::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderValue;
use sha2::Sha256;

const PREFIX: &str = "whsec_";
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;

/// `v1,` and the Base64 of 32 bytes.
const SIGNATURE_BYTES: usize = 3 + 44;

/// Reading does not insist on padding, writing pads.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A signing secret: 24 to 64 bytes, written as `whsec_` and their Base64.
#[derive(Clone)]
pub struct Secret {
    key: Box<[u8]>,
    /// The state after the key: a signature begins from a copy of it.
    keyed: Hmac<Sha256>,
}

impl Secret {
    /// Takes the secret's bytes, which the caller drew at random.
    ///
    /// # Errors
    /// [`SecretError::Length`] for fewer than 24 or more than 64.
    pub fn from_bytes(key: &[u8]) -> Result<Self, SecretError> {
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err(SecretError::Length { bytes: key.len() });
        }
        let keyed = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        Ok(Self { key: key.into(), keyed })
    }

    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// What is wrong, without a word of the text itself.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let key = BASE64.decode(encoded).map_err(|_| SecretError::Base64)?;
        Self::from_bytes(&key)
    }

    /// The secret as text, for the one who asked for it.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.key))
    }

    /// The secret's bytes, for keeping them sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.key
    }

    fn write_signature(&self, head: &[u8], body: &[&[u8]], out: &mut [u8; SIGNATURE_BYTES]) {
        let mut mac = self.keyed.clone();
        mac.update(head);
        for part in body {
            mac.update(part);
        }
        out[..3].copy_from_slice(b"v1,");
        BASE64
            .encode_slice(mac.finalize().into_bytes(), &mut out[3..])
            .expect("32 bytes are 44 of Base64");
    }
}

/// The value of `webhook-signature`: one signature for each secret, separated by spaces (several while a secret is being changed).
///
/// `timestamp_s` is what `webhook-timestamp` says; `body` are the parts of the body, in order.
#[must_use]
pub fn sign(secrets: &[Secret], id: &str, timestamp_s: i64, body: &[&[u8]]) -> HeaderValue {
    let mut head = Vec::with_capacity(id.len() + 24);
    write!(head, "{id}.{timestamp_s}.").expect("writing to a vector never fails");
    let mut one = [0; SIGNATURE_BYTES];
    if let [secret] = secrets {
        secret.write_signature(&head, body, &mut one);
        return header(&one);
    }
    let mut all = Vec::with_capacity(secrets.len() * (SIGNATURE_BYTES + 1));
    for secret in secrets {
        if !all.is_empty() {
            all.push(b' ');
        }
        secret.write_signature(&head, body, &mut one);
        all.extend_from_slice(&one);
    }
    header(&all)
}

fn header(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).expect("Base64, commas and spaces make a header value")
}

/// Why a secret was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not begin with `whsec_`.
    #[error("the secret must begin with `{PREFIX}`")]
    Prefix,
    /// What follows is not Base64.
    #[error("the secret must be Base64 after `{PREFIX}`")]
    Base64,
    /// Too short to be safe, or longer than the specification allows.
    #[error("the secret has {bytes} bytes, it must have {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")]
    Length {
        /// How many it has.
        bytes: usize,
    },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(fill: u8, bytes: usize) -> Secret {
        Secret::from_bytes(&vec![fill; bytes]).expect("of a valid length")
    }

    #[test]
    fn the_published_vector() {
        let secret = Secret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").expect("valid");
        let body: [&[u8]; 2] = [br#"{"email":"test@example.com","#, br#""username":"test_user"}"#];
        let signature = sign(&[secret], "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, &body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn the_published_library_agrees() {
        let secrets = [secret(7, 24), secret(9, 64), secret(1, 32)];
        let (id, timestamp_s, body) = ("dlv_1", 1_700_000_000, "{\"a\": 1.10, \"é\": []}");
        let all = sign(&secrets, id, timestamp_s, &[body.as_bytes()]);
        let theirs = secrets.each_ref().map(|secret| {
            let webhook = standardwebhooks::Webhook::new(&secret.expose()).expect("valid");
            webhook.sign(id, timestamp_s, body.as_bytes()).expect("signs")
        });
        assert_eq!(all, theirs.join(" "));
        let alone = sign(&secrets[1..2], id, timestamp_s, &[body.as_bytes()]);
        assert_eq!(alone, theirs[1]);
    }

    #[test]
    fn secrets_are_read_and_written() {
        for bytes in [24, 25, 32, 64] {
            let text = secret(3, bytes).expose();
            let again = Secret::parse(&text).expect("its own text");
            assert_eq!((again.as_bytes(), again.expose()), (&*vec![3; bytes], text));
        }
        let unpadded = secret(3, 25).expose().trim_end_matches('=').to_owned();
        assert_eq!(Secret::parse(&unpadded).expect("valid").as_bytes(), [3; 25]);
        let error = |text: &str| Secret::parse(text).expect_err("refused");
        assert_eq!(error("C2FVsBQIhrscChlQIMV"), SecretError::Prefix);
        assert_eq!(error("whsec_%%%"), SecretError::Base64);
        assert_eq!(error("whsec_"), SecretError::Length { bytes: 0 });
        for bytes in [23, 65] {
            let error = Secret::from_bytes(&vec![0; bytes]).expect_err("refused");
            assert_eq!(error, SecretError::Length { bytes });
        }
        assert_eq!(format!("{:?}", secret(3, 24)), "Secret(…)");
    }
}
