//! Loads components that runs wait for, beside the threads that call plugins.

use std::sync::Arc;

use hookmill_domain::outcome::Fault;
use hookmill_plugin_room::Component;

use crate::calls::{self, Again};
use crate::dispatch::AGAIN_AFTER_MS;
use crate::guard::EndOnPanic;
use crate::lanes::Cold;
use crate::river::Inner;

/// Loads a component, and then whatever else its organization's runs wait for.
pub(crate) fn load(inner: &Arc<Inner>, cold: Cold) {
    let of_task = inner.clone();
    inner.spawn(async move {
        let _guard = EndOnPanic("a task that loads components");
        let (inner, mut next) = (of_task, Some(cold));
        let mut stop = inner.stop.subscribe();
        while let Some(cold) = next {
            let loaded = tokio::select! {
                loaded = component(&inner, &cold) => loaded,
                // A sender that is gone means the end as well. The next start takes the runs up again.
                _ = stop.wait_for(|stop| *stop) => return,
            };
            next = inner.lanes.step(|yard| yard.component_came(&cold, loaded));
        }
    });
}

/// Where the host could not do its part, it tries once more; then the run waits for somebody to act. A run waits for the compiler as long as that
/// is busy: it holds no call.
async fn component(inner: &Arc<Inner>, cold: &Cold) -> Result<Component, Fault> {
    let mut has_failed = false;
    loop {
        let failure = match calls::load(inner, cold.organization, &cold.pinned).await {
            Ok(component) => return Ok(component),
            Err(failure) => failure,
        };
        match failure.again {
            Again::Later => {}
            Again::Perhaps if !has_failed => has_failed = true,
            Again::Perhaps | Again::No => return Err(failure.fault),
        }
        inner.clock.sleep_until(inner.clock.now().plus_millis(AGAIN_AFTER_MS)).await;
    }
}
