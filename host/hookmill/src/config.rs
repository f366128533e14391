//! Configuration: flags over environment over file over defaults. What is not known is refused, wherever it stands.

mod environment;
mod refused;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::limits::Limits;
use hookmill_domain::names::Kind;
use hookmill_domain::target::TargetUrl;
use serde::{Deserialize, Serialize};

/// The whole configuration: of `hookmill serve`, and of the commands for plugins, which judge by the same limits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Where the API listens.
    pub(crate) listen: SocketAddr,
    /// This host's number, for keys: another one for each host.
    pub(crate) host: u8,
    /// Kinds of events beside the product's.
    pub(crate) kinds: Vec<Kind>,
    /// What leaves the house.
    pub(crate) egress: Egress,
    /// Threads that call plugins; absent: one for two cores.
    pub(crate) plugin_threads: Option<usize>,
    /// All limits.
    pub(crate) limits: Limits,
    /// The log.
    pub(crate) log: Log,
    /// Calls of a host, for the commands that make them: a host takes no notice of it.
    pub(crate) client: Client,
}

/// What leaves the house.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Egress {
    /// Networks beyond public addresses that every organization's targets may reach: by CIDR, `loopback` or `private`.
    pub(crate) allow_networks: Vec<String>,
}

/// Calls of a host by its API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Client {
    /// Where the host's API is.
    pub(crate) url: Option<TargetUrl>,
    /// An API key.
    pub(crate) key: Option<ClientKey>,
}

/// An API key, which is shown nowhere.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ClientKey(pub(crate) String);

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The log, on standard error.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// What is logged: a level, or directives such as `info,hookmill_flow=debug`.
    pub(crate) filter: String,
    /// Lines for people, or JSON for machines.
    pub(crate) format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data: PathBuf::from("./hookmill-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            host: 0,
            kinds: Vec::new(),
            egress: Egress::default(),
            plugin_threads: None,
            limits: Limits::default(),
            log: Log::default(),
            client: Client::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log {
            filter: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// What flags say, over everything else.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Flags {
    /// `--data`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<PathBuf>,
    /// `--listen`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,
    /// `--allow-network`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) egress: Option<Egress>,
}

/// Puts the configuration together.
pub(crate) fn load(file: Option<PathBuf>, flags: &Flags) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(file) = file {
        anyhow::ensure!(file.is_file(), "the configuration file {} is not there", file.display());
        figment = figment.merge(Toml::file_exact(file));
    }
    let figment = figment.merge(environment::settings()).merge(Serialized::defaults(flags));
    let config: Config = figment
        .extract()
        .map_err(|error| anyhow::anyhow!(refused::told(error)))
        .context("the configuration can not be read")?;
    policy(&config)?;
    config.limits.check().context("the limits can not be used")?;
    Ok(config)
}

/// The file that a flag or a variable names. An empty name, as an empty variable has it, names none.
pub(crate) fn named(file: Option<OsString>) -> Option<PathBuf> {
    file.filter(|file| !file.is_empty()).map(PathBuf::from)
}

/// Where the commands for plugins look for a file that nobody names (XDG Base Directory Specification).
pub(crate) fn file_at_home() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("hookmill/config.toml")).filter(|file| file.is_file())
}

/// What every organization's targets may reach.
pub(crate) fn policy(config: &Config) -> anyhow::Result<AddressPolicy> {
    AddressPolicy::parse(&config.egress.allow_networks).context("egress.allow_networks")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> anyhow::Result<Config> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        load(Some(file.path().to_owned()), &Flags::default())
    }

    #[test]
    fn flags_stand_over_the_file() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(
            file.path(),
            "data = \"/a\"\nlisten = \"127.0.0.1:1\"\n[limits.plugin]\ncpu_ms = 7\n",
        )
        .expect("written");
        let flags = Flags {
            data: Some("/b".into()),
            ..Flags::default()
        };
        let config = load(Some(file.path().to_owned()), &flags).expect("a configuration");
        assert_eq!(config.data, PathBuf::from("/b"));
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.limits.plugin.cpu_ms, 7);
        assert_eq!(config.limits.plugin.wall_ms, 10_000, "what is not named keeps its default");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, named) in [
            ("dta = \"/a\"", "dta"),
            ("[limits.plugin]\ncpu_seconds = 1", "cpu_seconds"),
            ("[egress]\nallow_networks = [\"loopbak\"]", "loopbak"),
            (
                "[limits.delivery]\nin_flight_max = 0",
                "limits.delivery.in_flight_max must be at least 1",
            ),
            (
                "[limits.delivery]\nshutdown_grace_ms = 9223372036854775807",
                "limits.delivery.shutdown_grace_ms must be at most 31536000000",
            ),
        ] {
            let error = format!("{:#}", toml(text).expect_err(text));
            assert!(error.contains(named), "{error}");
        }
    }
}
