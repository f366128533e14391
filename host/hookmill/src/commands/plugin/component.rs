//! A component's file, and how it and its refusal are told.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use hookmill_plugin_room::Refusal;

/// A component's bytes, unless there are more than an upload may have.
pub(crate) fn read(path: &Path, bytes_max: u64) -> anyhow::Result<Result<Bytes, Refusal>> {
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        let said = file.metadata()?.len();
        // What a pipe holds is known at its end alone.
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        std::io::Result::Ok((bytes, said))
    };
    let (bytes, said) = read().with_context(|| format!("can not read {}", path.display()))?;
    let found = said.max(bytes.len() as u64);
    if found > bytes_max {
        return Ok(Err(Refusal::TooLarge { bytes: found, bytes_max }));
    }
    Ok(Ok(bytes.into()))
}

/// What a refusal is told as: its code and message, which are those that the API answers an upload with. A failure of this machine, or
/// of its limits, is none of the component's, and an error.
pub(crate) fn told(refusal: Refusal) -> anyhow::Result<(&'static str, String)> {
    match refusal {
        Refusal::Host(_) | Refusal::Busy => Err(refusal.into()),
        refusal => Ok((refusal.code(), refusal.to_string())),
    }
}

/// A number of bytes, for people.
pub(crate) fn size(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    let bytes = bytes as f64;
    if bytes < KIB {
        format!("{bytes} bytes")
    } else if bytes < KIB * KIB {
        format!("{:.1} KiB", bytes / KIB)
    } else {
        format!("{:.1} MiB", bytes / KIB / KIB)
    }
}
