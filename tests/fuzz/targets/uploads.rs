//! Uploads, and calls of what is taken: each is refused by name or runs within its limits, and the host stands.
//!
//! The input is a component, or the text of one, which a change of a byte leaves a component more often.

use bytes::Bytes;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::{Fault, ParkCode};
use hookmill_domain::time::Time;
use hookmill_plugin_room::{Call, Plugins, Refusal};
use tokio::runtime::Runtime;

/// Limits that end soon.
pub(crate) fn limits() -> PluginLimits {
    PluginLimits {
        component_bytes_max: 1024 * 1024,
        cpu_ms: 20,
        wall_ms: 2_000,
        memory_bytes: 16 * 1024 * 1024,
        memory_bytes_max: 16 * 1024 * 1024,
        compile_cpu_seconds: 2,
        compile_memory_bytes: 512 * 1024 * 1024,
        ..PluginLimits::default()
    }
}

/// Uploads a component, and calls it.
pub(crate) fn run(plugins: &Plugins, runtime: &Runtime, input: &[u8]) {
    let bytes = if input.starts_with(b"(") {
        let Ok(bytes) = wat::parse_bytes(input) else { return };
        bytes.into_owned()
    } else {
        input.to_vec()
    };
    runtime.block_on(async {
        let inspection = match plugins.inspect(None, Bytes::from(bytes)).await {
            Ok(inspection) => inspection,
            Err(refusal) => {
                assert!(!matches!(refusal, Refusal::Host(_) | Refusal::Busy), "{refusal:?}");
                assert!(!refusal.to_string().is_empty() && !refusal.code().is_empty());
                return;
            }
        };
        let component = plugins.loaded(&inspection.digest).expect("what is taken is loaded");
        let called = plugins.transform(&component, &an_event()).await;
        assert!(called.facts.memory_bytes <= limits().memory_bytes_max);
        if let Err(fault) = called.outcome {
            assert_ne!(fault.code, ParkCode::Unavailable, "{fault}");
            assert!(fault.message.len() <= Fault::MESSAGE_BYTES_MAX);
        }
    });
}

fn an_event() -> Call<'static> {
    Call {
        event_id: "evt_1",
        kind: "document_text",
        organization: "contractfit1",
        inbox: None,
        project: Some("p"),
        accepted_at: Time::from_millis(1_790_000_000_120),
        data: r#"{"id": "doc_1", "n": 1.10}"#,
        integration_id: "int_1",
        targets: &["review"],
        config: "null",
        seed: [7; 32],
    }
}
