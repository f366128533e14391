//! Loads components that runs wait for, beside the threads that call plugins.

use std::sync::Arc;

use hookmill_domain::outcome::Fault;
use hookmill_plugin_room::Component;

use crate::calls;
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

/// Where the host could not do its part, it tries once more; then the run waits for somebody to act.
async fn component(inner: &Arc<Inner>, cold: &Cold) -> Result<Component, Fault> {
    let load = || calls::load(inner, cold.organization, &cold.pinned);
    match load().await {
        Ok(component) => Ok(component),
        Err(failure) if !failure.is_passing => Err(failure.fault),
        Err(_) => {
            inner.clock.sleep_until(inner.clock.now().plus_millis(AGAIN_AFTER_MS)).await;
            load().await.map_err(|failure| failure.fault)
        }
    }
}
