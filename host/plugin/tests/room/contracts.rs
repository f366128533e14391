//! The contract's versions: what was built for a released one runs unchanged, for ever; a later minor version is taken as far as it asks for
//! nothing that is not here; what is not known is refused, with what is.

use hookmill_domain::outcome::{Body, GuestRequest, Method, Outcome};
use hookmill_plugin_room::{Call, Refusal};

use crate::{DATA, House, an_event};

/// A released version: its text, and a component of each of its worlds, as a toolchain made it then.
struct Released {
    version: &'static str,
    wit: &'static str,
    plugin: &'static str,
    configurable: &'static str,
}

macro_rules! released {
    ($($version:literal),*) => {
        [$(Released {
            version: $version,
            wit: include_str!(concat!("../../../../tests/guests/contracts/", $version, "/hookmill-plugin.wit")),
            plugin: include_str!(concat!("../../../../tests/guests/contracts/", $version, "/plugin.wat")),
            configurable: include_str!(concat!("../../../../tests/guests/contracts/", $version, "/configurable-plugin.wat")),
        }),*]
    };
}

const RELEASED: [Released; 1] = released!["1.0.0"];

const PRESENT: &str = include_str!("../../../../wit/hookmill-plugin.wit");

fn parsed(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("well-formed text")
}

/// A WIT text without its comments.
fn types(wit: &str) -> Vec<&str> {
    wit.lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect()
}

/// All that `plugin` is asked to give back, and what else a request can have.
async fn check_plugin(house: &House, text: &str, version: &str) {
    let inspection = house.plugins.inspect(None, parsed(text).into()).await.expect("a plugin");
    assert_eq!((inspection.contract.to_string().as_str(), &inspection.schema), (version, &None));
    let component = house.plugins.loaded(&inspection.digest).expect("what is taken is loaded");
    let call = Call {
        inbox: Some("5e7a"),
        config: r#"{"a": 1}"#,
        ..an_event()
    };
    let called = house.plugins.transform(&component, &call).await;
    assert_eq!(
        called.facts.log.as_deref(),
        Some("debug: debug\ninfo: info\nwarn: warn\nerror: error\n")
    );
    let given = format!(r#"evt_1|document_text|contractfit1|5e7a|2026-09-21T14:13:20.120Z|{DATA}|int_1|review|archive|{{"a": 1}}|"#);
    let plain = GuestRequest {
        body: Body::Text(given.into()),
        target: None,
        method: Method::Post,
        path: None,
        query: Vec::new(),
        headers: Vec::new(),
        content_type: None,
    };
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let full = GuestRequest {
        body: Body::Bytes("debug".into()),
        target: Some("review".to_owned()),
        method: Method::Put,
        path: Some("/below".to_owned()),
        query: pair("key", "value"),
        headers: pair("x-frozen", "1.0.0"),
        content_type: Some("text/x-frozen".to_owned()),
    };
    assert_eq!(called.outcome, Ok(Outcome::Deliver(vec![plain, full])));
}

#[tokio::test]
async fn what_was_built_for_a_released_contract_runs_unchanged() {
    let house = House::new();
    for released in RELEASED {
        check_plugin(&house, released.plugin, released.version).await;
        let inspection = house
            .plugins
            .inspect(None, parsed(released.configurable).into())
            .await
            .expect("a plugin");
        assert_eq!(inspection.contract.to_string(), released.version);
        assert_eq!(inspection.schema.as_deref(), Some(r#"{"type": ["object", "null"]}"#));
        let component = house.plugins.loaded(&inspection.digest).expect("what is taken is loaded");
        assert_eq!(house.call(&component).await.outcome, Ok(Outcome::Skip("null".to_owned())));
        let configured = Call {
            config: "{}",
            ..an_event()
        };
        let called = house.plugins.transform(&component, &configured).await;
        assert_eq!(called.outcome, Ok(Outcome::Reject("{}".to_owned())));
    }
}

/// Who changes the contract raises its version, and keeps the text and the guests of the one before.
#[test]
fn a_released_contract_is_frozen() {
    let package = |wit: &str| types(wit).into_iter().find(|line| line.starts_with("package ")).map(str::to_owned);
    let present = package(PRESENT).expect("a package");
    let released = RELEASED.iter().find(|released| package(released.wit).as_deref() == Some(&present));
    let released = released.unwrap_or_else(|| panic!("{present} is not kept in tests/guests/contracts: see wit/README.md"));
    assert_eq!(types(PRESENT), types(released.wit));
    for released in RELEASED {
        assert_eq!(
            package(released.wit),
            Some(format!("package hookmill:plugin@{};", released.version))
        );
    }
}

#[tokio::test]
async fn a_later_minor_version_is_taken_as_far_as_it_asks_for_nothing_new() {
    let house = House::new();
    check_plugin(&house, &RELEASED[0].plugin.replace("@1.0.0", "@1.1.0"), "1.1.0").await;
    for (import, named) in [
        // A function that is new in an interface that is known, and an interface that is new.
        (
            r#"(import "hookmill:plugin/log@1.1.0" (instance (export "trace" (func (param "message" string)))))"#,
            "trace",
        ),
        (
            r#"(import "hookmill:plugin/secrets@1.1.0" (instance))"#,
            "hookmill:plugin/secrets@1.1.0",
        ),
    ] {
        let text = format!(r#"(component {import} (instance $i) (export "hookmill:plugin/transformer@1.1.0" (instance $i)))"#);
        let refusal = house
            .plugins
            .inspect(None, parsed(&text).into())
            .await
            .expect_err("it asks for more");
        assert!(
            matches!(refusal, Refusal::ImportMismatch { .. } | Refusal::ImportNotOffered { .. }),
            "{refusal}"
        );
        assert!(refusal.to_string().contains(named), "{refusal}");
        assert!(refusal.to_string().contains("this host knows"), "{refusal}");
    }
}

#[tokio::test]
async fn an_unknown_major_is_refused_with_what_is_known() {
    let house = House::new();
    for text in [RELEASED[0].plugin, RELEASED[0].configurable] {
        let refusal = house.plugins.inspect(None, parsed(&text.replace("@1.0.0", "@2.0.0")).into()).await;
        assert_eq!(
            refusal.expect_err("it is not known").to_string(),
            "the component was built for version 2.0.0 of `hookmill:plugin`; this host knows 1.0.0"
        );
    }
}

/// A guest may stand with one foot in the next contract.
#[tokio::test]
async fn of_two_majors_the_known_one_is_called() {
    let house = House::new();
    let core = r#"(core module $guest
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
        (func (export "transform") (param i32) (result i32) (i32.store8 (i32.const 512) (i32.const 1)) (i32.const 512)))"#;
    let next = r#"(component $none) (instance $next (instantiate $none)) (export "hookmill:plugin/transformer@2.0.0" (instance $next))"#;
    let text = include_str!("../../../../tests/guests/wat/shell.wat")
        .replace(";; the core module", core)
        .replace("(; configuration ;)", next);
    let inspection = house.plugins.inspect(None, parsed(&text).into()).await.expect("a plugin");
    assert_eq!(inspection.contract.to_string(), "1.0.0");
    let component = house.plugins.loaded(&inspection.digest).expect("what is taken is loaded");
    assert_eq!(house.call(&component).await.outcome, Ok(Outcome::Skip(String::new())));
}
