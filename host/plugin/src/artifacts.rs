//! The folder of compiled artifacts: the host's own cache, on disk, that can be deleted at any time.
//!
//! A compiled artifact is machine code that will be mapped and run, and a damaged one loads without an error; so each has its
//! SHA-256 in a file beside it, and is given out only if its bytes are those. The folder is the host's alone (mode 0700), files are
//! written under another name, synced and renamed, and never changed in place. The name holds the component's digest and that of all
//! that decides compiled code, so that another engine or processor finds nothing and compiles anew. Artifacts past the folder's
//! bound go, those unused for longest first.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use hookmill_domain::digest::Digest;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

/// When the folder is over its bound, so much of the bound is kept, in percent.
const KEPT_PERCENT: u64 = 90;
/// Where files are written before they are renamed.
const NEW: &str = "new";

/// The folder.
#[derive(Debug)]
pub(crate) struct Artifacts {
    dir: PathBuf,
    compatibility: String,
    bytes_max: u64,
    /// Bytes of all artifacts; unknown until the first is stored.
    bytes: Mutex<Option<u64>>,
}

/// An artifact whose bytes are the ones that were compiled.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl Artifacts {
    /// Makes the folder, if it is not there. Half-written files of an earlier life go.
    pub(crate) fn open(dir: &Path, compatibility: String, bytes_max: u64) -> io::Result<Artifacts> {
        private_dir(dir)?;
        let new = dir.join(NEW);
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => private_dir(&new)?,
        }
        Ok(Artifacts {
            dir: dir.to_owned(),
            compatibility,
            bytes_max,
            bytes: Mutex::new(None),
        })
    }

    /// The artifact of a component, read and verified. A damaged one is removed and not found.
    pub(crate) fn find(&self, component: &Digest) -> io::Result<Option<Verified>> {
        let (path, digest_path) = self.paths(component);
        let (Some(mut file), Some(digest_file)) = (open(&path)?, open(&digest_path)?) else {
            return Ok(None);
        };
        let mut digest = String::new();
        // Whatever stands in the file, no more than a digest of it is read.
        let readable = digest_file.take(65).read_to_string(&mut digest).is_ok();
        let (found, bytes) = digest_of(&mut file)?;
        if !readable || digest.trim_end().parse::<Digest>().ok() != Some(found) {
            tracing::warn!(component = %component, "a compiled artifact is damaged and will be compiled again");
            self.discard(component)?;
            return Ok(None);
        }
        touch(&file)?;
        Ok(Some(Verified { file, path, bytes }))
    }

    /// Whether there is a file for the component, damaged or not.
    pub(crate) fn has(&self, component: &Digest) -> bool {
        self.paths(component).0.exists()
    }

    /// A file to write an artifact into, which nobody finds before it is kept.
    pub(crate) fn begin(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.dir.join(NEW))
    }

    /// Keeps a written artifact under its component's name.
    pub(crate) fn keep(&self, component: &Digest, artifact: NamedTempFile, digest: &Digest) -> io::Result<()> {
        let (path, digest_path) = self.paths(component);
        let mut digest_file = self.begin()?;
        writeln!(digest_file, "{digest}")?;
        let bytes = artifact.as_file().metadata()?.len();
        for (file, path) in [(artifact, path), (digest_file, digest_path)] {
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
        }
        File::open(&self.dir)?.sync_all()?;
        self.sweep(bytes)
    }

    /// Removes the artifact of a component, if there is one. Where it is mapped it stays so.
    pub(crate) fn discard(&self, component: &Digest) -> io::Result<()> {
        let (path, digest_path) = self.paths(component);
        remove(&digest_path)?;
        remove(&path)
    }

    fn paths(&self, component: &Digest) -> (PathBuf, PathBuf) {
        let artifact = self.dir.join(format!("{component}-{}.cwasm", self.compatibility));
        let digest = digest_path(&artifact);
        (artifact, digest)
    }

    /// Counts so many more bytes, and removes what is over the bound.
    fn sweep(&self, added: u64) -> io::Result<()> {
        let mut total = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = total.map(|bytes| bytes.saturating_add(added));
        if known.is_some_and(|bytes| bytes <= self.bytes_max) {
            *total = known;
            return Ok(());
        }
        let mut found = self.list()?;
        let mut bytes: u64 = found.iter().map(|(_, bytes, _)| bytes).sum();
        if bytes > self.bytes_max {
            found.sort_unstable_by_key(|(used, ..)| *used);
            for (_, of_file, path) in found {
                if bytes <= self.bytes_max / 100 * KEPT_PERCENT {
                    break;
                }
                remove(&digest_path(&path))?;
                remove(&path)?;
                bytes -= of_file;
            }
        }
        *total = Some(bytes);
        Ok(())
    }

    /// All artifacts, of this engine and others: when each was used last, its size and its path.
    fn list(&self) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "cwasm") {
                match fs::metadata(&path) {
                    Ok(metadata) => found.push((metadata.modified()?, metadata.len(), path)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found)
    }
}

fn digest_path(artifact: &Path) -> PathBuf {
    artifact.with_extension("sha256")
}

/// A folder that nobody else can enter. One that others own is refused, for they could change what is mapped.
fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let metadata = fs::symlink_metadata(dir)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not a folder of this user", dir.display()),
        ));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn digest_of(file: &mut File) -> io::Result<(Digest, u64)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((Digest::from_bytes(hash.finalize().into()), bytes)),
            read => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Marks an artifact as used now, by the file system's clock.
fn touch(file: &File) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        },
    };
    Ok(rustix::fs::futimens(file, &times)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifacts(dir: &Path, bytes_max: u64) -> Artifacts {
        Artifacts::open(dir, "engine".to_owned(), bytes_max).expect("a folder")
    }

    fn keep(artifacts: &Artifacts, name: &[u8], content: &[u8]) -> Digest {
        let component = Digest::of(name);
        let mut file = artifacts.begin().expect("a file");
        file.write_all(content).expect("written");
        artifacts.keep(&component, file, &Digest::of(content)).expect("kept");
        component
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("artifacts");
        let component = keep(&artifacts(&folder, 1000), b"a", b"code");
        let again = artifacts(&folder, 1000);
        assert_eq!(again.find(&component).expect("readable").expect("kept").bytes, 4);
        assert_eq!(fs::metadata(&folder).expect("there").permissions().mode() & 0o777, 0o700);
        let other = Artifacts::open(&folder, "another".to_owned(), 1000).expect("a folder");
        assert!(
            other.find(&component).expect("readable").is_none(),
            "another engine's artifact is none"
        );
    }

    #[test]
    fn a_damaged_artifact_is_not_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let artifacts = artifacts(dir.path(), 1000);
        for damaged in ["cwasm", "sha256"] {
            let component = keep(&artifacts, damaged.as_bytes(), b"code");
            let path = artifacts.paths(&component).0.with_extension(damaged);
            let mut bytes = fs::read(&path).expect("there");
            bytes[1] ^= 1;
            fs::write(&path, bytes).expect("written");
            assert!(artifacts.find(&component).expect("readable").is_none());
            assert!(!artifacts.has(&component));
        }
        let component = keep(&artifacts, b"alone", b"code");
        fs::remove_file(artifacts.paths(&component).1).expect("there");
        assert!(
            artifacts.find(&component).expect("readable").is_none(),
            "without its digest it is not trusted"
        );
    }

    #[test]
    fn what_was_unused_for_longest_goes_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let artifacts = artifacts(dir.path(), 100);
        let old = keep(&artifacts, b"old", &[0; 40]);
        let used = keep(&artifacts, b"used", &[0; 40]);
        let long_ago = SystemTime::UNIX_EPOCH;
        for component in [&old, &used] {
            File::open(artifacts.paths(component).0)
                .expect("there")
                .set_modified(long_ago)
                .expect("set");
        }
        assert!(artifacts.find(&used).expect("readable").is_some());
        let new = keep(&artifacts, b"new", &[0; 40]);
        assert!(!artifacts.has(&old) && artifacts.has(&used) && artifacts.has(&new));
    }

    #[test]
    fn half_written_files_go_at_the_next_start() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = artifacts(dir.path(), 100);
        let (_, path) = first.begin().expect("a file").keep().expect("left behind");
        artifacts(dir.path(), 100);
        assert!(!path.exists());
    }
}
