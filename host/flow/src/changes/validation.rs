//! What of an integration only the house can judge: where it sends, which plugin it means, and whether its configuration fits that.

use std::net::SocketAddr;

use hookmill_domain::integration::{Draft, OrganizationKey, PluginRef};
use hookmill_plugin_room::CheckError;
use hookmill_store::{Judged, PluginFound, PluginVersion, StoreError};

use super::ChangeError;
use crate::river::River;

impl River {
    /// Judges what of an integration only the house can judge: addresses, and a plugin's configuration.
    pub(super) async fn judged(
        &self,
        organization: OrganizationKey,
        draft: &Draft,
        kept: Option<PluginRef>,
    ) -> Result<Judged, ChangeError> {
        self.check_addresses(organization, draft, "").await?;
        let version = self.meant_version(organization, draft, kept.as_ref(), "").await?;
        if let Some(schema) = &version.schema {
            self.check_config(organization, schema, &draft.config, "").await?;
        }
        Ok(Judged {
            draft: draft.clone(),
            kept,
            by: version.digest,
        })
    }

    /// Judges where an integration sends. `pointer`: where it stands in what was asked.
    pub(crate) async fn check_addresses(&self, organization: OrganizationKey, draft: &Draft, pointer: &str) -> Result<(), ChangeError> {
        let policy = self.inner.caches.policy(organization).await?;
        for target in &draft.targets {
            let pointer = match &target.name {
                Some(name) => format!("{pointer}/targets/{name}/target"),
                None => format!("{pointer}/target"),
            };
            let address = target.url.known_ip().map(|ip| SocketAddr::new(ip, target.url.port()));
            if address.is_some_and(|address| self.inner.client.is_own_listener(address)) {
                return Err(ChangeError::invalid(pointer, "this host itself listens there"));
            }
            if let Some(Err(refused)) = target.url.known_ip().map(|ip| policy.judge(ip)) {
                let message = format!("{refused}; the operator opens networks by `--allow-network` or `egress.allow_networks`");
                return Err(ChangeError::invalid(pointer, message));
            }
        }
        Ok(())
    }

    /// The version that the plugin means which an integration keeps, or else names. `pointer`: where the integration stands in what was asked.
    pub(crate) async fn meant_version(
        &self,
        organization: OrganizationKey,
        draft: &Draft,
        kept: Option<&PluginRef>,
        pointer: &str,
    ) -> Result<PluginVersion, ChangeError> {
        let plugin = match kept {
            Some(kept) => kept.clone(),
            None => match self.inner.store.find_plugin(organization, draft.plugin.clone()).await? {
                PluginFound::Found(plugin) => plugin,
                missing => return Err(no_plugin(missing, pointer)),
            },
        };
        let name = plugin.name.clone();
        let version = self.inner.store.meant_version(organization, plugin).await?;
        version.ok_or_else(|| no_plugin(PluginFound::NotActive(name), pointer))
    }

    /// Judges a `plugin_config` by a schema. `pointer`: where its integration stands in what was asked.
    pub(crate) async fn check_config(
        &self,
        organization: OrganizationKey,
        schema: &str,
        config: &str,
        pointer: &str,
    ) -> Result<(), ChangeError> {
        let _turn = self.inner.judgements.turn(Some(organization)).ok_or(ChangeError::Busy)?;
        let wrong = |below: &str, message: String| ChangeError::invalid(format!("{pointer}/plugin_config{below}"), message);
        match self.inner.plugins.check_config(schema, config).await {
            Ok(()) => Ok(()),
            Err(CheckError::Config(error)) if config == "null" => Err(wrong("", format!("is missing: {}", error.message))),
            Err(CheckError::Config(error)) => Err(wrong(&error.pointer, error.message)),
            Err(CheckError::Busy) => Err(ChangeError::Busy),
            Err(failure @ CheckError::Schema { .. }) => Err(wrong("", failure.to_string())),
            Err(CheckError::Host(failure)) => Err(ChangeError::Store(StoreError::Database(failure.to_string()))),
        }
    }
}

pub(super) fn no_plugin(missing: PluginFound, pointer: &str) -> ChangeError {
    let message = match missing {
        PluginFound::NoName(name) => format!("there is no plugin `{name}`"),
        PluginFound::NoVersion(name, version) => format!("the plugin `{name}` has no version {version}"),
        PluginFound::NotActive(name) => format!("no version of the plugin `{name}` is active"),
        PluginFound::Found(plugin) => format!("the plugin `{plugin}` can not be used"),
    };
    ChangeError::invalid(format!("{pointer}/plugin"), message)
}
