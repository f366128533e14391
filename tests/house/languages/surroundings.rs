//! What a guest finds around itself, and what of it is seen outside.

use serde_json::{Value, json};

use super::{DATA, body, host, tried};
use crate::parts::host::text;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_stands_in_the_log() {
    let (_host, tenant, _folder) = host().await;
    for (guest, lines) in [
        ("rust-wasi", ["stdout: said on stdout", "stderr: said on stderr"]),
        // It has no console: the template's says it to the log.
        ("quickjs", ["info: said on stdout", "error: said on stderr"]),
        ("starlingmonkey", ["stdout: said on stdout", "stderr: said on stderr"]),
        ("python", ["stdout: said on stdout", "stderr: said on stderr"]),
        ("c", ["stdout: said on stdout", "stderr: said on stderr"]),
    ] {
        let shown = tried(&tenant, guest, &json!({"do": "print"})).await;
        body(&shown);
        assert_eq!(shown["log"], json!(lines), "{guest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_files_sockets_or_variables() {
    let (_host, tenant, _folder) = host().await;
    let surroundings = async |guest: &str| body(&tried(&tenant, guest, &json!({"do": "surroundings"})).await);
    let rust = surroundings("rust-wasi").await;
    assert_eq!(
        (&rust["environment"], &rust["arguments"], &rust["folders"]),
        (&json!([]), &json!([]), &json!(0))
    );
    for engine in ["quickjs", "starlingmonkey"] {
        let none = "ReferenceError";
        let nothing = json!({"environment": none, "arguments": none, "modules": none, "files": none});
        assert_eq!(surroundings(engine).await, nothing, "{engine}");
    }
    let missing = "FileNotFoundError";
    let python = json!({
        "environment": {}, "arguments": [], "input": "", "files": missing, "writes": missing, "folder": missing,
        "socket": "PermissionError", "datagram": "PermissionError", "listener": "PermissionError", "name": "gaierror",
        "process": "AttributeError",
    });
    assert_eq!(surroundings("python").await, python);
    let refused = "refused";
    let c = json!({
        "variable": "none", "environment": 0, "input": -1, "files": refused, "writes": refused, "folder": refused, "current": "/",
    });
    assert_eq!(surroundings("c").await, c);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uncaught_exception_parks_the_run_with_its_message() {
    let (_host, tenant, _folder) = host().await;
    let receiver = Receiver::start().await;
    for (guest, deed, names) in [
        ("rust", "panic", "panicked"),
        ("quickjs", "throw", "at throw (/plugin.js"),
        ("starlingmonkey", "throw", "throw@plugin.js"),
        ("python", "throw", "ValueError: at the disco"),
        ("c", "throw", "Assertion failed"),
    ] {
        let more = json!({"plugin": guest, "plugin_config": {"do": deed, "message": "at the disco"}});
        let integration = tenant.integration(&receiver.url("/"), more).await;
        let event = tenant.text_event("5e7a").await;
        let run = tenant.run_of(&event).await;
        assert_eq!((text(&run, "/state"), text(&run, "/code")), ("parked", "trap"), "{guest}: {run}");
        let said = format!("{}{}", text(&run, "/reason"), run["log"]);
        assert!(said.contains(names) && said.contains("at the disco"), "{guest}: {run}");
        tenant.delete(&format!("/integrations/{integration}")).await.expect(204);
    }
    assert_eq!(receiver.received().len(), 0);
}

/// The helper that the template for C has, since its library knows no JSON.
#[tokio::test(flavor = "multi_thread")]
async fn c_finds_values_by_pointers() {
    let (_host, tenant, _folder) = host().await;
    let pointers = [
        "",
        "/id",
        "/n/0",
        "/n/1/a~1b",
        "/n/1/~0",
        "/e",
        "/e/x",
        "/n/2",
        "/n/00",
        "/id/0",
        "/i",
        "/nn",
    ];
    let found = body(&tried(&tenant, "c", &json!({"do": "find", "pointers": pointers})).await);
    let none = json!("nothing");
    let whole: Value = serde_json::from_str(DATA).expect("JSON");
    let first: Value = serde_json::from_str("1.10").expect("JSON");
    assert_eq!(
        found,
        json!([whole, "5e7a", first, "\u{e9}\"", null, {}, none, none, none, none, none, none])
    );
    let shown = tried(&tenant, "c", &json!({"do": "find", "pointers": ["/n/0", "/twice"]})).await;
    assert_eq!(
        text(&shown, "/requests/0/body"),
        "[1.10, 2]",
        "the digits are kept, and the last of two members is meant"
    );
}
