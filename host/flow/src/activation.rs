//! Activating a version: refused where the configuration of an integration that follows the plugin does not fit it.
//!
//! Those configurations are judged before the version's commit, and the commit is made only if nobody has come to follow the plugin, or has
//! changed what it says to it, meanwhile. An integration's own change is held to the version that its plugin means at its commit. So between
//! them no integration follows a version that its configuration does not fit.

use std::collections::HashMap;

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::names::PluginName;
use hookmill_domain::time::Time;
use hookmill_plugin_room::{CheckError, ConfigError};
use hookmill_store::{Activated, Follower, NamedIntegration, PluginVersion, Stand, StoreError};

use crate::changes::{ChangeError, TRIES_MAX};
use crate::river::River;

/// Integrations read at once.
const FOLLOWERS_AT_ONCE: usize = 100;
/// Different configurations that are judged for one activation.
const CONFIGS_MAX: usize = 10_000;
/// How long all of that may take.
const JUDGING_MS_MAX: u64 = 60_000;
/// Integrations that an answer names.
const NAMED_MAX: usize = 10;

/// A version that is the active one.
#[derive(Debug)]
pub struct Activation {
    /// The version.
    pub version: PluginVersion,
    /// Runs of integrations that follow the plugin, counted up to a thousand, which wait to be resumed: parked, or behind too many faults.
    pub waiting: u64,
}

/// Why a version was not activated.
#[derive(Debug, Clone)]
pub struct Unfit {
    /// What is wrong, for the plugin's owner.
    pub message: String,
    /// The configurations that do not fit; empty if they could not be judged.
    pub configs: Vec<UnfitConfig>,
    /// Whether there may be more than these.
    pub more: bool,
}

/// A configuration that does not fit.
#[derive(Debug, Clone)]
pub struct UnfitConfig {
    /// Whose it is.
    pub integration: NamedIntegration,
    /// A JSON Pointer into the integration to what does not fit.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

impl Unfit {
    fn unjudged(message: impl Into<String>) -> Unfit {
        Unfit {
            message: message.into(),
            configs: Vec::new(),
            more: false,
        }
    }
}

/// Whether a version fits those who follow its plugin.
pub(crate) enum Fit {
    /// It takes any configuration.
    Any,
    /// It does, as the plugin stood then.
    Judged(Stand),
    /// It does not.
    Unfit(Unfit),
}

/// Judges the configurations of those who follow a plugin by one schema, each different one once, however often that is asked.
pub(crate) struct Judging<'a> {
    river: &'a River,
    owner: Option<OrganizationKey>,
    until: Time,
    known: HashMap<Digest, Option<ConfigError>>,
}

impl Judging<'_> {
    pub(crate) fn new(river: &River, owner: Option<OrganizationKey>) -> Judging<'_> {
        Judging {
            river,
            owner,
            until: river.now().plus_millis(JUDGING_MS_MAX),
            known: HashMap::new(),
        }
    }

    /// Whether a version with that schema fits. Always the same schema.
    pub(crate) async fn fit(&mut self, name: &PluginName, schema: Option<&str>) -> Result<Fit, ChangeError> {
        let Some(schema) = schema else { return Ok(Fit::Any) };
        let store = &self.river.inner.store;
        let (stand, active) = store.plugin_stand(self.owner, name.clone()).await?;
        if active.as_deref() == Some(schema) {
            // All who follow it fit its active version.
            return Ok(Fit::Judged(stand));
        }
        let _turn = self.river.inner.judgements.turn(self.owner).ok_or(ChangeError::Busy)?;
        let mut unfit = Vec::new();
        let mut after = IntegrationKey(i64::MIN);
        loop {
            let followers = store.followers(self.owner, name.clone(), after, FOLLOWERS_AT_ONCE).await?;
            let Some(last) = followers.last() else { break };
            after = last.key;
            for follower in followers {
                if unfit.len() == NAMED_MAX {
                    return Ok(Fit::Unfit(named(unfit, true)));
                }
                match self.judged(schema, &follower).await? {
                    Ok(None) => {}
                    Ok(Some(error)) => unfit.push(UnfitConfig {
                        integration: follower.integration,
                        pointer: format!("/plugin_config{}", error.pointer),
                        message: error.message,
                    }),
                    Err(unjudged) => return Ok(Fit::Unfit(unjudged)),
                }
            }
        }
        if unfit.is_empty() {
            return Ok(Fit::Judged(stand));
        }
        Ok(Fit::Unfit(named(unfit, false)))
    }

    async fn judged(&mut self, schema: &str, follower: &Follower) -> Result<Result<Option<ConfigError>, Unfit>, ChangeError> {
        let digest = Digest::of(follower.config.as_bytes());
        if let Some(known) = self.known.get(&digest) {
            return Ok(Ok(known.clone()));
        }
        if self.known.len() >= CONFIGS_MAX {
            let message = format!("more than {CONFIGS_MAX} different configurations follow the plugin");
            return Ok(Err(Unfit::unjudged(message)));
        }
        if self.river.now() > self.until {
            let message = "it takes too long to judge the configurations that follow the plugin by this version's schema";
            return Ok(Err(Unfit::unjudged(message)));
        }
        let verdict = match self.river.inner.plugins.check_config(schema, &follower.config).await {
            Ok(()) => None,
            Err(CheckError::Config(error)) => Some(error),
            Err(failure @ CheckError::Schema { .. }) => return Ok(Err(Unfit::unjudged(failure.to_string()))),
            Err(CheckError::Busy) => return Err(ChangeError::Busy),
            Err(CheckError::Host(failure)) => return Err(ChangeError::Store(StoreError::Database(failure.to_string()))),
        };
        self.known.insert(digest, verdict.clone());
        Ok(Ok(verdict))
    }
}

fn named(configs: Vec<UnfitConfig>, more: bool) -> Unfit {
    let ids: Vec<String> = configs.iter().map(|config| config.integration.id.to_string()).collect();
    let dots = if more { ", …" } else { "" };
    Unfit {
        message: format!(
            "the `plugin_config` of integrations that follow the plugin does not fit this version's schema: {}{dots}",
            ids.join(", ")
        ),
        configs,
        more,
    }
}

impl River {
    /// Makes a version of a plugin of the organization, or of the host for `None`, the active one. Events that have been accepted keep the one
    /// of their time, and nothing is resumed by it.
    pub async fn activate_plugin(&self, owner: Option<OrganizationKey>, name: PluginName, version: u32) -> Result<Activation, ChangeError> {
        let mut judging = Judging::new(self, owner);
        for _ in 0..TRIES_MAX {
            let found = self.inner.store.plugin_version(owner, name.clone(), version).await?;
            let found = found.ok_or(ChangeError::NotFound)?;
            // Also where it was the active one a moment ago: by the commit it may not be that any more.
            let judged = match judging.fit(&name, found.schema.as_deref()).await? {
                Fit::Any => None,
                Fit::Judged(stand) => Some(stand),
                Fit::Unfit(unfit) => return Err(ChangeError::Unfit(unfit)),
            };
            match self.inner.store.activate_version(owner, name.clone(), version, judged).await? {
                Activated::Done { version, waiting } => {
                    self.forget_configurations(owner);
                    return Ok(Activation { version, waiting });
                }
                Activated::NotFound => return Err(ChangeError::NotFound),
                Activated::Moved => {}
            }
        }
        Err(ChangeError::Busy)
    }
}
