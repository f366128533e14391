//! From a core module to a component.
//!
//! The bindings in the module carry the world that it was written for; what the module does not use of the imports is
//! left out.

use anyhow::anyhow;
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::BuildError;

/// Wraps a plugin's core module into a component, and validates it.
pub(crate) fn encode(package: &str, module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let failed = |source| BuildError::Component {
        package: package.to_owned(),
        source,
    };
    let encoder = ComponentEncoder::default().validate(true).module(module).map_err(failed)?;
    let component = { encoder }.encode().map_err(failed)?;
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
