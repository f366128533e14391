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
