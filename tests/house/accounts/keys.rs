//! Keys: shown once, presented in headers, kept hashed, and for a while.

use hookmill_domain::api_key::Role;
use hookmill_flow::{ChangeError, NewApiKey};
use serde_json::{Value, json};

use super::{contains, key};
use crate::parts::client::Client;
use crate::parts::clock::HandClock;
use crate::parts::host::{Host, OPERATOR_KEY, Options, text};
use crate::parts::looks::problem;
use crate::parts::river::{Api, close, limits, open, organization};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_shown_once_and_presented_in_headers() {
    let mut host = Host::start();
    let admin = host.organization("contractfit1").await;
    let made = admin.post("/keys", &json!({"role": "read", "description": "for the report"})).await;
    let place = made.headers["location"].to_str().expect("a path").to_owned();
    let made = made.expect(201);
    let (id, secret) = (text(&made, "/id"), text(&made, "/key"));
    assert_eq!(place, format!("/keys/{id}"));
    let shown = admin.get(&place).await;
    assert_eq!(shown.headers["cache-control"], "no-store");
    let mut without = made.clone();
    without.as_object_mut().expect("an object").remove("key");
    assert_eq!(shown.expect(200), without, "all but its text is shown again");
    let list = admin.get("/keys").await.expect(200).to_string();
    assert!(
        list.contains(id) && !list.contains(secret) && !list.contains(&admin.key) && !list.contains(r#""key":"#),
        "{list}"
    );
    let list = host.operator.get("/keys").await.expect(200).to_string();
    assert!(
        list.contains(id) && !list.contains(secret) && !list.contains(OPERATOR_KEY),
        "{list}"
    );

    let nobody = admin.with_key("");
    let with = async |headers: &[(&str, &str)], path: &str| nobody.try_call("GET", path, headers, "").await.expect("an answer");
    let bearer = format!("Bearer {secret}");
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("x-api-key", secret)],
        vec![("X-API-Key", secret), ("Authorization", &bearer)],
    ] {
        with(&headers, "/integrations").await.expect(200);
    }
    let basic = "Basic dXNlcjpwYXNzd29yZA==";
    for headers in [
        vec![],
        vec![("authorization", basic)],
        vec![("authorization", secret)],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Bearer ")],
        vec![("x-api-key", "")],
        vec![("x-api-key", secret), ("authorization", basic)],
        vec![("x-api-key", secret), ("x-api-key", admin.key.as_str())],
        vec![("x-api-key", admin.key.as_str()), ("authorization", bearer.as_str())],
        vec![("cookie", bearer.as_str())],
    ] {
        for path in ["/integrations", "/events/evt_01ksr49200ew3re1r70w3ge1r7", "/keys"] {
            let answer = with(&headers, path).await;
            problem(&answer, 401, "-");
            assert!(
                answer.headers["www-authenticate"]
                    .to_str()
                    .is_ok_and(|text| text.starts_with("Bearer"))
            );
        }
        let event = r#"{"event":"document_text","data":{"id":"d"}}"#;
        problem(
            &nobody.try_call("POST", "/events", &headers, event).await.expect("an answer"),
            401,
            "-",
        );
    }
    problem(&with(&[], &format!("/integrations?api_key={secret}")).await, 401, "-");

    // Nobody deletes the key in hand; a deleted one holds no more, nor after a restart.
    let own = admin.get("/keys").await.expect(200);
    let own = own["items"]
        .as_array()
        .expect("keys")
        .iter()
        .find(|key| key["role"] == "admin")
        .expect("its own")
        .clone();
    problem(&admin.delete(&format!("/keys/{}", text(&own, "/id"))).await, 409, "-");
    admin.delete(&place).await.expect(204);
    problem(&admin.delete(&place).await, 404, "-");
    problem(&admin.with_key(secret).get("/integrations").await, 401, "-");
    host.kill();
    let (of_database, digest_alone) = (all_bytes(&host), [secret, admin.key.as_str(), OPERATOR_KEY]);
    for text in digest_alone {
        assert!(!contains(&of_database, text.as_bytes()), "keys are kept hashed");
    }
    host.start_again();
    let again = |key: &str| Client {
        address: host.operator.address,
        key: key.to_owned(),
    };
    problem(&again(secret).get("/integrations").await, 401, "-");
    again(&admin.key).get("/integrations").await.expect(200);
}

/// The bytes of everything in the data folder.
fn all_bytes(host: &Host) -> Vec<u8> {
    let files = std::fs::read_dir(host.folder())
        .expect("the folder is there")
        .map(|file| file.expect("a file").path());
    files
        .filter(|file| file.is_file())
        .flat_map(|file| std::fs::read(file).expect("it is read"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiring_key_expires() {
    const OPERATOR: &str = "an operator's key";
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let river = open(folder.path(), &clock, limits()).await;
    organization(&river, "contractfit1").await;
    let operator = NewApiKey {
        role: Role::Operator,
        organization: None,
        inboxes: None,
        description: None,
        expires_at: None,
    };
    river.keep_api_key(OPERATOR, operator).await.expect("kept");
    let api = Api::serve(&river).await;
    let operator = api.client(OPERATOR);
    let wanted = json!({"role": "read", "organization": "contractfit1", "expires_at": "2026-09-21T14:13:22Z"});
    let made = operator.post("/keys", &wanted).await.expect(201);
    let brief = text(&made, "/key");
    let place = format!("/keys/{}", text(&made, "/id"));
    assert_eq!(operator.get(&place).await.expect(200)["expires_at"], "2026-09-21T14:13:22.000Z");
    clock.turn_by_ms(1999);
    api.client(brief).get("/integrations").await.expect(200);
    clock.turn_by_ms(1);
    problem(&api.client(brief).get("/integrations").await, 401, "-");
    operator.get("/integrations?organization=contractfit1").await.expect(200);
    api.end().await;
    close(river).await;

    let river = open(folder.path(), &clock, limits()).await;
    let api = Api::serve(&river).await;
    problem(&api.client(brief).get("/integrations").await, 401, "-");
    api.client(OPERATOR)
        .get("/integrations?organization=contractfit1")
        .await
        .expect(200);
    api.end().await;
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_so_many_keys() {
    let host = Host::start_with(Options::default().with("LIMITS__INTAKE__KEYS_MAX", "5"));
    let (first, second) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    let limited = json!({"role": "read", "inboxes": ["i1"]});
    let makes = (0..8).map(|_| {
        let (first, limited) = (first.clone(), limited.clone());
        tokio::spawn(async move { first.post("/keys", &limited).await })
    });
    let (mut made, mut refused) = (Vec::new(), 0);
    for make in makes.collect::<Vec<_>>() {
        let answer = make.await.expect("it was asked for");
        if answer.status == 201 {
            made.push(text(&answer.json(), "/id").to_owned());
            continue;
        }
        assert_eq!(problem(&answer, 429, "-")["limit"], "keys_max");
        refused += 1;
    }
    assert_eq!((made.len(), refused), (4, 4), "beside the admin's own");

    // It is a limit of the organization, whoever makes the key, and of no other.
    let by_operator = json!({"role": "read", "organization": "contractfit1"});
    assert_eq!(
        problem(&host.operator.post("/keys", &by_operator).await, 429, "-")["limit"],
        "keys_max"
    );
    for role in ["admin", "read"] {
        second.post("/keys", &json!({"role": role})).await.expect(201);
    }
    for _ in 0..6 {
        host.operator.post("/keys", &json!({"role": "operator"})).await.expect(201);
    }
    problem(&second.get(&format!("/keys/{}", made[0])).await, 404, "-");
    problem(&second.delete(&format!("/keys/{}", made[0])).await, 404, "-");
    first.delete(&format!("/keys/{}", made[0])).await.expect(204);
    let (_, of_inbox) = key(&host, "contractfit1", "admin", json!({"inboxes": ["i1"]})).await;

    // Each sees its own, in pages; a page tells that it is not the last one also where some of it are not for the reader.
    made.remove(0);
    let seen = paged(&first, "/keys?limit=2").await;
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(made.iter().all(|id| seen.contains(id)), "{seen:?}");
    let seen = paged(&of_inbox, "/keys?limit=1").await;
    assert_eq!(seen.len(), 4, "not the admin's, which is for all inboxes: {seen:?}");
    assert_eq!(paged(&host.operator, "/keys?organization=contractfit2&limit=1").await.len(), 3);
    assert_eq!(paged(&host.operator, "/keys?limit=3").await.len(), 5 + 3 + 7);
}

/// The ids of all that a list holds, page by page.
async fn paged(client: &Client, list: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{list}{cursor}")).await.expect(200);
        let items = page["items"].as_array().expect("a list");
        ids.extend(items.iter().map(|item| text(item, "/id").to_owned()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return ids,
        }
    }
}

/// A key is known before it is on disk: what comes to nothing leaves nothing, and what was there before stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_kept_does_not_hold() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), HandClock::at(1_790_000_000_000));
    let mut limits = limits();
    limits.intake.keys_max = 1;
    let river = open(folder.path(), &clock, limits).await;
    let name = "contractfit1";
    let owner = organization(&river, name).await;
    let new = || NewApiKey {
        role: Role::Admin,
        organization: Some((owner, name.parse().expect("a name"))),
        inboxes: None,
        description: None,
        expires_at: None,
    };
    let holds = |text| river.key_of(text).map(|key| key.id);
    let first = river.keep_api_key("first", new()).await.expect("kept").id;
    let refused = river.keep_api_key("second", new()).await;
    assert!(
        matches!(refused, Err(ChangeError::TooMany { limit: "keys_max", .. })),
        "{refused:?}"
    );
    assert_eq!((holds("first"), holds("second")), (Some(first), None));
    // The same text is the same key anew, and its former id is nobody's.
    let again = river.keep_api_key("first", new()).await.expect("kept").id;
    let gone = river.delete_api_key(first, None).await;
    assert!(matches!(gone, Err(ChangeError::NotFound)), "{gone:?}");
    assert_eq!(holds("first"), Some(again));
    river.delete_api_key(again, None).await.expect("deleted");
    assert_eq!(holds("first"), None);
    close(river).await;
}
