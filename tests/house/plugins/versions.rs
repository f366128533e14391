//! Versions by API: listed, read, downloaded, activated and rolled back.

use hookmill_domain::digest::Digest;
use serde_json::{Value, json};

use super::label;
use crate::parts::client::Client;
use crate::parts::components::wat;
use crate::parts::host::{Host, text};
use crate::parts::looks::{problem, some_problem};
use crate::parts::receiver::Receiver;

/// What a page after page of a list holds, by the text at a place of each item.
async fn all(client: &Client, path: &str, list: &str, place: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{cursor}")).await.expect(200);
        let page = page.pointer(list).expect("a page");
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= 2, "{page}");
        found.extend(items.iter().map(|item| match &item[place] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_sees_its_own_and_the_hosts() {
    let host = Host::start();
    let (first, second) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    for number in ["1", "2", "3"] {
        first.plugin("mine", wat("label", number)).await;
    }
    first.plugin("flatten", wat("label", "own")).await;
    host.operator.plugin("shared", wat("label", "all")).await;
    let names = async |client: &Client, query: &str| all(client, &format!("/plugins?limit=2{query}"), "", "name").await;
    let hosts = ["filter", "flatten", "passthrough", "redact", "shared"];
    let firsts = ["flatten", "mine", "filter", "flatten", "passthrough", "redact", "shared"];
    assert_eq!(names(&host.operator, "").await, hosts);
    assert_eq!(names(&second, "").await, hosts);
    assert_eq!(names(&first, "").await, firsts);
    assert_eq!(names(&host.operator, "&organization=contractfit1").await, firsts);
    let listed = first.get("/plugins").await.expect(200);
    assert_eq!(
        (
            text(&listed, "/items/1/organization"),
            &listed["items"][1]["active"],
            &listed["items"][1]["newest"]
        ),
        ("contractfit1", &json!(3), &json!(3))
    );
    assert!(listed["items"][2].get("organization").is_none(), "{listed}");

    assert_eq!(all(&first, "/plugins/mine?limit=2", "/versions", "version").await, ["3", "2", "1"]);
    let own = first.get("/plugins/flatten").await.expect(200);
    assert_eq!(
        (text(&own, "/organization"), &own["versions"]["items"][0]["active"]),
        ("contractfit1", &json!(true))
    );
    let hosts = second.get("/plugins/flatten").await.expect(200);
    assert!(hosts.get("organization").is_none() && hosts["id"] != own["id"], "{hosts}");
    second.get("/plugins/shared/versions/1").await.expect(200);

    // Another organization's is not there, and what it is said to be is what is nowhere.
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/versions/1"),
        ("GET", "/versions/1/component"),
        ("POST", "/versions/1/activate"),
        ("DELETE", "/versions/1"),
    ] {
        let nowhere = problem(&second.call(method, &format!("/plugins/nobodys{rest}"), "").await, 404, "-");
        for client in [&second, &host.operator] {
            assert_eq!(
                problem(&client.call(method, &format!("/plugins/mine{rest}"), "").await, 404, "-"),
                nowhere,
                "{method} {rest}"
            );
        }
        problem(
            &second
                .call(method, &format!("/plugins/mine{rest}?organization=contractfit1"), "")
                .await,
            404,
            "-",
        );
    }
    problem(&second.get("/plugins?organization=contractfit1").await, 404, "-");
    host.operator
        .get("/plugins/mine/versions/1?organization=contractfit1")
        .await
        .expect(200);
    for path in [
        "mine/versions/0",
        "mine/versions/01",
        "mine/versions/4",
        "mine/versions/+1",
        "mine/versions/x",
        "mine/versions/4294967296",
        "mine/versions",
        "Mine",
        "%00",
        "mine/versions/%ff",
    ] {
        problem(&first.get(&format!("/plugins/{path}")).await, 404, "-");
    }
    problem(&first.get("/plugins?cursor=AA").await, 400, "?cursor");
    problem(&first.get("/plugins/mine/versions/1?limit=1").await, 400, "?limit");
    assert_eq!(first.get("/plugins/mine").await.expect(200)["active"], 3, "nothing has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_read_and_its_very_bytes_are_downloaded() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let schema = json!({"type": "object", "title": "Mine"});
    // A custom section, which means nothing, makes it as large as several pieces of the store's.
    let mut component = wat("schema", &schema.to_string()).to_vec();
    let noise: Vec<u8> = (0..1_300_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    component.push(0);
    let mut length = noise.len() + 2;
    while length >= 0x80 {
        component.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    component.extend([length as u8, 1, b'n']);
    component.extend(&noise);
    let uploaded = tenant.plugin("mine", component.clone()).await;
    let version = tenant.get("/plugins/mine/versions/1").await.expect(200);
    let digest = Digest::of(&component).to_string();
    assert_eq!((text(&version, "/digest"), text(&version, "/contract")), (&*digest, "1.0.0"));
    assert_eq!(
        (
            &version["component_bytes"],
            &version["active"],
            &version["schema"],
            &version["created_at"]
        ),
        (&json!(component.len()), &json!(true), &schema, &uploaded["created_at"])
    );
    assert!(version.get("waiting").is_none(), "{version}");
    let answer = tenant.get("/plugins/mine/versions/1/component").await;
    assert_eq!(
        (&answer.headers["content-type"], &answer.headers["etag"]),
        (
            &"application/wasm".parse().expect("a value"),
            &format!("\"{digest}\"").parse().expect("a value")
        )
    );
    assert_eq!(answer.headers["content-length"], component.len().to_string());
    assert!(answer.body == component, "{} of {} bytes", answer.body.len(), component.len());
    let tag = answer.headers["etag"].to_str().expect("a tag");
    for (known, status) in [
        (tag.to_owned(), 304),
        (format!("\"other\", W/{tag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
        (tag.trim_matches('"').to_owned(), 200),
    ] {
        let headers = [("if-none-match", known.as_str())];
        let again = tenant.try_call("GET", "/plugins/mine/versions/1/component", &headers, "").await;
        let again = again.expect("the host answers");
        assert_eq!((again.status.as_u16(), again.body.is_empty()), (status, status == 304), "{known}");
        assert_eq!(again.headers["etag"], tag, "{known}");
    }
    let head = tenant.call("HEAD", "/plugins/mine/versions/1/component", "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn activating_and_rolling_back_decide_for_the_next_event_alone() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("mine", wat("label", "one")).await;
    let integration = tenant
        .integration(&receiver.url("/"), json!({"plugin": "mine", "paused": true}))
        .await;
    tenant.upload("name=mine&activate=false", wat("label", "two")).await.expect(201);
    let revision = async || tenant.get("/organizations/contractfit1").await.expect(200)["revision"].clone();
    let mut events = vec![tenant.text_event("1").await];
    let before = revision().await;
    for version in [2, 2, 1] {
        let activated = tenant
            .call("POST", &format!("/plugins/mine/versions/{version}/activate"), "")
            .await
            .expect(200);
        assert_eq!(
            (&activated["version"], &activated["active"], &activated["waiting"]),
            (&json!(version), &json!(true), &json!(0))
        );
        events.push(tenant.text_event("next").await);
    }
    assert_eq!(
        revision().await,
        json!(before.as_i64().expect("a number") + 2),
        "what is active already changes nothing"
    );
    tenant
        .patch(&format!("/integrations/{integration}"), &json!({"paused": false}))
        .await
        .expect(200);
    let received = receiver.wait_for(4).await;
    for (event, (version, said)) in events.iter().zip([(1, "one"), (2, "two"), (2, "two"), (1, "one")]) {
        let run = tenant.settled(event).await["runs"][0].clone();
        assert_eq!(run["plugin"]["version"], version, "{run}");
        let id = text(&run, "/deliveries/0/id");
        assert_eq!(label(received.iter().find(|got| got.id() == id).expect("it arrived")), said);
    }

    // What waits is told, of those who follow the plugin: a pinned one does not wait for it.
    tenant.plugin("mine", wat("trap", "")).await;
    tenant.integration(&receiver.url("/"), json!({"plugin": "mine@3"})).await;
    for number in 0..12 {
        let event = tenant.text_event(&number.to_string()).await;
        tenant
            .event_when(&event, |event| {
                let runs = event["runs"].as_array().expect("a list");
                runs.iter().all(|run| run["state"] == if number < 10 { "parked" } else { "queued" })
            })
            .await;
    }
    let activated = tenant.call("POST", "/plugins/mine/versions/1/activate", "").await.expect(200);
    assert_eq!(activated["waiting"], 12, "ten are parked, and two wait behind too many faults");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_make_a_configuration_invalid_is_not_activated() {
    let host = Host::start();
    let (first, second) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    let receiver = Receiver::start().await;
    let strict = |title: &str| {
        let schema = json!({"title": title, "type": ["object", "null"], "properties": {"a": {"type": "number"}}});
        wat("schema", &schema.to_string())
    };
    host.operator.plugin("shared", wat("label", "any")).await;
    let config = json!({"plugin": "shared", "plugin_config": {"a": "x"}});
    let wrong = first.integration(&receiver.url("/"), config.clone()).await;
    let deleted = second.integration(&receiver.url("/"), config).await;
    second
        .integration(&receiver.url("/"), json!({"plugin": "shared", "plugin_config": {"a": 1}}))
        .await;
    second
        .integration(&receiver.url("/"), json!({"plugin": "shared@1", "plugin_config": {"a": "x"}}))
        .await;
    second.delete(&format!("/integrations/{deleted}")).await.expect(204);

    let uploaded = host.operator.upload("name=shared", strict("strict")).await.expect(201);
    assert_eq!(
        (&uploaded["version"], &uploaded["active"], &uploaded["new"]),
        (&json!(2), &json!(false), &json!(true))
    );
    let check = |told: &Value| {
        assert_eq!((text(told, "/code"), &told["more"]), ("config_unfit", &json!(false)));
        let [integration] = told["integrations"].as_array().expect("a list").as_slice() else {
            panic!("not one: {told}")
        };
        assert_eq!(
            (
                text(integration, "/id"),
                text(integration, "/organization"),
                text(integration, "/pointer")
            ),
            (&*wrong, "contractfit1", "/plugin_config/a")
        );
        assert!(
            text(integration, "/message").contains("number") && text(told, "/detail").contains(&wrong),
            "{told}"
        );
    };
    check(&uploaded["not_activated"]);
    let activate = async |version: u32| {
        host.operator
            .call("POST", &format!("/plugins/shared/versions/{version}/activate"), "")
            .await
    };
    check(&some_problem(&activate(2).await, 409));
    let again = host.operator.upload("name=shared", strict("strict")).await.expect(200);
    check(&again["not_activated"]);
    assert_eq!(host.operator.get("/plugins/shared").await.expect(200)["active"], 1);
    first.text_event("1").await;
    assert_eq!(label(&receiver.wait_for(1).await[0]), "any");

    // Once it fits, it goes; and from then on a configuration is held to that schema.
    let path = format!("/integrations/{wrong}");
    first.patch(&path, &json!({"plugin_config": {"a": 2}})).await.expect(200);
    let activated = host.operator.upload("name=shared", strict("strict")).await.expect(200);
    assert_eq!((&activated["active"], activated.get("not_activated")), (&json!(true), None));
    problem(
        &first.patch(&path, &json!({"plugin_config": {"a": "x"}})).await,
        422,
        "/plugin_config/a",
    );
    activate(1).await.expect(200);
    first.patch(&path, &json!({"plugin_config": {"a": "x"}})).await.expect(200);
    check(&some_problem(&activate(2).await, 409));

    // No more than ten are named.
    for _ in 0..10 {
        first
            .integration(&receiver.url("/"), json!({"plugin": "shared", "plugin_config": {"a": "y"}}))
            .await;
    }
    let told = some_problem(&activate(2).await, 409);
    assert_eq!(
        (told["integrations"].as_array().map(Vec::len), &told["more"]),
        (Some(10), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_do_what() {
    let host = Host::start();
    let admin = host.organization("contractfit1").await;
    for number in ["1", "2"] {
        admin.plugin("mine", wat("label", number)).await;
        host.operator.plugin("shared", wat("label", number)).await;
    }
    let key = async |body: Value| {
        let made = admin.post("/keys", &body).await.expect(201);
        admin.with_key(text(&made, "/key"))
    };
    let callers = [
        host.operator.clone(),
        admin.clone(),
        key(json!({"role": "ingest"})).await,
        key(json!({"role": "read"})).await,
        key(json!({"role": "admin", "inboxes": ["i1"]})).await,
        admin.with_key(""),
    ];
    let o = "?organization=contractfit1";
    let table = [
        ("GET", format!("/plugins{o}"), [200, 200, 403, 200, 200, 401]),
        ("GET", format!("/plugins/mine{o}"), [200, 200, 403, 200, 200, 401]),
        ("GET", format!("/plugins/mine/versions/1{o}"), [200, 200, 403, 200, 200, 401]),
        (
            "GET",
            format!("/plugins/mine/versions/1/component{o}"),
            [200, 200, 403, 200, 200, 401],
        ),
        (
            "POST",
            format!("/plugins/mine/versions/1/activate{o}"),
            [200, 200, 403, 403, 403, 401],
        ),
        ("POST", format!("/plugins/mine/versions/1/run{o}"), [200, 200, 403, 403, 403, 401]),
        (
            "POST",
            format!("/plugins/mine/versions/1/backtest{o}"),
            [200, 200, 403, 403, 403, 401],
        ),
        ("DELETE", format!("/plugins/mine/versions/2{o}"), [404, 204, 403, 403, 403, 401]),
        // The host's are read by all, and changed by operators who name no organization.
        (
            "GET",
            "/plugins/shared/versions/1/component".to_owned(),
            [200, 200, 403, 200, 200, 401],
        ),
        (
            "POST",
            format!("/plugins/shared/versions/1/activate{o}"),
            [403, 403, 403, 403, 403, 401],
        ),
        ("DELETE", format!("/plugins/shared/versions/1{o}"), [403, 403, 403, 403, 403, 401]),
        (
            "POST",
            "/plugins/shared/versions/1/activate".to_owned(),
            [200, 403, 403, 403, 403, 401],
        ),
        ("DELETE", "/plugins/shared/versions/2".to_owned(), [204, 403, 403, 403, 403, 401]),
    ];
    let integration = json!({"type": "webhook", "events": ["document_text"], "target": "https://example.org/", "plugin": "mine"});
    let run = json!({"event": {"event": "document_text", "data": {"id": "1"}}, "integration": integration}).to_string();
    let backtest = json!({"integration": integration}).to_string();
    for (method, path, expected) in table {
        let body = match path.rsplit('/').next().and_then(|last| last.split('?').next()) {
            Some("run") => &*run,
            Some("backtest") => &*backtest,
            _ => "",
        };
        for (client, status) in callers.iter().zip(expected).rev() {
            let answer = client.call(method, &path, body.to_owned()).await;
            assert_eq!(answer.status, status, "{method} {path}: {:?}", answer.body);
            if status >= 400 {
                some_problem(&answer, status);
            }
        }
    }
    let shared = admin.get("/plugins/shared").await.expect(200);
    assert_eq!((&shared["active"], &shared["newest"]), (&json!(1), &json!(1)));
}
