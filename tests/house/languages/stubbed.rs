//! Guests that were built with traps in WASI's place, which their tools offer: what needs no WASI, they do as the others do.

use serde_json::{Value, json};

use super::{body, host, tried};
use crate::parts::host::text;
use crate::parts::languages::{foreign, stubbed};

#[tokio::test(flavor = "multi_thread")]
async fn without_wasi_the_same_event_gives_the_same_body() {
    let (_host, tenant, _folder) = host().await;
    for (name, component) in stubbed() {
        let (_, with_wasi) = foreign().iter().find(|(guest, _)| *guest == name).expect("it is one of them");
        let imports_wasi = |uploaded: &Value| uploaded["report"]["imports"].to_string().contains("wasi:");
        assert!(imports_wasi(&tenant.plugin(name, with_wasi.clone()).await), "{name}");
        let without = format!("{name}-stubbed");
        assert!(!imports_wasi(&tenant.plugin(&without, component).await), "{without}");

        let config = json!({"do": "given"});
        let [expected, came] = [tried(&tenant, name, &config).await, tried(&tenant, &without, &config).await];
        assert_eq!(body(&expected)["kind"], "document_text", "{name}");
        assert_eq!(text(&came, "/requests/0/body"), text(&expected, "/requests/0/body"), "{name}");
    }
}
