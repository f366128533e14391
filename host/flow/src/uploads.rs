//! Uploads: a component is inspected, stored, and made a version of a plugin.

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::PluginName;
use hookmill_plugin_room::{Inspection, Refusal};
use hookmill_store::{Activate, NewVersion, PluginVersion, StoreError, Uploaded};
use tracing::warn;

use crate::activation::{Fit, Judging, Unfit};
use crate::changes::{ChangeError, TRIES_MAX};
use crate::river::River;

/// What became of an upload.
#[derive(Debug)]
pub struct Upload {
    /// The version.
    pub version: PluginVersion,
    /// Whether these bytes are a new version of that plugin, or one that had been deleted.
    pub new: bool,
    /// Runs of integrations that follow the plugin, counted up to a thousand, which wait to be resumed: parked, or behind too many faults.
    pub waiting: u64,
    /// Why it was not activated although it was to be.
    pub not_activated: Option<Unfit>,
    /// What the inspection found; absent where the owner had these bytes already.
    pub inspection: Option<Inspection>,
}

impl River {
    /// Inspects a component and makes it a version of a plugin of the organization, or of the host for `None`. Bytes that the plugin has
    /// already are the version that they were, and need no inspection.
    pub async fn upload_plugin(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        bytes: Bytes,
        activate: bool,
    ) -> Result<Upload, ChangeError> {
        let _turn = self.inner.uploads.turn(owner).ok_or(ChangeError::Busy)?;
        let digest = Digest::of(&bytes);
        let known = self.inner.store.plugin_with_digest(owner, name.clone(), digest).await?;
        let active = known.as_ref().is_some_and(|known| known.active);
        let (inspection, contract, schema) = match known {
            Some(known) => (None, known.contract, known.schema),
            None => {
                let found = self
                    .inner
                    .plugins
                    .inspect(bytes.clone())
                    .await
                    .map_err(|refusal| self.refused(&refusal))?;
                let (contract, schema) = (found.contract.to_string(), found.schema.clone());
                (Some(found), contract, schema)
            }
        };
        let mut version = NewVersion {
            id: PluginId::new(self.now(), self.ten_random()),
            name,
            digest,
            contract,
            schema,
            activate: Activate::No,
        };
        let max = self.inner.limits.intake.plugins_max;
        let mut judging = Judging::new(self, owner);
        for _ in 0..TRIES_MAX {
            let mut not_activated = None;
            version.activate = Activate::No;
            if activate && !active {
                match judging.fit(&version.name, version.schema.as_deref()).await? {
                    Fit::Any => version.activate = Activate::Yes,
                    Fit::Judged(stand) => version.activate = Activate::IfStill(stand),
                    Fit::Unfit(unfit) => not_activated = Some(unfit),
                }
            }
            self.inner.store.put_component(digest, bytes.clone()).await?;
            match self.inner.store.add_plugin_version(owner, version.clone(), max, self.now()).await? {
                Uploaded::Done { version, new, waiting } => {
                    self.forget_configurations(owner);
                    return Ok(Upload {
                        version,
                        new,
                        waiting,
                        not_activated,
                        inspection,
                    });
                }
                Uploaded::TooMany => return Err(ChangeError::TooMany { limit: "plugins_max", max }),
                Uploaded::Moved | Uploaded::NoComponent => {}
            }
        }
        Err(ChangeError::Busy)
    }

    /// Makes a built-in component known as a plugin of the host. One that is known stays as it is, active or not, and one that was deleted
    /// stays deleted: an operator may have activated another.
    pub async fn ensure_built_in(&self, name: PluginName, bytes: Bytes) -> Result<(), ChangeError> {
        if self.inner.store.had_plugin_digest(None, name.clone(), Digest::of(&bytes)).await? {
            return Ok(());
        }
        let upload = self.upload_plugin(None, name.clone(), bytes, true).await?;
        if let Some(unfit) = upload.not_activated {
            warn!(plugin = %name, version = upload.version.version, reason = unfit.message, "a built-in plugin's new version stays inactive");
        }
        Ok(())
    }

    /// What the next events of an owner's organizations are matched by is read anew.
    pub(crate) fn forget_configurations(&self, owner: Option<OrganizationKey>) {
        match owner {
            Some(organization) => self.inner.caches.forget_present(organization),
            None => self.inner.caches.forget_all_present(),
        }
    }

    fn refused(&self, refusal: &Refusal) -> ChangeError {
        match refusal {
            Refusal::Busy => ChangeError::Busy,
            Refusal::TooLarge { .. } => ChangeError::TooLarge {
                max: self.inner.limits.plugin.component_bytes_max,
            },
            Refusal::Host(failure) => ChangeError::Store(StoreError::Database(failure.to_string())),
            refusal => ChangeError::Refused {
                code: refusal.code(),
                message: refusal.to_string(),
            },
        }
    }
}
