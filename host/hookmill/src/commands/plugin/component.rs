//! A component's file, and how it and its refusal are told.

use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use hookmill_plugin_room::Refusal;
use serde::Serialize;

use crate::screen::{Screen, bad, plain, strong};

/// A component's bytes, unless there are more than an upload may have.
pub(crate) fn read(path: &Path, bytes_max: u64) -> anyhow::Result<Result<Bytes, Refusal>> {
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        let said = file.metadata()?.len();
        // What a pipe holds is known at its end alone.
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        io::Result::Ok((bytes, said))
    };
    let (bytes, said) = read().with_context(|| format!("can not read {}", path.display()))?;
    let found = said.max(bytes.len() as u64);
    if found > bytes_max {
        return Ok(Err(Refusal::TooLarge { bytes: found, bytes_max }));
    }
    Ok(Ok(bytes.into()))
}

/// A component that no host takes, as it is told: by the code and the words that the API answers an upload with.
#[derive(Debug, Serialize)]
pub(crate) struct Refused {
    /// It is not, which a program reads where it looks for what was found.
    accepted: bool,
    code: &'static str,
    message: String,
}

impl Refused {
    /// Puts it into words. A failure of this machine, or of its limits, is none of the component's, and an error.
    pub(crate) fn of(refusal: Refusal) -> anyhow::Result<Refused> {
        match refusal {
            Refusal::Host(_) | Refusal::Busy => Err(refusal.into()),
            refusal => Ok(Refused {
                accepted: false,
                code: refusal.code(),
                message: refusal.to_string(),
            }),
        }
    }

    /// Prints it, for people or as one JSON object.
    pub(crate) fn show(&self, screen: &mut Screen, component: &Path, as_json: bool) -> io::Result<()> {
        if as_json {
            screen.json(self)?;
        } else {
            let name = strong(component.display().to_string());
            screen.line(&[name, plain(" "), bad(format!("is refused: {}", self.code))])?;
            for line in self.message.lines() {
                screen.line(&[plain("  "), plain(line)])?;
            }
        }
        screen.flush()
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
