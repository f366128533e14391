//! What was found of components that this host can not run, though they were taken once: by another engine, or under other limits. Every
//! event would have such a one compiled again, to the same end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookmill_domain::digest::Digest;

use crate::refusal::{CompileLimit, Refusal};

/// So many are remembered; then all are forgotten.
const COUNT_MAX: usize = 1024;
/// How long a component is not compiled again that was refused: the CPU time that it takes depends on what else the machine does.
const REFUSED_KEPT: Duration = Duration::from_secs(60 * 60);

/// By the components' digests.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<HashMap<Digest, Finding>>);

#[derive(Debug)]
enum Finding {
    /// It was compiled for this engine, and what came of it is taken by none.
    MadeInVain,
    /// It could not be compiled.
    Refused { refusal: Arc<Refusal>, at: Instant },
}

impl Findings {
    /// What is wrong with a component lies in itself or in this host's limits, and not in the artifact that is there.
    pub(crate) fn made_in_vain(&self, component: Digest) {
        self.add(component, Finding::MadeInVain);
    }

    pub(crate) fn was_made_in_vain(&self, component: &Digest) -> bool {
        matches!(self.lock().get(component), Some(Finding::MadeInVain))
    }

    /// A component could not be compiled. What passes says nothing of it, and how long it took by the clock says as much of the machine.
    pub(crate) fn refused(&self, component: Digest, refusal: &Arc<Refusal>, at: Instant) {
        let took_long = matches!(
            **refusal,
            Refusal::CompileLimit {
                limit: CompileLimit::Wall { .. }
            }
        );
        if !refusal.is_passing() && !took_long {
            let refusal = Arc::clone(refusal);
            self.add(component, Finding::Refused { refusal, at });
        }
    }

    /// Why it is not to be compiled again now.
    pub(crate) fn refusal(&self, component: &Digest, now: Instant) -> Option<Arc<Refusal>> {
        match self.lock().get(component) {
            Some(Finding::Refused { refusal, at }) if now.duration_since(*at) < REFUSED_KEPT => Some(Arc::clone(refusal)),
            _ => None,
        }
    }

    /// It was uploaded again, and is well.
    pub(crate) fn forget(&self, component: &Digest) {
        self.lock().remove(component);
    }

    fn add(&self, component: Digest, finding: Finding) {
        let mut known = self.lock();
        if known.len() >= COUNT_MAX {
            known.clear();
        }
        known.insert(component, finding);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Finding>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_kept_for_an_hour_unless_it_passes_or_the_component_is_uploaded_again() {
        let (findings, now) = (Findings::default(), Instant::now());
        let [busy, late, slow] = [b"busy", b"late", b"slow"].map(|name| Digest::of(name));
        let limit = CompileLimit::Cpu { cpu_seconds: 60 };
        findings.refused(busy, &Arc::new(Refusal::Busy), now);
        let wall = CompileLimit::Wall { wall_seconds: 600 };
        findings.refused(late, &Arc::new(Refusal::CompileLimit { limit: wall }), now);
        findings.refused(slow, &Arc::new(Refusal::CompileLimit { limit }), now);
        let is_refused = |component, seconds| findings.refusal(component, now + Duration::from_secs(seconds)).is_some();
        assert!(!is_refused(&busy, 0) && !is_refused(&late, 0));
        assert!(is_refused(&slow, 3599) && !is_refused(&slow, 3600));
        assert!(!findings.was_made_in_vain(&slow));
        findings.forget(&slow);
        assert!(!is_refused(&slow, 0));
    }
}
