//! Compiling ahead of need, and what else keeps the folder of artifacts as it should be. Nobody waits for any of it: a component that is
//! called before its turn is compiled by that call.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hookmill_domain::digest::Digest;

use crate::artifacts::{Artifacts, Swept};
use crate::compiling::{Compiler, blocking, host};
use crate::engine;
use crate::refusal::{LoadError, Refusal};
use crate::settings::{OpenError, Settings};
use crate::{Plugins, Room};

/// What became of compiling a component ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// A sound artifact was there.
    WasThere,
    /// It is compiled.
    Compiled {
        /// The size of its artifact.
        artifact_bytes: u64,
    },
    /// It was given up for a component that somebody waits for: try again.
    GaveWay,
    /// The folder of artifacts is full, and none of this engine's goes for what nobody waits for.
    NoRoom,
}

impl Plugins {
    /// Components that this engine has compiled, by their names in the folder of artifacts. A damaged artifact is among them: that is
    /// found when it is read, which for all of them would take long.
    pub async fn compiled(&self) -> io::Result<HashSet<Digest>> {
        self.with_artifacts(Artifacts::compiled).await
    }

    /// Compiles a component for which there is no sound artifact, when no upload and no call needs the compiler, and does not load it.
    /// Where the folder is full, what other engines have compiled goes for it.
    pub async fn compile_ahead<F, Fut, E>(&self, digest: Digest, fetch: F) -> Result<Ahead, LoadError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Bytes, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let Room {
            artifacts,
            compiler,
            findings,
            ..
        } = &*self.0;
        if let Some(refusal) = findings.refusal(&digest, Instant::now()) {
            return Err(LoadError::Refused(refusal));
        }
        let done = ahead(artifacts, Artifacts::is_full_of_own, compiler, digest, fetch).await;
        if let Err(LoadError::Refused(refusal)) = &done {
            findings.refused(digest, refusal, Instant::now());
        }
        done
    }

    /// Drops a component that nothing can call any more, and removes what any engine has compiled of it. A call of it that is under way
    /// goes on.
    pub async fn forget(&self, digest: Digest) -> io::Result<()> {
        self.0.loaded.remove(&digest);
        self.with_artifacts(move |artifacts| artifacts.forget(&digest)).await
    }

    /// Removes what engines compiled that have not been used for a month, and what is over the folder's bound; nothing that is loaded.
    /// Says that this engine is in use, which a host does once a day.
    pub async fn sweep(&self) -> io::Result<Swept> {
        self.with_artifacts(Artifacts::sweep).await
    }

    /// Components of which there are artifacts, all of them unused for a day: if they are not stored, they never will be.
    pub async fn settled(&self) -> io::Result<Vec<Digest>> {
        self.with_artifacts(Artifacts::settled).await
    }

    async fn with_artifacts<T: Send + 'static>(&self, work: impl FnOnce(&Artifacts) -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let artifacts = Arc::clone(&self.0.artifacts);
        blocking(move || work(&artifacts)).await
    }
}

/// Compiles for the engine of this binary beside a host that may be of another one, and has the folder of artifacts: nothing of that
/// host's is touched.
pub struct Precompiler {
    artifacts: Arc<Artifacts>,
    compiler: Compiler,
}

impl Precompiler {
    /// Makes it ready. Of the settings, those of artifacts and compiling count.
    pub fn open(settings: &Settings) -> Result<Precompiler, OpenError> {
        let artifacts = Artifacts::beside(
            &settings.artifacts_dir,
            engine::own_compatibility()?,
            settings.artifacts_bytes_max,
            Box::new(|_| false),
        );
        Ok(Precompiler {
            artifacts: Arc::new(artifacts.map_err(|source| settings.no_artifacts(source))?),
            compiler: Compiler::new(settings),
        })
    }

    /// Compiles a component for which there is no sound artifact: each that is there is read and verified.
    pub async fn compile<F, Fut, E>(&self, digest: Digest, fetch: F) -> Result<Ahead, LoadError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Bytes, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        ahead(&self.artifacts, Artifacts::is_full, &self.compiler, digest, fetch).await
    }
}

async fn ahead<F, Fut, E>(
    artifacts: &Arc<Artifacts>,
    is_full: fn(&Artifacts) -> io::Result<bool>,
    compiler: &Compiler,
    digest: Digest,
    fetch: F,
) -> Result<Ahead, LoadError>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<Bytes, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let refused = |refusal: Refusal| LoadError::Refused(Arc::new(refusal));
    let work = async {
        // In its turn and not before: what was waited for may have compiled it.
        let of_folder = Arc::clone(artifacts);
        let look = move || match of_folder.has(&digest)? {
            true => Ok(Some(Ahead::WasThere)),
            false => Ok(is_full(&of_folder)?.then_some(Ahead::NoRoom)),
        };
        if let Some(done) = blocking(look).await.map_err(|error| refused(host(error)))? {
            return Ok(done);
        }
        let bytes = fetched(digest, fetch).await?;
        let artifact_bytes = compiler.compile_ahead(digest, bytes, artifacts).await.map_err(refused)?;
        Ok(Ahead::Compiled { artifact_bytes })
    };
    compiler.spare(work).await.unwrap_or(Ok(Ahead::GaveWay))
}

/// The bytes of a component, if they are its.
pub(crate) async fn fetched<F, Fut, E>(digest: Digest, fetch: F) -> Result<Bytes, LoadError>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<Bytes, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let bytes = fetch().await.map_err(|error| LoadError::Fetch(Arc::new(error)))?;
    let found = Digest::of(&bytes);
    if found != digest {
        return Err(LoadError::WrongBytes { wanted: digest, found });
    }
    Ok(bytes)
}
