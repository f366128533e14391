//! What the commands for plugins are configured by: the settings of `serve`, from the same places.

use std::ffi::OsString;

use clap::Args;

use crate::config::{self, Config, Flags};

/// Where the configuration is read from, under the environment.
#[derive(Debug, Args)]
pub(crate) struct Configured {
    /// A configuration file in TOML, as `serve` reads it: its `[limits]`, its `kinds`, and the host's `url` and `key` under `[client]`
    /// [default: ~/.config/hookmill/config.toml, where it is]
    #[arg(long = "config", value_name = "FILE", env = "HOOKMILL_CONFIG")]
    file: Option<OsString>,
}

impl Configured {
    /// Reads it.
    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        let named = config::named(self.file.clone());
        config::load(named.or_else(config::file_at_home), &Flags::default())
    }
}
