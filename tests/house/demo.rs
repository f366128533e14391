//! `hookmill demo`, as somebody runs it who wants to see what this is.

use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, pidfd_getfd, pidfd_open};
use serde_json::{Value, json};

use crate::parts::calls::one;
use crate::parts::host::text;
use crate::parts::looks::Process;
use crate::parts::receiver::PATIENCE;

/// The demonstration, with its temporary folder in this one.
fn demo(temporary: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(crate::parts::hookmill());
    command.arg("demo").args(arguments).env("TMPDIR", temporary);
    Process::start(command)
}

/// The names of what is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name().to_string_lossy().into_owned();
    entries.map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_delivers_and_verifies_all_and_leaves_with_0() {
    let temporary = tempfile::tempdir().expect("a folder");
    let (status, said) = demo(temporary.path(), &["--exit"]).ended().await;
    let said = said.join("\n");
    assert!(status.success(), "{said}");
    assert!(said.contains("12 of 12 deliveries arrived and verified"), "{said}");
    assert_eq!(said.matches("✓ signature").count(), 12, "{said}");
    assert!(said.contains("attempt 3") && said.contains("the same bytes each time"), "{said}");
    assert!(names(temporary.path()).is_empty(), "its folder is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_on_until_ctrl_c_and_what_it_tells_to_run_can_be_run() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut demo = demo(temporary.path(), &[]);
    demo.line("  ✓ 12 of 12 deliveries arrived and verified").await;
    let serves = demo.line("  http://").await;
    let (address, _) = serves.split_once(" serves until Ctrl-C").expect("where it serves, and how long");
    let mut lines = Vec::new();
    for what in ["post an event", "what became of the first event", "the newest deliveries"] {
        let heading = demo.line("  # ").await;
        assert!(heading.starts_with(what), "{heading}");
        let mut command = demo.line("  ").await;
        while command.ends_with('\\') {
            command = format!("{command}\n{}", demo.line("  ").await);
        }
        assert!(command.starts_with("curl ") && command.contains(address), "{command}");
        lines.push(command);
    }

    let posted = answered(&lines[0]).await;
    assert!(text(&posted, "/id").starts_with("evt_"), "{posted}");
    let arrived = demo.line("  document_text → /alfred/events").await;
    assert!(arrived.ends_with("✓ verified  200"), "{arrived}");
    let first = answered(&lines[1]).await;
    assert_eq!(
        (&first["event"], &first["state"]),
        (&json!("document_text"), &json!("settled")),
        "{first}"
    );
    let run = one(&first["runs"], |_| true);
    assert_eq!(one(&run["deliveries"], |_| true)["state"], "delivered", "{first}");
    let newest = answered(&lines[2]).await;
    let newest = newest["items"].as_array().expect("a list");
    assert_eq!(newest.len(), 5, "{newest:?}");
    assert!(
        newest.iter().all(|delivery| text(delivery, "/id").starts_with("dlv_")),
        "{newest:?}"
    );

    let folders = names(temporary.path());
    assert!(
        matches!(folders.as_slice(), [one] if one.starts_with("hookmill-demo-")),
        "{folders:?}"
    );
    let (status, rest) = demo.end_by(Signal::INT).await;
    assert_eq!(status.code(), Some(0), "{rest:?}");
    assert_eq!(
        rest.last().map(|last| last.trim()),
        Some("The host is closed and its folder removed.")
    );
    assert!(names(temporary.path()).is_empty(), "its folder is removed");
}

/// What a line that is to be copied into a shell answers there.
async fn answered(line: &str) -> Value {
    let mut shell = tokio::process::Command::new("sh");
    // A proxy of whoever runs the tests does not lead to this machine.
    shell.args(["-c", line]).env("no_proxy", "*").kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, shell.output()).await.expect("it ends by itself");
    let output = output.expect("a shell");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(127), "this test needs curl: {told}");
    assert!(output.status.success(), "{line}: {told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {}", String::from_utf8_lossy(&output.stdout)))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_with_1_if_something_is_not_delivered() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut demo = demo(temporary.path(), &["--exit"]);
    let receiver = demo.line("  receiver").await;
    let port = receiver
        .split(['/', ':', ' '])
        .find_map(|part| part.parse().ok())
        .expect("its port");
    shut_down(&demo, port);
    let (status, said) = demo.ended().await;
    let said = said.join("\n");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("deliveries not as they should be\n"), "{said}");
    // It is refused twice, so it is the last one under way, however late the receiver went away.
    assert!(said.contains("document_delete → /archive\n      it "), "{said}");
    assert!(!said.contains("arrived and verified"), "{said}");
    assert!(names(temporary.path()).is_empty(), "its folder is removed");
}

/// Lets nothing of a process be reached at this port any more, whatever the process does.
fn shut_down(process: &Process, port: u16) {
    let pid = i32::try_from(process.pid())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process has an id");
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("it runs");
    for file in names(&Path::new("/proc").join(process.pid().to_string()).join("fd")) {
        let file = file.parse().expect("a number");
        let file = match pidfd_getfd(&pidfd, file, PidfdGetfdFlags::empty()) {
            Ok(file) => file,
            // It was closed meanwhile.
            Err(Errno::BADF) => continue,
            Err(error) => panic!("this test needs to take hold of its child's files: {error}"),
        };
        let socket = TcpStream::from(file);
        if socket.local_addr().is_ok_and(|address| address.port() == port) {
            socket.shutdown(Shutdown::Both).expect("it listens, or is connected");
        }
    }
}
