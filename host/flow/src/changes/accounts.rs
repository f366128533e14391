//! Organizations, and the keys of those who call the API.

use std::sync::Arc;

use hookmill_domain::address::AddressPolicy;
use hookmill_domain::api_key::{ApiKey, Role};
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::ApiKeyId;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::{OrganizationName, ProductId};
use hookmill_domain::time::Time;
use hookmill_store::{KeyPut, Organization};

use super::ChangeError;
use crate::river::River;

/// An API key that is to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What its holder may do.
    pub role: Role,
    /// Absent for operators alone.
    pub organization: Option<(OrganizationKey, OrganizationName)>,
    /// Only events of these inboxes; absent: all.
    pub inboxes: Option<Vec<ProductId>>,
    /// What it is for.
    pub description: Option<String>,
    /// When it stops to hold; absent: never.
    pub expires_at: Option<Time>,
}

/// Random bytes of an API key's text.
const KEY_BYTES: usize = 32;

impl River {
    /// Makes an organization; one that is there is answered as it stands. The flag tells whether it is new.
    pub async fn create_organization(
        &self,
        name: OrganizationName,
        allow_networks: Vec<String>,
    ) -> Result<(Organization, bool), ChangeError> {
        check_networks(&allow_networks)?;
        Ok(self.inner.store.create_organization(name, allow_networks, self.now()).await?)
    }

    /// Changes what an organization's targets may reach beyond public addresses and what the host allows to all.
    pub async fn set_allow_networks(&self, name: OrganizationName, allow_networks: Vec<String>) -> Result<Organization, ChangeError> {
        check_networks(&allow_networks)?;
        let changed = self
            .inner
            .store
            .set_allow_networks(name, allow_networks)
            .await?
            .ok_or(ChangeError::NotFound)?;
        self.inner.caches.forget_all_reach();
        Ok(changed)
    }

    /// Makes an API key, and gives its text, which is not kept.
    pub async fn create_api_key(&self, new: NewApiKey) -> Result<(ApiKey, String), ChangeError> {
        let text = self.new_key_text();
        let key = self.keep_api_key(&text, new).await?;
        Ok((key, text))
    }

    /// A text for an API key that nobody can guess.
    pub fn new_key_text(&self) -> String {
        let mut random = [0; KEY_BYTES];
        self.inner.clock.random(&mut random);
        format!("hmk_{}", base32(&random))
    }

    /// Keeps an API key whose text somebody has chosen.
    pub async fn keep_api_key(&self, text: &str, new: NewApiKey) -> Result<ApiKey, ChangeError> {
        let now = self.now();
        let NewApiKey {
            role,
            organization,
            inboxes,
            description,
            expires_at,
        } = new;
        let id = ApiKeyId::new(now, self.ten_random());
        let key = ApiKey {
            id,
            role,
            organization,
            inboxes,
            description,
            created_at: now,
            expires_at,
        };
        let digest = Digest::of(text.as_bytes());
        let max = self.inner.limits.intake.keys_max;
        // Before its commit, when nobody has its text yet: whoever deletes it finds its row after that, and takes it from here last. Were it
        // put here afterwards, it could come back when it was deleted between the two, and hold until a restart.
        let caches = &self.inner.caches;
        let before = caches.put_key(digest, Arc::new(key.clone()));
        let put = self.inner.store.put_api_key(digest, key.clone(), max).await;
        if !matches!(put, Ok(KeyPut::Done)) {
            match before {
                Some(before) => drop(caches.put_key(digest, before)),
                None => caches.remove_key(&digest, id),
            }
        }
        match put? {
            KeyPut::Done => Ok(key),
            KeyPut::TooMany => Err(ChangeError::TooMany {
                limit: "keys_max",
                max: max.into(),
            }),
        }
    }

    /// Deletes an API key; `organization` limits it to one organization's.
    pub async fn delete_api_key(&self, id: ApiKeyId, organization: Option<OrganizationKey>) -> Result<(), ChangeError> {
        let digest = self
            .inner
            .store
            .delete_api_key(id, organization)
            .await?
            .ok_or(ChangeError::NotFound)?;
        self.inner.caches.remove_key(&digest, id);
        Ok(())
    }
}

fn check_networks(allow_networks: &[String]) -> Result<(), ChangeError> {
    for (position, network) in allow_networks.iter().enumerate() {
        AddressPolicy::parse([network]).map_err(|error| ChangeError::invalid(format!("/allow_networks/{position}"), error))?;
    }
    Ok(())
}

/// Random bytes as text that can be chosen by a double click and read over the telephone: Crockford's alphabet, in lower case.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[((held >> bits) & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[((held << (5 - bits)) & 31) as usize]));
    }
    text
}
