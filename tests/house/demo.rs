//! `hookmill demo --exit`, as somebody runs it who wants to see what this is.

use tokio::process::Command;

use crate::parts::receiver::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn it_delivers_and_verifies_all_and_leaves_with_0() {
    let mut command = Command::new(crate::parts::hookmill());
    command.args(["demo", "--exit"]).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends by itself");
    let output = output.expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("12 of 12 deliveries arrived and verified"), "{said}");
    assert_eq!(said.matches("✓ signature").count(), 12, "{said}");
    assert!(said.contains("attempt 3") && said.contains("the same bytes each time"), "{said}");
}
