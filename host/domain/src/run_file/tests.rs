use serde_json::{Value, json};

use super::*;
use crate::ids::RunSource;

fn file() -> RunFile {
    let key = Key::from_parts(Time::from_millis(1_790_000_000_000), 5, 321);
    let source = RunSource {
        key,
        salt: Salt::new(7),
        integration: IntegrationId::new(Time::from_millis(1_780_000_000_000), [7; 10]),
        generation: 2,
    };
    RunFile {
        run: source.run_id(),
        generation: 2,
        event: EventPart {
            id: EventId::new(key, Salt::new(9)),
            kind: "document_text".parse().expect("a kind"),
            organization: "contractfit1".parse().expect("a name"),
            inbox: None,
            project: Some("5e60".parse().expect("an id")),
            document: "d".parse().expect("an id"),
            accepted_at: key.time(),
            data: "{\"n\": 1.10,\n\"id\":\"d\"}".to_owned(),
        },
        integration: IntegrationPart {
            id: source.integration,
            targets: vec![TargetPart {
                name: None,
                headers: vec!["authorization".to_owned()],
                query_keys: vec!["token".to_owned()],
            }],
            config: "{\"do\":  \"echo\"}".to_owned(),
        },
        plugin: PluginPart {
            name: "probe".parse().expect("a name"),
            version: 3,
            digest: Digest::of(b"component"),
        },
        limits: LimitsPart::from(&PluginLimits::default()),
        outcome: OutcomePart {
            state: RunState::Done,
            code: None,
            reason: None,
            duration_us: Some(15),
            memory_bytes: Some(1_114_112),
            log: vec!["info: hello".to_owned()],
            requests: vec![RequestPart {
                delivery: source.delivery_id(0),
                digest: Some(Digest::of(b"request")),
            }],
        },
    }
}

fn document() -> Value {
    serde_json::to_value(file().document()).expect("JSON")
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut document = document();
    change(&mut document);
    match RunFile::read(document.to_string().as_bytes()) {
        Ok(_) => panic!("it is read: {document}"),
        Err(error) => error.to_string(),
    }
}

// Frozen: files lie about for years, and every release that knows the version reads them.
#[test]
fn version_1_is_frozen() {
    let expected = json!({
        "format": "hookmill.run", "version": 1, "run": "run_01m3250v00e50r2g3j5dy3j5n4", "generation": 2,
        "event": {"id": "evt_01m3250v00e50r2g0000000009", "kind": "document_text", "organization": "contractfit1", "project": "5e60",
            "document": "d", "accepted_at": "2026-09-21T14:13:20.000Z", "data": "{\"n\": 1.10,\n\"id\":\"d\"}"},
        "integration": {"id": "int_01ksr49200ew3re1r70w3ge1r7", "config": "{\"do\":  \"echo\"}",
            "targets": [{"headers": ["authorization"], "query_keys": ["token"]}]},
        "plugin": {"name": "probe", "version": 3, "digest": Digest::of(b"component")},
        "limits": {"cpu_ms": 250, "cpu_ms_per_mib": 150, "wall_ms": 10_000, "memory_bytes": 67_108_864, "memory_input_factor": 4,
            "memory_bytes_max": 134_217_728, "output_bytes_max": 4_194_304, "requests_max": 64, "log_lines_max": 200,
            "log_left_out_lines_max": 10_000, "log_line_bytes_max": 4096, "log_bytes_max": 16_384},
        "outcome": {"state": "done", "duration_us": 15, "memory_bytes": 1_114_112, "log": ["info: hello"],
            "requests": [{"delivery": "dlv_01m3250v00e50r2nsmxzpp7qxp", "digest": Digest::of(b"request")}]},
    });
    assert_eq!(document(), expected);
    assert_eq!(RunFile::read(expected.to_string().as_bytes()).expect("it was just written"), file());
}

#[test]
fn it_survives_whoever_writes_it_again() {
    let mut document = document();
    document["added_later"] = json!({"a": 1});
    document["event"]["added_later"] = json!(null);
    let pretty = serde_json::to_string_pretty(&document).expect("JSON");
    assert_eq!(RunFile::read(pretty.as_bytes()).expect("fields are only added"), file());
}

#[test]
fn limits_come_back() {
    let limits = PluginLimits {
        cpu_ms: 1,
        cpu_ms_per_mib: 2,
        wall_ms: 3,
        memory_bytes: 4,
        memory_input_factor: 5,
        memory_bytes_max: 6,
        output_bytes_max: 7,
        requests_max: 8,
        log_lines_max: 9,
        log_left_out_lines_max: 10,
        log_line_bytes_max: 11,
        log_bytes_max: 12,
        ..PluginLimits::default()
    };
    assert_eq!(PluginLimits::from(LimitsPart::from(&limits)), limits);
}

#[test]
fn what_is_no_run_is_refused() {
    assert!(matches!(RunFile::read(b"{"), Err(NotARunFile::OtherFormat)));
    assert!(refused(|file| file["format"] = json!("hookmill.event")).contains("not a run's file"));
    assert!(refused(|file| file["version"] = json!(2)).contains("of version 2, and this release reads version 1"));
    assert!(refused(|file| file["event"]["id"] = json!("run_01m3250v00e50r2jpp9tfnq5pb")).contains("damaged"));
    assert!(refused(|file| file["plugin"]["digest"] = json!("ab")).contains("damaged"));
    assert!(refused(|file| file["outcome"]["state"] = json!("asleep")).contains("damaged"));
    let time = json!("2026-09-21T14:13:20.001Z");
    assert!(refused(|file| file["event"]["accepted_at"] = time).contains("do not belong together"));
    assert!(refused(|file| file["event"]["id"] = json!("evt_00000000000000000000000000")).contains("do not belong together"));
}
