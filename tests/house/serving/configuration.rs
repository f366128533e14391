//! Flags over environment over file; what is not known is refused.

use std::process::Command;

use serde_json::json;

use crate::parts::client::Client;
use crate::parts::host::{Options, command};
use crate::parts::looks::{Process, ended, problem};
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let refused = async |change: &dyn Fn(&mut Command) -> &mut Command, named: &str| {
        let mut command = command(
            &data,
            &Options {
                arguments: Vec::new(),
                ..Options::default()
            },
        );
        change(&mut command);
        let (status, said) = ended(command).await;
        assert!(!status.success(), "{named}");
        assert!(said.to_lowercase().contains(named), "{named}: {said}");
        assert!(!data.exists(), "nothing is made before the configuration is read: {named}");
    };
    let file = |text: &str| {
        let path = folder.path().join("hookmill.toml");
        std::fs::write(&path, text).expect("written");
        path
    };
    for (text, named) in [
        ("dta = \"x\"", "dta"),
        ("[limits.intake]\nevent_body_bytes = 1", "event_body_bytes"),
        ("[egress]\nallow_network = [\"loopback\"]", "allow_network"),
        ("[egress]\nallow_networks = [\"loopbak\"]", "loopbak"),
        ("plugin_threads = \"many\"", "plugin_threads"),
        ("host = 256", "host"),
        ("[log]\nformat = \"xml\"", "format"),
        ("[limits.delivery]\nin_flight_max = 0", "in_flight_max"),
        ("[limits.delivery]\nage_ms_max = -1", "age_ms_max"),
        ("kinds = [\"Not_A_Kind\"]", "kind"),
        ("data = \"unfinished", "hookmill.toml"),
    ] {
        let path = file(text);
        refused(&|command| command.arg("--config").arg(&path), named).await;
    }
    for (variable, value, named) in [
        ("HOOKMILL_LISTN", "127.0.0.1:0", "listn"),
        ("HOOKMILL_LIMITS__INTAKE__BODY", "5", "body"),
        ("HOOKMILL_LIMITS__INTAKE__CONNECTIONS_MAX", "many", "connections_max"),
        ("HOOKMILL_LIMITS__INTAKE__CONNECTIONS_MAX", "0", "connections_max"),
        ("HOOKMILL_EGRESS__ALLOW_NETWORK", "[loopback]", "allow_network"),
    ] {
        refused(&|command| command.env(variable, value), named).await;
    }
    let missing = folder.path().join("missing.toml");
    refused(&|command| command.arg("--config").arg(&missing), "missing.toml").await;
    refused(&|command| command.arg("--colour"), "--colour").await;
    refused(&|command| command.args(["--allow-network", "10.0.0.0/33"]), "10.0.0.0/33").await;
}

/// A typing error is told by the name that stands where it was made, with what was perhaps meant.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_told_from_what_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = async |change: &dyn Fn(&mut Command) -> &mut Command, says: &str| {
        let mut command = Command::new(crate::parts::hookmill());
        command.arg("serve").arg("--data").arg(folder.path().join("data"));
        change(&mut command);
        let (status, said) = ended(command).await;
        assert!(!status.success() && said.contains(says), "{says}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    };
    for (variable, value, says) in [
        (
            "HOOKMILL_LISTN",
            "127.0.0.1:0",
            ": HOOKMILL_LISTN: there is no such setting; did you mean HOOKMILL_LISTEN?",
        ),
        (
            "HOOKMILL_LIMITS_PLUGIN_CPU_MS",
            "500",
            ": HOOKMILL_LIMITS_PLUGIN_CPU_MS: there is no such setting; did you mean HOOKMILL_LIMITS__PLUGIN__CPU_MS?",
        ),
        ("HOOKMILL_OPERATR_KEY", "secret", "did you mean HOOKMILL_OPERATOR_KEY?"),
        ("HOOKMILL_API_PORT", "8080", "HOOKMILL_API_PORT: there is no such setting"),
        ("HOOKMILL_PORT", "8080", "HOOKMILL_PORT: there is no such setting"),
        (
            "HOOKMILL_API_SERVICE_HOST",
            "of-the-api",
            "HOOKMILL_API_SERVICE_HOST: there is no such setting",
        ),
        (
            "HOOKMILL_LOG",
            "debug",
            ": HOOKMILL_LOG: is a group of settings, such as HOOKMILL_LOG__FILTER",
        ),
        (
            "HOOKMILL_LIMITS__PLUGIN__CPU_MS",
            "much",
            ": HOOKMILL_LIMITS__PLUGIN__CPU_MS: invalid type",
        ),
    ] {
        refused(&|command| command.env(variable, value), says).await;
    }
    let file = folder.path().join("hookmill.toml");
    for (text, says) in [
        ("dta = 'x'", "hookmill.toml: dta: there is no such setting; did you mean data?"),
        (
            "[limits.plugin]\ncpu_seconds = 1",
            "hookmill.toml: limits.plugin.cpu_seconds: there is no such setting; did you mean limits.plugin.cpu_ms?",
        ),
        (
            "[log]\ncolour = true",
            "hookmill.toml: log.colour: there is no such setting; here may stand `filter` or `format`",
        ),
        ("kinds = ['a', 'Not_A_Kind']", "hookmill.toml: kinds: "),
        ("data = 'unfinished", "hookmill.toml: TOML parse error at line 1, column "),
    ] {
        std::fs::write(&file, text).expect("written");
        refused(&|command| command.arg("--config").arg(&file), says).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_stand_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hookmill.toml");
    let text = format!(
        "data = \"{}\"\nlisten = \"127.0.0.1:0\"\nkinds = [\"document_seen\"]\n[egress]\nallow_networks = [\"loopback\"]\n\
         [limits.intake]\nbatch_events_max = 2\nintegrations_max = 1\ndisk_free_bytes_min = 1000000\n",
        folder.path().join("of-the-file").display()
    );
    std::fs::write(&file, text).expect("written");
    let receiver = Receiver::start().await;
    let listens = async |change: &dyn Fn(&mut Command), address: &str, data: &str, batch: usize| {
        let mut command = Command::new(crate::parts::hookmill());
        // Kubernetes tells each container of services that are called hookmill and hookmill-api: these are no settings.
        for service in ["HOOKMILL", "HOOKMILL_API"] {
            command
                .env(format!("{service}_PORT"), "tcp://10.0.0.7:8080")
                .env(format!("{service}_PORT_8080_TCP"), "tcp://10.0.0.7:8080")
                .env(format!("{service}_PORT_8080_TCP_ADDR"), "10.0.0.7")
                .env(format!("{service}_SERVICE_HOST"), "10.0.0.7")
                .env(format!("{service}_SERVICE_PORT"), "8080")
                .env(format!("{service}_SERVICE_PORT_HTTP"), "8080");
        }
        command
            .arg("serve")
            .env("HOOKMILL_OPERATOR_KEY", crate::parts::host::OPERATOR_KEY)
            .env("HOOKMILL_CONFIG", &file);
        change(&mut command);
        let mut process = Process::start(command);
        let printed: std::net::SocketAddr = process.line("hookmill listens on http://").await.parse().expect("an address");
        assert_eq!(printed.ip().to_string(), address);
        assert_ne!(printed.port(), 0, "the bound port is printed");
        assert!(folder.path().join(data).join("hookmill.db").is_file());
        let operator = Client {
            address: printed,
            key: crate::parts::host::OPERATOR_KEY.to_owned(),
        };
        operator.post("/organizations", &json!({"name": "a"})).await;
        let post = async |count: usize| {
            let events = vec![r#"{"event":"document_seen","data":{"id":"d"}}"#; count];
            operator
                .call("POST", "/events?organization=a", format!("[{}]", events.join(",")))
                .await
        };
        post(batch).await.expect(202);
        assert_eq!(problem(&post(batch + 1).await, 413, "")["limit"], "batch_events_max");
        let draft = json!({"type": "webhook", "events": ["document_seen"], "target": receiver.url("/"), "organization": "a"});
        let answer = operator.post("/integrations", &draft).await;
        process.end().await;
        answer
    };
    let (of_environment, of_flag) = (folder.path().join("of-the-environment"), folder.path().join("of-the-flag"));
    listens(&|_| {}, "127.0.0.1", "of-the-file", 2).await.expect(201);
    let environment = |command: &mut Command| {
        command.env("HOOKMILL_LISTEN", "127.0.0.2:0").env("HOOKMILL_DATA", &of_environment);
        command
            .env("HOOKMILL_LIMITS__INTAKE__BATCH_EVENTS_MAX", "3")
            .env("HOOKMILL_EGRESS__ALLOW_NETWORKS", "[\"10.0.0.0/8\"]");
    };
    let answer = listens(&environment, "127.0.0.2", "of-the-environment", 3).await;
    problem(&answer, 422, "/target");
    let flags = |command: &mut Command| {
        environment(command);
        command
            .args([
                "--listen",
                "127.0.0.3:0",
                "--allow-network",
                "127.0.0.0/8",
                "--allow-network",
                "::1/128",
            ])
            .arg("--data")
            .arg(&of_flag);
    };
    listens(&flags, "127.0.0.3", "of-the-flag", 3).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_settings_is_no_setting() {
    // Somebody wants more log and gets none: silence would be the worst answer.
    let folder = tempfile::tempdir().expect("a folder");
    for (variable, value) in [("HOOKMILL_LOG", "debug"), ("HOOKMILL_LIMITS", "5"), ("HOOKMILL_EGRESS", "loopback")] {
        // It fails before it listens, or it would never end: port 1 of an address that is not this machine's.
        let mut command = Command::new(crate::parts::hookmill());
        command
            .arg("serve")
            .arg("--data")
            .arg(folder.path())
            .args(["--listen", "192.0.2.1:1"])
            .env(variable, value);
        let (status, said) = ended(command).await;
        assert!(!status.success());
        let name = variable.trim_start_matches("HOOKMILL_").to_lowercase();
        assert!(said.to_lowercase().contains(&name), "{variable}: {said}");
    }
}
