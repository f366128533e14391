//! Settings in the environment: `HOOKMILL_LIMITS__PLUGIN__CPU_MS` is `limits.plugin.cpu_ms`.

use std::net::IpAddr;

use figment::providers::Env;
use figment::value::UncasedStr;

/// What the name of each begins with.
const PREFIX: &str = "HOOKMILL_";
/// What stands between a group and what is in it.
const BETWEEN: &str = "__";

/// Variables that begin like settings and are none, without the prefix. `HOOKMILL_URL` and `HOOKMILL_KEY` are of those who call a host.
pub(super) const NOT_SETTINGS: [&str; 5] = ["operator_key", "keyring", "config", "url", "key"];

/// All of them.
pub(super) fn settings() -> Env {
    let is_setting = |name: &UncasedStr| {
        let value = std::env::var(format!("{PREFIX}{name}")).unwrap_or_default();
        !is_of_a_service(&name.as_str().to_ascii_lowercase(), &value)
    };
    Env::prefixed(PREFIX).ignore(&NOT_SETTINGS).filter(is_setting).split(BETWEEN)
}

/// How the environment calls a setting.
pub(super) fn name(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', BETWEEN).to_ascii_uppercase())
}

/// Whether Kubernetes has made a variable (without the prefix, in lower case), of a service that is called `hookmill`, `hookmill-api` and
/// the like: it tells each container of every service.
/// <https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables>
fn is_of_a_service(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    let parts: Vec<&str> = name.split('_').collect();
    match parts.as_slice() {
        [.., "service", "host"] => value.parse::<IpAddr>().is_ok(),
        [.., "port", number, "tcp" | "udp" | "sctp"] if is_port(number) => is_address,
        [.., "port", number, "tcp" | "udp" | "sctp", "proto" | "port" | "addr"] if is_port(number) => true,
        // Anybody may take `HOOKMILL_PORT` for a setting, and is to be told.
        [.., "port"] if is_address => true,
        // A service's ports may have names, which follow.
        _ => is_port(value) && parts.windows(2).any(|two| two == ["service", "port"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_services_are_told_from_settings() {
        for service in ["", "api_", "a_b_2_"] {
            for (rest, value) in [
                ("service_host", "10.0.0.7"),
                ("service_host", "fd00::7"),
                ("service_port", "8080"),
                ("service_port_http", "8080"),
                ("service_port_more_metrics", "9090"),
                ("port", "tcp://10.0.0.7:8080"),
                ("port", "udp://10.0.0.7:53"),
                ("port_8080_tcp", "tcp://10.0.0.7:8080"),
                ("port_8080_tcp_proto", "tcp"),
                ("port_8080_tcp_port", "8080"),
                ("port_8080_tcp_addr", "10.0.0.7"),
                ("port_53_udp_addr", "10.0.0.7"),
            ] {
                assert!(is_of_a_service(&format!("{service}{rest}"), value), "{service}{rest}={value}");
            }
        }
        for (name, value) in [
            ("listen", "127.0.0.1:8080"),
            ("listn", "tcp://127.0.0.1:8080"),
            ("port", "8080"),
            ("api_port", "8080"),
            ("port_http", "tcp://10.0.0.7:8080"),
            ("port_x_tcp", "tcp://10.0.0.7:8080"),
            ("port_8080_http_addr", "10.0.0.7"),
            ("service_host", "a.example"),
            ("service_port", "http"),
            ("service", "8080"),
            ("limits__delivery__in_flight_max", "8080"),
        ] {
            assert!(!is_of_a_service(name, value), "{name}={value}");
        }
    }

    #[test]
    fn a_setting_has_a_name_here() {
        assert_eq!(name("limits.plugin.cpu_ms"), "HOOKMILL_LIMITS__PLUGIN__CPU_MS");
    }
}
