//! The operator's key of a first start.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::contains;
use crate::parts::client::Client;
use crate::parts::host::{OPERATOR_KEY, Options, command};
use crate::parts::looks::{Process, ended, problem};

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_makes_an_operators_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let start = || {
        let mut command = command(&data, &Options::default());
        command.env_remove("HOOKMILL_OPERATOR_KEY");
        Process::start(command)
    };
    let mut first = start();
    let address = first.line("hookmill listens on http://").await.parse().expect("an address");
    let file = first.line("the operator's API key is in ").await;
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o7777, 0o600);
    assert_eq!(
        std::fs::metadata(&data).expect("it is there").permissions().mode() & 0o077,
        0,
        "the folder is its owner's"
    );
    for file in std::fs::read_dir(&data).expect("it is there") {
        let file = file.expect("a file");
        assert_eq!(
            file.metadata().expect("it is there").permissions().mode() & 0o077,
            0,
            "{} is its owner's",
            file.path().display()
        );
    }
    let key = std::fs::read_to_string(&file).expect("its owner reads it");
    assert!(key.trim().len() >= 32 && key.trim().starts_with("hmk_"), "{} bytes", key.len());
    let operator = Client {
        address,
        key: key.trim().to_owned(),
    };
    operator.post("/organizations", &json!({"name": "a"})).await.expect(201);
    problem(&operator.with_key(OPERATOR_KEY).get("/organizations").await, 401, "-");
    let database: Vec<u8> = ["hookmill.db", "hookmill.db-wal"]
        .iter()
        .flat_map(|file| std::fs::read(data.join(file)).unwrap_or_default())
        .collect();
    assert!(
        !database.is_empty() && !contains(&database, key.trim().as_bytes()),
        "it is kept hashed"
    );
    let rest = first.end().await;
    assert!(!rest.iter().any(|line| line.contains(key.trim())), "the key itself is not printed");

    let mut second = start();
    let address = second.line("hookmill listens on http://").await.parse().expect("an address");
    let again = Client { address, ..operator };
    assert_eq!(again.get("/organizations").await.expect(200)["items"][0]["name"], "a");
    let rest = second.end().await;
    assert!(
        !rest.iter().any(|line| line.contains("API key")),
        "a second start makes none: {rest:?}"
    );

    for short in ["", "too-short", "with a space in between", "with-é-that-is-no-ascii"] {
        let mut command = command(&folder.path().join("other"), &Options::default());
        command.env("HOOKMILL_OPERATOR_KEY", short);
        let (status, said) = ended(command).await;
        assert!(!status.success(), "{short:?}");
        assert!(said.contains("HOOKMILL_OPERATOR_KEY"), "{short:?}: {said}");
        assert!(short.is_empty() || !said.contains(short), "it does not print the key: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_could_not_be_written_is_made_by_the_next_start() {
    let data = tempfile::tempdir().expect("a folder");
    let in_the_way = data.path().join("operator.key");
    std::fs::create_dir(&in_the_way).expect("made");
    let start = || {
        let mut command = command(data.path(), &Options::default());
        command.env_remove("HOOKMILL_OPERATOR_KEY");
        command
    };
    let (status, said) = ended(start()).await;
    assert!(!status.success());
    assert!(said.contains("operator.key"), "{said}");
    std::fs::remove_dir(&in_the_way).expect("removed");
    let mut process = Process::start(start());
    let address = process.line("hookmill listens on http://").await.parse().expect("an address");
    // It answers, so it has printed all that it prints.
    let nobody = Client {
        address,
        key: String::new(),
    };
    nobody.get("/healthz").await.expect(200);
    process.end().await;
    let key = std::fs::read_to_string(&in_the_way).expect("else nobody ever gets in");
    let mut process = Process::start(start());
    let address = process.line("hookmill listens on http://").await.parse().expect("an address");
    Client {
        address,
        key: key.trim().to_owned(),
    }
    .get("/organizations")
    .await
    .expect(200);
    process.end().await;
}
