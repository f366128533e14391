//! What others have written is shown to a terminal, and does not speak to it.

use serde_json::json;

use super::{TEXT, probed, ran};
use crate::commands::Files;
use crate::parts::components::{PASSTHROUGH, probe, wat};
use crate::parts::host::text;

#[test]
fn what_a_guest_says_is_no_command_to_the_terminal() {
    let files = Files::new();
    let config = json!({"do": "reject", "reason": "a\u{1b}[2J\u{202e}b"});
    let told = probed(&files, &[], &config, 1);
    assert_eq!(text(&told, "/reason"), "a\u{1b}[2J\u{202e}b");
    let said = ran(&files, &probe(), TEXT, &["--plugin-config", &config.to_string()]);
    assert!(said.expect(1).contains("a\\u{1b}[2J\\u{202e}b"), "{}", said.out);
    let said = ran(&files, &probe(), TEXT, &["--json", "--plugin-config", &config.to_string()]);
    assert!(!said.expect(1).contains(['\u{1b}', '\u{202e}']), "{}", said.out);
}

#[test]
fn nor_is_what_it_logs() {
    let files = Files::new();
    let message = "a\u{1b}]0;b\u{7}\u{9b}31m\r\u{202e}c\u{2066}d\u{2069}\u{200f}\u{2028}error: e";
    let config = json!({"do": "say", "message": message});
    let told = probed(&files, &[], &config, 0);
    assert_eq!(told["log"], json!([format!("warn: {message}")]), "a program reads what was said");
    let config = ["--plugin-config", &config.to_string()];
    let text = ran(&files, &probe(), TEXT, &config);
    let shown = r"a\u{1b}]0;b\u{7}\u{9b}31m\u{d}\u{202e}c\u{2066}d\u{2069}\u{200f}\u{2028}error: e";
    assert!(text.expect(0).contains(&format!("\n  log  warn: {shown}\n")), "{}", text.out);
    let json = ran(&files, &probe(), TEXT, &[config.as_slice(), &["--json"]].concat());
    for said in [text.expect(0), json.expect(0)] {
        let does_something = |found: char| found != '\n' && (found.is_control() || !found.is_ascii() && message.contains(found));
        assert!(!said.contains(does_something), "{said:?}");
    }
}

#[test]
fn nor_is_what_stands_in_an_error() {
    let files = Files::new();
    let schema = json!({"type": "string", "pattern": "^\u{1b}\\[2J\u{202e}$"});
    let said = ran(&files, &wat("schema", &schema.to_string()), TEXT, &["--plugin-config", "\"a\""]);
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("does not match \"^\\u{1b}\\[2J\\u{202e}$\""), "{}", said.err);
    // A line that a file brings along does not begin as those of the program do.
    let key = "\u{1b}]0;a\u{7}\u{202e}";
    for (event, says) in [
        (
            json!({"event": "document_text", "data": {"id": "a"}, (key): 1}),
            r"\u{1b}]0;a\u{7}\u{202e}",
        ),
        (
            json!({"event": "document_text", "data": {"id": "a"}, "\nhookmill: b": 1}),
            "\n  hookmill: b",
        ),
    ] {
        let said = ran(&files, PASSTHROUGH, &event.to_string(), &[]);
        assert_eq!(said.expect(1), "");
        assert!(said.err.contains(says), "{says}: {}", said.err);
        assert!(!said.err.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{}", said.err);
    }
}
