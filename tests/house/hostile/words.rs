//! What plugins say: how much of it is kept, and that it harms nobody who reads it.

use serde_json::{Value, json};

use super::{Scene, tell};
use crate::parts::calls::one;
use crate::parts::components::probe;
use crate::parts::host::text;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_cut_and_says_so() {
    let scene = Scene::new().await;
    scene.attacker.plugin("probe", probe()).await;
    let cases = [
        (json!({"do": "log", "lines": 1000, "line_bytes": 5000}), "left out"),
        (json!({"do": "log", "lines": 1000, "line_bytes": 0}), ""),
        (json!({"do": "log", "lines": 1000, "line_bytes": 10}), "800 more left out"),
        (json!({"do": "log", "lines": 3, "line_bytes": 5000}), "3 cut"),
        (json!({"do": "log", "lines": 3, "line_bytes": 10}), ""),
    ];
    for (config, says) in cases {
        let integration = scene.attack("probe", &config).await;
        let event = scene.attacked().await;
        let run = one(&event["runs"], |run| run["integration"] == *integration);
        tell(&config.to_string(), run);
        assert_eq!(
            (text(run, "/state"), text(run, "/reason")),
            ("skipped", "it is all said"),
            "{config}"
        );
        let lines: Vec<&str> = run["log"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
        // The line that says what was cut is the host's own.
        let own = lines.iter().filter(|line| line.starts_with("(the log's limits: ")).count();
        assert!(bytes <= 16 * 1024 + own * 100, "{config}: {bytes} bytes");
        assert!(lines.len() <= 200 + own, "{config}: {} lines", lines.len());
        assert!(lines.iter().all(|line| line.len() <= 4096 + "info: ".len()), "{config}");
        let last = lines.last().copied().unwrap_or_default();
        assert!(last.contains(says) && (says.is_empty() || own == 1), "{config}: {last}");
        scene.attacker.delete(&format!("/integrations/{integration}")).await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_says_reaches_no_terminal_raw() {
    let scene = Scene::new().await;
    scene.attacker.plugin("probe", probe()).await;
    let message = "\u{1b}]0;owned\u{7}\u{1b}[31mred\r\u{8}\0\u{7f}\nerror: not by the host";
    let cases = [
        (json!({"do": "panic", "message": message}), Some("trap")),
        (json!({"do": "skip", "reason": message}), None),
        (json!({"do": "reject", "reason": message}), Some("rejected")),
    ];
    let mut integrations = Vec::new();
    for (config, _) in &cases {
        integrations.push(scene.attack("probe", config).await);
    }
    let event = scene.attacked().await;
    for ((config, code), integration) in cases.iter().zip(&integrations) {
        let run = one(&event["runs"], |run| run["integration"] == **integration);
        tell(&config.to_string(), run);
        assert_eq!(run["code"].as_str(), *code, "{run}");
    }
    for path in [
        format!("/events/{}", text(&event, "/id")),
        format!("/runs/{}", text(&event, "/runs/0/id")),
        "/runs".to_owned(),
    ] {
        let answer = scene.attacker.get(&path).await;
        let said = String::from_utf8(answer.body.to_vec()).expect("JSON is text");
        assert!(said.contains("owned"), "{path}: {said}");
        assert!(!said.chars().any(|found| found < ' '), "{path}: {said:?}");
    }
    // A line of the guest's does not pass for one of another level.
    let panicked = one(&event["runs"], |run| run["code"] == "trap");
    let lines: Vec<&str> = panicked["log"]
        .as_array()
        .expect("a log")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(lines.iter().all(|line| line.starts_with("error: ")), "{lines:?}");
}

/// What turns, commands or parts a log's lines: the value stays, and whoever reads the answer as it came sees them as escapes.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_neither_turns_nor_commands() {
    let scene = Scene::new().await;
    scene.attacker.plugin("probe", probe()).await;
    // Overrides, embeddings, isolates and marks of the bidirectional algorithm; a terminal's commands in both their forms; other ends of lines.
    let marks = "\u{202a}\u{202b}\u{202d}\u{202e}\u{202c}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}";
    let message = format!("owned{marks}\u{1b}]0;a\u{7}\u{1b}[2J\u{9b}31m\r\u{8}\u{7f}\u{85}\u{2028}error: b\u{2029}.");
    let config = json!({"do": "say", "message": message});
    scene.attack("probe", &config).await;
    let event = scene.attacked().await;
    tell("escapes and marks of direction in a log", &event["runs"][0]);
    assert_eq!(
        (text(&event, "/runs/0/state"), &event["runs"][0]["code"]),
        ("skipped", &Value::Null)
    );
    assert_eq!(
        event["runs"][0]["log"],
        json!([format!("warn: {message}")]),
        "a program reads what was said"
    );
    let does_something = |found: char| found.is_control() || marks.contains(found) || matches!(found, '\u{2028}' | '\u{2029}');
    let dry = json!({
        "event": {"event": "document_text", "data": {"id": "5e7a"}},
        "integration": {"type": "webhook", "events": ["document_text"], "target": scene.unreached.url("/"), "plugin_config": config},
    });
    for answer in [
        scene.attacker.get(&format!("/events/{}", text(&event, "/id"))).await,
        scene.attacker.get(&format!("/runs/{}", text(&event, "/runs/0/id"))).await,
        scene.attacker.post("/plugins/probe/versions/1/run", &dry).await,
    ] {
        let said = String::from_utf8(answer.body.to_vec()).expect("JSON is text");
        assert!(said.contains(r"owned\u202a\u202b"), "{said}");
        assert!(!said.contains(does_something), "{said:?}");
    }
}

/// The controls beyond ASCII: terminals take U+009B for the beginning of a sequence as well.
#[tokio::test(flavor = "multi_thread")]
async fn neither_do_the_control_characters_beyond_ascii() {
    let scene = Scene::new().await;
    scene.attacker.plugin("probe", probe()).await;
    scene
        .attack("probe", &json!({"do": "panic", "message": "\u{9b}31mred\u{9d}0;owned\u{9c}"}))
        .await;
    let event = scene.attacked().await;
    tell("control characters beyond ASCII", &event["runs"][0]);
    assert_eq!(text(&event, "/runs/0/code"), "trap", "{event}");
    let answer = scene.attacker.get(&format!("/events/{}", text(&event, "/id"))).await;
    let said = String::from_utf8(answer.body.to_vec()).expect("JSON is text");
    assert!(said.contains("owned"), "{said}");
    assert!(!said.chars().any(char::is_control), "{said:?}");
}
