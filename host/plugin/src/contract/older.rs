//! A major of the contract that was never released, spoken in tests alone: what a host does that speaks two. Its text and a guest of it stand
//! in `tests/guests/contracts/test-only-0.9.0`.

use wasmtime::component::{ComponentType, Lift, Linker, Lower, WasmStr};
use wasmtime::{Store, StoreContextMut};

use super::{ComponentExportIndex, ContractVersion, Instance, TypedFunc, wire};
use crate::log::Level;
use crate::sandbox::{Sandbox, locked};

pub(crate) const VERSION: ContractVersion = ContractVersion {
    major: 0,
    minor: 9,
    patch: 0,
};

/// What its guests can import, as [`crate::prescan`] has it.
pub(crate) const OFFERED: [(&str, &str); 2] = [("hookmill:plugin/log", "0.9"), ("hookmill:plugin/types", "0.9")];

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Event<'a> {
    id: &'a str,
    kind: &'a str,
    data: &'a str,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Outcome {
    #[component(name = "nothing")]
    Nothing,
    #[component(name = "send")]
    Send(String),
}

/// Its one import, in the linker of all.
pub(crate) fn link(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    let mut log = linker.instance("hookmill:plugin/log@0.9.0")?;
    log.func_wrap("line", |store: StoreContextMut<'_, Sandbox>, (message,): (WasmStr,)| {
        let mut log = locked(store.data().log());
        log.message(Level::Info, &message.to_str(&store)?);
        Ok(log.within_limits()?)
    })
}

pub(super) type Function<'a> = TypedFunc<(Event<'a>,), (Outcome,)>;

pub(super) fn function<'a>(index: ComponentExportIndex, store: &mut Store<Sandbox>, instance: &Instance) -> wasmtime::Result<Function<'a>> {
    instance.get_typed_func(store, index)
}

/// Of an event, what it has.
pub(super) fn event(event: wire::Event<'_>) -> Event<'_> {
    Event {
        id: event.id,
        kind: event.kind,
        data: event.data,
    }
}

/// Its outcome as the present contract has it.
pub(super) fn outcome(outcome: Outcome) -> wire::Outcome {
    match outcome {
        Outcome::Nothing => wire::Outcome::Skip("nothing to send".to_owned()),
        Outcome::Send(text) => wire::Outcome::Deliver(vec![wire::Request {
            body: wire::Body::Text(text),
            target: None,
            method: None,
            path: None,
            query: None,
            headers: None,
            content_type: None,
        }]),
    }
}

mod tests {
    use bytes::Bytes;
    use hookmill_domain::outcome::{Body, Outcome};
    use hookmill_domain::time::Time;
    use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
    use wit_parser::Resolve;

    use crate::{Call, CompilerCommand, Plugins, Settings};

    const WIT: &str = include_str!("../../../../tests/guests/contracts/test-only-0.9.0/hookmill-plugin.wit");
    const GUEST: &str = include_str!("../../../../tests/guests/contracts/test-only-0.9.0/plugin.wat");
    const PASSTHROUGH: &[u8] = include_bytes!("../../../../plugins/passthrough/passthrough.wasm");

    /// The guest, as the toolchain of its time made it.
    fn guest() -> Bytes {
        let mut module = wat::parse_str(GUEST).expect("well-formed text");
        let mut resolve = Resolve::default();
        let package = resolve.push_str("hookmill-plugin.wit", WIT).expect("a WIT package");
        let world = resolve.select_world(&[package], Some("plugin")).expect("its world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embedded");
        let encoder = ComponentEncoder::default().module(&module).expect("a module of that world");
        encoder.validate(true).encode().expect("a component").into()
    }

    /// The child is an example of this crate, which Cargo builds along with its tests.
    fn child() -> CompilerCommand {
        let tests = std::env::current_exe().expect("this program");
        let target = tests.ancestors().nth(2).expect("target/<profile>/deps/<this program>");
        let program = target.join("examples").join("compile_child");
        assert!(program.exists(), "`cargo test` without `--lib` builds {}", program.display());
        CompilerCommand {
            program,
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_guest_of_another_major_is_taken_and_called_beside_one_of_the_present() {
        let dir = tempfile::tempdir().expect("a folder");
        let plugins = Plugins::open(Settings::new(dir.path(), child())).expect("a room");
        let call = |kind| Call {
            event_id: "evt_1",
            kind,
            organization: "contractfit1",
            inbox: None,
            project: None,
            accepted_at: Time::default(),
            data: r#"{"id": "1"}"#,
            integration_id: "int_1",
            targets: &[],
            config: "null",
            seed: [0; 32],
        };
        let mut bodies = Vec::new();
        for (bytes, version) in [(guest(), "0.9.0"), (Bytes::from_static(PASSTHROUGH), "1.0.0")] {
            let inspection = plugins.inspect(None, bytes).await.expect("a plugin");
            assert_eq!(inspection.contract.to_string(), version, "chosen by what it exports");
            let component = plugins.loaded(&inspection.digest).expect("what is taken is loaded");
            let called = plugins.transform(&component, &call("document_text")).await;
            let Ok(Outcome::Deliver(requests)) = called.outcome else {
                panic!("{called:?}")
            };
            bodies.push(requests.into_iter().map(|request| request.body).collect::<Vec<_>>());
            if version == "0.9.0" {
                assert_eq!(called.facts.log.as_deref(), Some("info: document_text\n"));
                let called = plugins.transform(&component, &call("document_delete")).await;
                assert_eq!(called.outcome, Ok(Outcome::Skip("nothing to send".to_owned())));
            }
        }
        assert_eq!(bodies[0], [Body::Text(r#"{"id": "1"}"#.into())]);
        assert!(
            matches!(&bodies[1][..], [Body::Json(body)] if body.ends_with(br#""data": {"id": "1"}}"#)),
            "{bodies:?}"
        );
    }
}
