//! What is refused at the start.

use std::process::Command;

use crate::parts::host::{Host, Options, command};
use crate::parts::looks::ended;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_on_the_folder_is_refused() {
    let host = Host::start();
    let (status, said) = ended(command(host.folder(), &Options::default())).await;
    assert!(!status.success());
    assert!(
        said.contains("in use by another process") && said.contains(&host.folder().display().to_string()),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "one line tells it: {said}");
    host.operator.get("/organizations").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_schema_is_refused() {
    let mut host = Host::start();
    host.organization("contractfit1").await;
    assert!(host.terminate().success());
    let database = rusqlite::Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    let known: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("it has one");
    database.pragma_update(None, "user_version", known + 7).expect("it is set");
    drop(database);
    let (status, said) = ended(command(host.folder(), &Options::default())).await;
    assert!(!status.success());
    for part in [
        format!("schema {}", known + 7),
        format!("up to {known}"),
        "newer release".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    let database = rusqlite::Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    database.pragma_update(None, "user_version", known).expect("it is set");
    drop(database);
    host.start_again();
    host.operator.get("/organizations/contractfit1").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hookmill.db");
    std::fs::write(&file, "notes of somebody's, and no database at all\n".repeat(100)).expect("written");
    let (status, said) = ended(command(folder.path(), &Options::default())).await;
    assert!(!status.success());
    assert!(said.contains("database"), "{said}");
    assert!(
        std::fs::read_to_string(&file)
            .expect("it is there")
            .starts_with("notes of somebody's")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_refused_by_name() {
    let host = Host::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(crate::parts::hookmill());
    let address = host.operator.address.to_string();
    command
        .arg("serve")
        .arg("--data")
        .arg(folder.path().join("data"))
        .args(["--listen", &address]);
    let (status, said) = ended(command).await;
    assert!(!status.success());
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
}
