//! Configuration: flags over environment over file over defaults. What is not known is refused, wherever it stands.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::limits::Limits;
use hookmill_domain::names::Kind;
use serde::{Deserialize, Serialize};

/// The whole configuration of `hookmill serve`.
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
}

/// What leaves the house.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Egress {
    /// Networks beyond public addresses that every organization's targets may reach: by CIDR, `loopback` or `private`.
    pub(crate) allow_networks: Vec<String>,
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

/// Variables of the environment that begin like settings and are none. `HOOKMILL_URL` and `HOOKMILL_KEY` are of those who call a host.
const NOT_SETTINGS: [&str; 5] = ["operator_key", "keyring", "config", "url", "key"];

/// Whether Kubernetes has made a variable, of a service that is called `hookmill`: it tells each container of every service.
/// <https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables>
fn is_of_a_service(name: &str) -> bool {
    // Anybody may take the first for a setting, and is to be told.
    let is_address = || std::env::var("HOOKMILL_PORT").is_ok_and(|value| value.starts_with("tcp://") || value.starts_with("udp://"));
    (name == "port" && is_address()) || ["port_", "service_"].iter().any(|beginning| name.starts_with(beginning))
}

/// Puts the configuration together.
pub(crate) fn load(file: Option<PathBuf>, flags: &Flags) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(file) = file {
        anyhow::ensure!(file.is_file(), "the configuration file {} is not there", file.display());
        figment = figment.merge(Toml::file_exact(file));
    }
    let figment = figment.merge(settings_in_the_environment()).merge(Serialized::defaults(flags));
    // The library names its own profile before each key, which says nothing to anybody here.
    let config: Config = figment
        .extract()
        .map_err(|error| anyhow::anyhow!("{}", error.to_string().replace("default.", "")))
        .context("the configuration can not be read")?;
    policy(&config)?;
    config.limits.check().context("the limits can not be used")?;
    Ok(config)
}

fn settings_in_the_environment() -> Env {
    let is_setting = |name: &figment::value::UncasedStr| !is_of_a_service(&name.as_str().to_ascii_lowercase());
    Env::prefixed("HOOKMILL_").ignore(&NOT_SETTINGS).filter(is_setting).split("__")
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
            ("[limits.delivery]\nin_flight_max = 0", "in_flight_max"),
        ] {
            let error = format!("{:#}", toml(text).expect_err(text));
            assert!(error.contains(named), "{error}");
        }
    }
}
