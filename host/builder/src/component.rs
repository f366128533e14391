//! From a core module to a component.
//!
//! The bindings in the module carry the world that it was written for; what the module does not use of the imports is
//! left out.

use anyhow::anyhow;
use wasi_preview1_component_adapter_provider::{WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::BuildError;

/// What stands between a module and the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// Nothing.
    None,
    /// What makes WASI's second version of calls to the first.
    Wasi,
}

/// Wraps a plugin's core module into a component, and validates it.
pub(crate) fn encode(package: &str, module: &[u8], adapter: Adapter) -> Result<Vec<u8>, BuildError> {
    let failed = |source| BuildError::Component {
        package: package.to_owned(),
        source,
    };
    let mut encoder = ComponentEncoder::default().validate(true).module(module).map_err(failed)?;
    if adapter == Adapter::Wasi {
        encoder = encoder
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
            .map_err(failed)?;
    }
    let component = encoder.encode().map_err(failed)?;
    if exports_transformer(&component).map_err(failed)? {
        Ok(component)
    } else {
        Err(BuildError::NotAPlugin {
            package: package.to_owned(),
        })
    }
}

fn exports_transformer(component: &[u8]) -> anyhow::Result<bool> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        return Err(anyhow!("it is a package of interfaces"));
    };
    let world = resolve.worlds.get(world).ok_or_else(|| anyhow!("it has no world"))?;
    Ok(world
        .exports
        .keys()
        .any(|name| resolve.name_world_key(name).starts_with("hookmill:plugin/transformer@")))
}
