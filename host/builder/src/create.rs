//! A new project: files that build as they stand, with nothing at hand but the language's own tools and this program.
//!
//! What a project needs of this repository is written into it: the contract, and for Rust the SDK, since no registry has it.

mod files;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Language;

/// The longest name of a plugin.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// Why there is no new project.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The folder's name can not be the plugin's.
    #[error(
        "a project is called as its folder, and `{name}` is no plugin's name: 1 to {NAME_BYTES_MAX} lower-case letters, digits, `_` or `-`, \
         beginning with a letter"
    )]
    Name {
        /// The folder's name.
        name: String,
    },
    /// The folder holds something already.
    #[error("{dir} is there already, and is not empty", dir = dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// A file or folder could not be written.
    #[error("could not write {path}", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Writes a new project into a folder, which is made; one that is there must be empty. The project is called as the folder.
///
/// # Errors
/// When the folder is not empty or its name is no plugin's, and when it can not be written.
pub fn create(dir: &Path, language: Language) -> Result<(), CreateError> {
    let failed = |path: &Path, source| CreateError::Write {
        path: path.to_owned(),
        source,
    };
    let whole = std::path::absolute(dir).map_err(|source| failed(dir, source))?;
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !is_name(&name) {
        return Err(CreateError::Name { name });
    }
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(CreateError::NotEmpty { dir: dir.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed(dir, source)),
    }
    for (path, content) in files::of(language, &name) {
        let path = dir.join(path);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        fs::write(&path, content).map_err(|source| failed(&path, source))?;
    }
    Ok(())
}

/// Whether a name fits everywhere: a plugin's, a crate's, a package's.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    name.len() <= NAME_BYTES_MAX && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;

    const JS: Language = Language::Js(Engine::QuickJs);

    #[test]
    fn names_fit_everywhere() {
        for name in ["a", "my-plugin", "totals_2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "2totals", "Totals", "a b", "-a", "é", "a.b", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mine = folder.path().join("mine");
        create(&mine, JS).expect("a new folder");
        assert!(matches!(create(&mine, JS), Err(CreateError::NotEmpty { .. })));
        assert!(matches!(create(&folder.path().join("My"), JS), Err(CreateError::Name { .. })));
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).expect("a temporary folder takes folders");
        create(&empty, Language::Python).expect("an empty folder");
    }
}
