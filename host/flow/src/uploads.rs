//! Uploads: a component is inspected, stored, and made a version of a plugin.

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::PluginName;
use hookmill_plugin_room::{Refusal, Report};
use hookmill_store::{Activate, NewVersion, PluginVersion, PluginsMax, Stand, StoreError, TooMuch, Uploaded};
use tracing::warn;

use crate::activation::{Fit, Judging, Unfit};
use crate::calls::chain;
use crate::changes::{ChangeError, TRIES_MAX};
use crate::chores::Chore;
use crate::river::River;

/// How long it takes until a built-in plugin's new version is tried again that could not be made ready.
const BUILT_IN_AGAIN_MS: u64 = 60 * 1000;

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
    /// The report of its inspection.
    pub report: Report,
}

/// Whether what is uploaded becomes the active version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activating {
    No,
    Yes,
    /// If this version is the active one until then.
    InPlaceOf(u32),
}

/// A component that is to be a version of a plugin.
struct Component {
    /// `None`: the host.
    owner: Option<OrganizationKey>,
    name: PluginName,
    bytes: Bytes,
    digest: Digest,
    /// The name of what is written in its place where others have it and this owner has not.
    decoy: Digest,
    /// It is a part of the host, and goes onto the disk whatever is left of that.
    built_in: bool,
}

impl Component {
    fn new(owner: Option<OrganizationKey>, name: PluginName, bytes: Bytes, built_in: bool) -> Component {
        let digest = Digest::of(&bytes);
        let owned_by = owner.map_or(0, |owner| owner.0);
        Component {
            owner,
            name,
            digest,
            decoy: Digest::of(&[digest.as_bytes(), owned_by.to_le_bytes().as_slice()].concat()),
            bytes,
            built_in,
        }
    }
}

impl River {
    /// Inspects a component and makes it a version of a plugin of the organization, or of the host for `None`. Bytes that the plugin has
    /// already are the version that they were, and need no compiling.
    pub async fn upload_plugin(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        bytes: Bytes,
        activate: bool,
    ) -> Result<Upload, ChangeError> {
        let activating = if activate { Activating::Yes } else { Activating::No };
        self.upload(Component::new(owner, name, bytes, false), activating).await
    }

    async fn upload(&self, component: Component, activating: Activating) -> Result<Upload, ChangeError> {
        let Component { owner, name, digest, .. } = &component;
        let _turn = self.inner.uploads.turn(*owner).ok_or(ChangeError::Busy)?;
        let plugins = &self.inner.plugins;
        let had = self.inner.store.plugin_with_digest(*owner, name.clone(), *digest).await?.is_some();
        let inspected = match had {
            true => plugins.inspect_again(*owner, component.bytes.clone()).await,
            false => {
                self.may_add(&component).await?;
                plugins.inspect(*owner, component.bytes.clone()).await
            }
        };
        let found = inspected.map_err(|refusal| self.refused(&refusal))?;
        let version = NewVersion {
            id: PluginId::new(self.now(), self.ten_random()),
            name: name.clone(),
            digest: *digest,
            contract: found.contract.to_string(),
            schema: found.schema.clone(),
            activate: Activate::No,
        };
        let report = Report::new(found, &self.inner.limits.plugin);
        let added = self.add_version(&component, had, version, activating, report).await;
        if added.is_err() {
            // What was stored of it belongs to nobody.
            self.bring(Chore::Leave(*digest)).await;
        }
        if added.is_err() || !had {
            self.bring(Chore::LeaveDecoy(component.decoy)).await;
        }
        added
    }

    /// Whether there is room for one more version: asked before work is done for it. Its commit asks again.
    async fn may_add(&self, component: &Component) -> Result<(), ChangeError> {
        let Component { owner, name, digest, .. } = component;
        let bytes = component.bytes.len() as u64;
        // Asked also where others have these bytes already, so that nobody learns of that.
        if !component.built_in && !self.inner.store.has_room_for(bytes) {
            return Err(StoreError::NoRoom.into());
        }
        let max = self.plugins_max();
        match self.inner.store.too_much(*owner, name.clone(), (*digest, bytes), max).await? {
            Some(too_much) => Err(too_many(too_much, max)),
            None => Ok(()),
        }
    }

    async fn add_version(
        &self,
        component: &Component,
        had: bool,
        mut version: NewVersion,
        activating: Activating,
        report: Report,
    ) -> Result<Upload, ChangeError> {
        let (store, owner, max) = (&self.inner.store, component.owner, self.plugins_max());
        let mut judging = Judging::new(self, owner);
        for _ in 0..TRIES_MAX {
            let mut not_activated = None;
            version.activate = Activate::No;
            let (is_wanted, stood) = self.is_wanted(owner, &version.name, activating).await?;
            if is_wanted {
                match (judging.fit(&version.name, version.schema.as_deref()).await?, stood) {
                    (Fit::Unfit(unfit), _) => not_activated = Some(unfit),
                    // It stood so before it was judged: what holds at the commit held then, too.
                    (Fit::Any | Fit::Judged(_), Some(stand)) | (Fit::Judged(stand), None) => version.activate = Activate::IfStill(stand),
                    (Fit::Any, None) => version.activate = Activate::Yes,
                }
            }
            let decoy = (!had).then_some(component.decoy);
            store
                .put_component(component.digest, component.bytes.clone(), decoy, component.built_in)
                .await?;
            match store.add_plugin_version(owner, version.clone(), max, self.now()).await? {
                Uploaded::Done { version, new, waiting } => {
                    self.forget_configurations(owner);
                    return Ok(Upload {
                        version,
                        new,
                        waiting,
                        not_activated,
                        report,
                    });
                }
                Uploaded::TooMuch(too_much) => return Err(too_many(too_much, max)),
                Uploaded::Moved | Uploaded::NoComponent => {}
            }
        }
        Err(ChangeError::Busy)
    }

    /// Whether a version is to be activated, and how its plugin has to stand at that moment, if that matters.
    async fn is_wanted(
        &self,
        owner: Option<OrganizationKey>,
        name: &PluginName,
        activating: Activating,
    ) -> Result<(bool, Option<Stand>), StoreError> {
        let version = match activating {
            Activating::No => return Ok((false, None)),
            Activating::Yes => return Ok((true, None)),
            Activating::InPlaceOf(version) => version,
        };
        let (stand, _) = self.inner.store.plugin_stand(owner, name.clone()).await?;
        let active = self.active_version(owner, name).await?;
        Ok((active == Some(version), Some(stand)))
    }

    async fn active_version(&self, owner: Option<OrganizationKey>, name: &PluginName) -> Result<Option<u32>, StoreError> {
        let plugin = self.inner.store.plugin(owner, name.clone()).await?;
        Ok(plugin.and_then(|plugin| plugin.active))
    }

    fn plugins_max(&self) -> PluginsMax {
        let intake = &self.inner.limits.intake;
        PluginsMax {
            plugins: intake.plugins_max,
            versions: intake.versions_max,
            component_bytes: intake.component_bytes_max_per_organization,
        }
    }

    /// Makes built-in components known as plugins of the host. One that is known stays as it is, active or not, and one that was deleted
    /// stays deleted: an operator may have activated another. A new one is waited for where its plugin has no active version; else that one
    /// serves until the new one is ready, which no start waits for. What an operator activates meanwhile stays the active one.
    pub async fn ensure_built_in(&self, components: impl IntoIterator<Item = (PluginName, Bytes)>) -> Result<(), ChangeError> {
        let store = &self.inner.store;
        let mut later = Vec::new();
        for (name, bytes) in components {
            if store.had_plugin_digest(None, name.clone(), Digest::of(&bytes)).await? {
                continue;
            }
            match self.active_version(None, &name).await? {
                Some(active) => later.push((name, bytes, Activating::InPlaceOf(active))),
                None => self.bring_built_in(name, bytes, Activating::Yes).await?,
            }
        }
        if !later.is_empty() {
            let river = self.clone();
            self.inner.spawn(async move {
                let mut stop = river.inner.stop.subscribe();
                tokio::select! {
                    () = river.bring_all_built_in(later) => {}
                    // A sender that is gone means the end as well.
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
        Ok(())
    }

    async fn bring_all_built_in(&self, mut components: Vec<(PluginName, Bytes, Activating)>) {
        while !components.is_empty() {
            let mut again = Vec::new();
            for (name, bytes, activating) in components {
                match self.bring_new_built_in(name.clone(), bytes.clone(), activating).await {
                    Ok(()) => {}
                    Err(failure @ (ChangeError::Busy | ChangeError::Store(_))) => {
                        let error = chain(&failure);
                        warn!(plugin = %name, error, "a built-in plugin's new version could not be made ready; it is tried again in a minute");
                        again.push((name, bytes, activating));
                    }
                    Err(failure) => {
                        let error = chain(&failure);
                        warn!(plugin = %name, error, "a built-in plugin's new version can not be made ready; the next start tries it again");
                    }
                }
            }
            components = again;
            if !components.is_empty() {
                let at = self.now().plus_millis(BUILT_IN_AGAIN_MS);
                self.inner.clock.sleep_until(at).await;
            }
        }
    }

    /// The same as [`River::bring_built_in`], unless the plugin has it: somebody may have uploaded it meanwhile, or the store may have failed
    /// when it had it already.
    async fn bring_new_built_in(&self, name: PluginName, bytes: Bytes, activating: Activating) -> Result<(), ChangeError> {
        let had = self.inner.store.had_plugin_digest(None, name.clone(), Digest::of(&bytes));
        match had.await? {
            true => Ok(()),
            false => self.bring_built_in(name, bytes, activating).await,
        }
    }

    async fn bring_built_in(&self, name: PluginName, bytes: Bytes, activating: Activating) -> Result<(), ChangeError> {
        let upload = self.upload(Component::new(None, name.clone(), bytes, true), activating).await?;
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

fn too_many(too_much: TooMuch, max: PluginsMax) -> ChangeError {
    let (limit, max) = match too_much {
        TooMuch::Plugins => ("plugins_max", u64::from(max.plugins)),
        TooMuch::Versions => ("versions_max", u64::from(max.versions)),
        TooMuch::ComponentBytes => ("component_bytes_max_per_organization", max.component_bytes),
    };
    ChangeError::TooMany { limit, max }
}
