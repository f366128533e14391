//! The one linker of an engine: everything that a component may import.

use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, StoreContextMut};

use crate::contract::LOG;
use crate::log::Level;
use crate::sandbox::{Sandbox, locked};
use crate::wasi;

/// Links the interface `log` and WASI. What is not here is refused at upload.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Sandbox>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    let mut log = linker.instance(LOG)?;
    for level in Level::FUNCTIONS {
        // The text is not lifted before it is known to be kept: a flood of messages costs a count each.
        log.func_wrap(level.name(), move |store: StoreContextMut<'_, Sandbox>, (message,): (WasmStr,)| {
            let mut log = locked(store.data().log());
            if log.ignores(level) {
                log.leave_out();
            } else {
                log.message(level, &message.to_str(&store)?);
            }
            Ok(log.within_limits()?)
        })?;
    }
    #[cfg(test)]
    crate::contract::older::link(&mut linker)?;
    Ok(linker)
}
