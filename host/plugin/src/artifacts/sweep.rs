//! What of the folder goes, and when.
//!
//! - All that was compiled of a component goes when the component does.
//! - What other engines have compiled stays for [`ENGINE_KEPT`] after the engine was last used here, so that a binary that is rolled back
//!   finds its own; then it goes as a whole. A running host says once a day that its engine is in use, by the file `<engine>.engine`.
//! - Past the folder's bound the other engines' go first, then those unused for longest, until a tenth is free. What is loaded never goes:
//!   it was read once, however long ago, and is in use all the time. For what a host compiles ahead of need, the other engines' go alone.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hookmill_domain::digest::Digest;

use super::files::{open, remove, touch};
use super::{Artifacts, digest_path};

/// When the folder is over its bound, so much of the bound is kept, in percent.
const KEPT_PERCENT: u64 = 90;
/// How long artifacts of an engine are kept after its last use here.
const ENGINE_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// An artifact that is younger may be of an upload that is not stored yet.
const SETTLED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Artifacts.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// An artifact by its name and age.
struct Found {
    component: Digest,
    engine: String,
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl Artifacts {
    /// Removes what engines left that have not been used for long, and what is over the bound. Says that this one is in use.
    pub(crate) fn sweep(&self) -> io::Result<Swept> {
        let now = self.mark()?;
        let mut total = self.lock_bytes();
        let found = self.list()?;
        let mut used = self.marks()?;
        for artifact in &found {
            let of_engine = used.entry(artifact.engine.clone()).or_insert(artifact.used);
            *of_engine = artifact.used.max(*of_engine);
        }
        let is_old = |engine: &str| {
            let age = used.get(engine).and_then(|used| now.duration_since(*used).ok());
            engine != self.compatibility && age.is_some_and(|age| age > ENGINE_KEPT)
        };
        let (old, kept): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| is_old(&found.engine));
        let mut swept = Swept::default();
        for artifact in old {
            swept.add(artifact)?;
        }
        for engine in used.keys().filter(|engine| is_old(engine)) {
            remove(&self.mark_path(engine))?;
        }
        *total = Some(self.cut(kept, None, &mut swept)?);
        Ok(swept)
    }

    /// Removes what is over the bound, but for the artifact of that component, which has just been made and is loaded next.
    pub(crate) fn make_room(&self, made: &Digest) -> io::Result<()> {
        let mut total = self.lock_bytes();
        if total.is_none_or(|bytes| bytes > self.bytes_max) {
            *total = Some(self.cut(self.list()?, Some(made), &mut Swept::default())?);
        }
        Ok(())
    }

    /// Whether the folder holds as much as it may.
    pub(crate) fn is_full(&self) -> io::Result<bool> {
        self.is_full_of(&mut self.lock_bytes())
    }

    /// Whether it does after what other engines have compiled has gone, as far as there has to be room. So a new engine can be compiled
    /// for where the folder is full of the old one's.
    pub(crate) fn is_full_of_own(&self) -> io::Result<bool> {
        let mut total = self.lock_bytes();
        if !self.is_full_of(&mut total)? {
            return Ok(false);
        }
        let mut found = self.list()?;
        let bytes = found.iter().map(|found| found.bytes).sum();
        found.retain(|found| found.engine != self.compatibility);
        *total = Some(self.cut_from(bytes, found, |_| false, &mut Swept::default())?);
        self.is_full_of(&mut total)
    }

    fn is_full_of(&self, total: &mut Option<u64>) -> io::Result<bool> {
        let bytes = match *total {
            Some(bytes) => bytes,
            None => self.list()?.iter().map(|found| found.bytes).sum(),
        };
        *total = Some(bytes);
        Ok(bytes >= self.bytes_max)
    }

    /// Removes what all engines have compiled of a component. Where it is mapped it stays so until nobody uses it.
    pub(crate) fn forget(&self, component: &Digest) -> io::Result<()> {
        let beginning = format!("{component}-");
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&beginning)) {
                remove(&entry.path())?;
            }
        }
        // What is there is counted when that is asked next.
        *self.lock_bytes() = None;
        Ok(())
    }

    /// Components that this engine has compiled, by the names of the files alone: a damaged one is found when it is read.
    pub(crate) fn compiled(&self) -> io::Result<HashSet<Digest>> {
        let found = self.list()?.into_iter();
        let own = found.filter(|found| found.engine == self.compatibility && digest_path(&found.path).exists());
        Ok(own.map(|found| found.component).collect())
    }

    /// Components of which any engine has compiled something, and nothing within a day.
    pub(crate) fn settled(&self) -> io::Result<Vec<Digest>> {
        let now = self.mark()?;
        let mut settled = HashMap::new();
        for found in self.list()? {
            let is_settled = now.duration_since(found.used).is_ok_and(|age| age > SETTLED_AFTER);
            *settled.entry(found.component).or_insert(true) &= is_settled;
        }
        Ok(settled
            .into_iter()
            .filter_map(|(component, settled)| settled.then_some(component))
            .collect())
    }

    /// Says that this engine is in use; answers the file system's present time.
    pub(super) fn mark(&self) -> io::Result<SystemTime> {
        let mark = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.mark_path(&self.compatibility))?;
        touch(&mark)?;
        mark.metadata()?.modified()
    }

    /// When engines were said to be in use.
    fn marks(&self) -> io::Result<HashMap<String, SystemTime>> {
        let mut marks = HashMap::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let is_mark = path.extension().is_some_and(|extension| extension == "engine");
            if let (true, Some(engine)) = (is_mark, path.file_stem().and_then(|stem| stem.to_str()))
                && let Some(mark) = open(&path)?
            {
                marks.insert(engine.to_owned(), modified(&mark)?);
            }
        }
        Ok(marks)
    }

    fn mark_path(&self, engine: &str) -> PathBuf {
        self.dir.join(format!("{engine}.engine"))
    }

    /// Brings the folder back below its bound, if it is over it, and leaves what was just made. Answers what is left.
    fn cut(&self, found: Vec<Found>, made: Option<&Digest>, swept: &mut Swept) -> io::Result<u64> {
        let bytes: u64 = found.iter().map(|found| found.bytes).sum();
        if bytes <= self.bytes_max {
            return Ok(bytes);
        }
        let stays = |component: &Digest| (self.in_use)(component) || made == Some(component);
        self.cut_from(bytes, found, stays, swept)
    }

    /// Removes these, of a folder of so many bytes, until a tenth of it is free: other engines' first, and what stays of its own never.
    fn cut_from(&self, mut bytes: u64, mut found: Vec<Found>, stays: impl Fn(&Digest) -> bool, swept: &mut Swept) -> io::Result<u64> {
        found.sort_unstable_by_key(|found| (found.engine == self.compatibility, found.used));
        for artifact in found {
            if bytes <= self.bytes_max / 100 * KEPT_PERCENT {
                break;
            }
            if artifact.engine != self.compatibility || !stays(&artifact.component) {
                bytes -= artifact.bytes;
                swept.add(artifact)?;
            }
        }
        Ok(bytes)
    }

    /// All artifacts, of this engine and others.
    fn list(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let Some((component, engine)) = name_of(&path) else { continue };
            match fs::metadata(&path) {
                Ok(metadata) => found.push(Found {
                    component,
                    engine,
                    used: metadata.modified()?,
                    bytes: metadata.len(),
                    path,
                }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl Swept {
    fn add(&mut self, artifact: Found) -> io::Result<()> {
        remove(&digest_path(&artifact.path))?;
        remove(&artifact.path)?;
        self.artifacts += 1;
        self.bytes += artifact.bytes;
        Ok(())
    }
}

/// The component and the engine that an artifact's name tells.
fn name_of(path: &Path) -> Option<(Digest, String)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".cwasm")?;
    let (component, engine) = name.split_once('-')?;
    Some((component.parse().ok()?, engine.to_owned()))
}

fn modified(file: &File) -> io::Result<SystemTime> {
    file.metadata()?.modified()
}
