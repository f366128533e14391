//! The folder of compiled artifacts: the host's own cache, on disk, that can be deleted at any time.
//!
//! A compiled artifact is machine code that will be mapped and run, and a damaged one loads without an error; so each has its
//! SHA-256 in a file beside it, and is given out only if its bytes are those. The folder is the host's alone (mode 0700), files are
//! written under another name, synced and renamed, and never changed in place. The name holds the component's digest and that of all
//! that decides compiled code, so that another engine or processor finds nothing and compiles anew. What goes, and when, is said in
//! `sweep.rs`.
//!
//! Two processes may work in it at once: a host, and another binary that compiles ahead for its own engine before it takes the host's
//! place.

mod files;
mod sweep;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookmill_domain::digest::Digest;
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _, ReadCache};
use tempfile::NamedTempFile;

pub use sweep::Swept;

use files::{begin_in, bytes_at, clear_abandoned, digest_in, digest_of, open, private_dir, remove, touch};

/// Where files are written before they are renamed.
const NEW: &str = "new";

/// Whether a component of this engine is loaded.
pub(crate) type InUse = Box<dyn Fn(&Digest) -> bool + Send + Sync>;

/// The folder.
pub(crate) struct Artifacts {
    dir: PathBuf,
    compatibility: String,
    bytes_max: u64,
    in_use: InUse,
    /// Bytes of all artifacts; unknown until that is asked.
    bytes: Mutex<Option<u64>>,
}

/// The section of an artifact in which its tables stand; `wasmtime-environ` has its name.
const TABLES: &str = ".wasmtime.info";

/// An artifact whose bytes are the ones that were compiled.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl Verified {
    /// How many of its bytes are tables, which whoever loads it has in memory as well. All of them, where that can not be told.
    pub(crate) fn tables_bytes(&self) -> u64 {
        let cache = ReadCache::new(&self.file);
        let elf = ElfFile64::<Endianness, _>::parse(&cache);
        let tables = elf.ok().and_then(|elf| Some(elf.section_by_name(TABLES)?.size()));
        tables.unwrap_or(self.bytes)
    }
}

impl Artifacts {
    /// Makes the folder, if it is not there. Half-written files of an earlier life go.
    pub(crate) fn open(dir: &Path, compatibility: String, bytes_max: u64, in_use: InUse) -> io::Result<Artifacts> {
        let artifacts = Artifacts::beside(dir, compatibility, bytes_max, in_use)?;
        clear_abandoned(&dir.join(NEW))?;
        Ok(artifacts)
    }

    /// The same beside a host, which is left alone: nothing but this engine's artifacts and mark is written, and nothing removed.
    pub(crate) fn beside(dir: &Path, compatibility: String, bytes_max: u64, in_use: InUse) -> io::Result<Artifacts> {
        private_dir(dir)?;
        private_dir(&dir.join(NEW))?;
        let artifacts = Artifacts {
            dir: dir.to_owned(),
            compatibility,
            bytes_max,
            in_use,
            bytes: Mutex::new(None),
        };
        artifacts.mark()?;
        Ok(artifacts)
    }

    /// The artifact of a component, read and verified. A damaged one is not found; it is replaced when the component is compiled again.
    pub(crate) fn find(&self, component: &Digest) -> io::Result<Option<Verified>> {
        let found = self.verified(component)?;
        if let Some(found) = &found {
            touch(&found.file)?;
        }
        Ok(found)
    }

    /// Whether there is a sound artifact of the component. It counts as no use of it.
    pub(crate) fn has(&self, component: &Digest) -> io::Result<bool> {
        Ok(self.verified(component)?.is_some())
    }

    fn verified(&self, component: &Digest) -> io::Result<Option<Verified>> {
        let (path, digest_path) = self.paths(component);
        let (Some(mut file), Some(digest_file)) = (open(&path)?, open(&digest_path)?) else {
            return Ok(None);
        };
        match digest_of(&mut file) {
            Ok((found, bytes)) if digest_in(digest_file) == Some(found) => return Ok(Some(Verified { file, path, bytes })),
            Ok(_) => tracing::warn!(component = %component, "a compiled artifact is damaged and will be compiled again"),
            // What lies on a bad block is not read again by waiting: it is written anew, elsewhere.
            Err(error) => {
                tracing::warn!(component = %component, %error, "a compiled artifact can not be read and will be compiled again");
            }
        }
        Ok(None)
    }

    /// A file to write an artifact into, which nobody finds before it is kept.
    pub(crate) fn begin(&self) -> io::Result<NamedTempFile> {
        begin_in(&self.dir.join(NEW))
    }

    /// Keeps a written artifact under its component's name.
    pub(crate) fn keep(&self, component: &Digest, artifact: NamedTempFile, digest: &Digest) -> io::Result<()> {
        let (path, digest_path) = self.paths(component);
        let mut digest_file = self.begin()?;
        writeln!(digest_file, "{digest}")?;
        let bytes = artifact.as_file().metadata()?.len();
        let replaced = bytes_at(&path)?.unwrap_or(0);
        for (file, path) in [(artifact, path), (digest_file, digest_path)] {
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
        }
        File::open(&self.dir)?.sync_all()?;
        let mut total = self.lock_bytes();
        *total = total.map(|total| total.saturating_sub(replaced).saturating_add(bytes));
        Ok(())
    }

    /// Whether there is something under a component's name, sound or not.
    pub(crate) fn is_taken(&self, component: &Digest) -> io::Result<bool> {
        Ok(bytes_at(&self.paths(component).0)?.is_some())
    }

    /// Removes the artifact of a component, if there is one. Where it is mapped it stays so.
    pub(crate) fn discard(&self, component: &Digest) -> io::Result<()> {
        let (path, digest_path) = self.paths(component);
        let bytes = bytes_at(&path)?.unwrap_or(0);
        remove(&digest_path)?;
        remove(&path)?;
        let mut total = self.lock_bytes();
        *total = total.map(|total| total.saturating_sub(bytes));
        Ok(())
    }

    fn paths(&self, component: &Digest) -> (PathBuf, PathBuf) {
        let artifact = self.dir.join(format!("{component}-{}.cwasm", self.compatibility));
        let digest = digest_path(&artifact);
        (artifact, digest)
    }

    fn lock_bytes(&self) -> MutexGuard<'_, Option<u64>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest_path(artifact: &Path) -> PathBuf {
    artifact.with_extension("sha256")
}
