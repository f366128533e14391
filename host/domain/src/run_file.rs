//! A run as one file: all that its call was a function of, and what came of it, so that it can be made again where there is no host.
//!
//! The file is one JSON document, which begins with `"format": "hookmill.run", "version": 1`. Within a version fields are only added, so
//! those that are not known are passed over. What a guest is handed as JSON text (the event's data, the integration's configuration)
//! stands in it as a string: whatever reads the file and writes it again, the bytes stay.
//!
//! The salts, the seed and the clock of the call are functions of the ids and the generation, so they do not stand in it beside them.
//! Nor does it hold a URL, the value of a header or a secret.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{DeliveryId, EventId, IntegrationId, RunId, Salt};
use crate::integration::TargetFacts;
use crate::key::Key;
use crate::limits::PluginLimits;
use crate::names::{Kind, OrganizationName, PluginName, ProductId, TargetName};
use crate::state::RunState;
use crate::time::Time;

/// What the field `format` says.
const FORMAT: &str = "hookmill.run";
/// What the field `version` says.
const VERSION: u32 = 1;

/// A run and what it was called with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// The run's id.
    pub run: RunId,
    /// Counts the event's orders, from 0; it is in the seed of the random numbers.
    pub generation: u32,
    /// The event as the guest was given it.
    pub event: EventPart,
    /// The integration as the guest was given it, and the names that its requests are judged by.
    pub integration: IntegrationPart,
    /// What was called.
    pub plugin: PluginPart,
    /// What a call may use on the host, when the file is made.
    pub limits: LimitsPart,
    /// What came of it.
    pub outcome: OutcomePart,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPart {
    /// Its id, which holds its key and its salt.
    pub id: EventId,
    /// Its kind.
    pub kind: Kind,
    /// Its organization.
    pub organization: OrganizationName,
    /// The inbox of its document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<ProductId>,
    /// The project of its document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProductId>,
    /// Its document.
    pub document: ProductId,
    /// When it was accepted, where the guest's clock stands. The id says the same.
    pub accepted_at: Time,
    /// Its data: JSON text, exactly as it was posted.
    pub data: String,
}

/// An integration, at the revision of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationPart {
    /// Its id.
    pub id: IntegrationId,
    /// The default target first, then the named ones in order.
    pub targets: Vec<TargetPart>,
    /// `plugin_config` as JSON text.
    pub config: String,
}

/// What a target sets, by name alone: a request that sets it too is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetPart {
    /// Absent for the default target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TargetName>,
    /// Names of its headers.
    pub headers: Vec<String>,
    /// Keys of its URL's query.
    pub query_keys: Vec<String>,
}

/// A version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginPart {
    /// The plugin's name.
    pub name: PluginName,
    /// The version's number.
    pub version: u32,
    /// SHA-256 of the component.
    pub digest: Digest,
}

/// The limits of a call, by the names that [`PluginLimits`] has for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are told at `PluginLimits`")]
pub struct LimitsPart {
    pub cpu_ms: u64,
    pub cpu_ms_per_mib: u64,
    pub wall_ms: u64,
    pub memory_bytes: u64,
    pub memory_input_factor: u64,
    pub memory_bytes_max: u64,
    pub output_bytes_max: u64,
    pub requests_max: u32,
    pub log_lines_max: u32,
    pub log_left_out_lines_max: u32,
    pub log_line_bytes_max: u64,
    pub log_bytes_max: u64,
}

/// How a run stands, when the file is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomePart {
    /// Its state.
    pub state: RunState,
    /// Of a run that was parked: what kind of failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Of a run that was parked or skipped: why, with the guest's message and its backtrace by function name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long the call took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// The largest sum of the call's memories, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The lines of its log.
    #[serde(default)]
    pub log: Vec<String>,
    /// What it owes, in order.
    #[serde(default)]
    pub requests: Vec<RequestPart>,
}

/// A request that a run owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestPart {
    /// The delivery's id.
    pub delivery: DeliveryId,
    /// Of the request as it is sent each time; absent while no row tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// Why a file is not a run's.
#[derive(Debug, thiserror::Error)]
pub enum NotARunFile {
    /// It is something else.
    #[error("it is not a run's file: those begin with \"format\": \"{FORMAT}\"")]
    OtherFormat,
    /// It is of a version that is not known here.
    #[error("it is of version {0}, and this release reads version {VERSION}")]
    OtherVersion(u64),
    /// It lacks something, or something in it is not what it should be.
    #[error("it is damaged")]
    Damaged(#[source] serde_json::Error),
    /// The event's id is none, or says another time.
    #[error("the event's id and the time of its acceptance do not belong together")]
    OtherTime,
}

impl RunFile {
    /// The document that the file consists of.
    pub fn document(&self) -> impl Serialize {
        Document {
            format: FORMAT,
            version: VERSION,
            file: self,
        }
    }

    /// Reads a file.
    pub fn read(text: &[u8]) -> Result<RunFile, NotARunFile> {
        let head: Head = serde_json::from_slice(text).map_err(|_| NotARunFile::OtherFormat)?;
        if head.format != FORMAT {
            return Err(NotARunFile::OtherFormat);
        }
        if head.version != u64::from(VERSION) {
            return Err(NotARunFile::OtherVersion(head.version));
        }
        let file: RunFile = serde_json::from_slice(text).map_err(NotARunFile::Damaged)?;
        match file.event.id.parts() {
            Some((key, _)) if key.time() == file.event.accepted_at => Ok(file),
            _ => Err(NotARunFile::OtherTime),
        }
    }
}

impl EventPart {
    /// The key and the salt that its id holds. Of an id that no host has made there is none, and [`RunFile::read`] refuses it.
    pub fn parts(&self) -> Option<(Key, Salt)> {
        self.id.parts()
    }
}

impl From<&TargetFacts> for TargetPart {
    fn from(facts: &TargetFacts) -> TargetPart {
        TargetPart {
            name: facts.name.clone(),
            headers: facts.headers.clone(),
            query_keys: facts.query_keys.clone(),
        }
    }
}

impl From<TargetPart> for TargetFacts {
    fn from(part: TargetPart) -> TargetFacts {
        TargetFacts {
            name: part.name,
            headers: part.headers,
            query_keys: part.query_keys,
        }
    }
}

impl From<&PluginLimits> for LimitsPart {
    fn from(limits: &PluginLimits) -> LimitsPart {
        LimitsPart {
            cpu_ms: limits.cpu_ms,
            cpu_ms_per_mib: limits.cpu_ms_per_mib,
            wall_ms: limits.wall_ms,
            memory_bytes: limits.memory_bytes,
            memory_input_factor: limits.memory_input_factor,
            memory_bytes_max: limits.memory_bytes_max,
            output_bytes_max: limits.output_bytes_max,
            requests_max: limits.requests_max,
            log_lines_max: limits.log_lines_max,
            log_left_out_lines_max: limits.log_left_out_lines_max,
            log_line_bytes_max: limits.log_line_bytes_max,
            log_bytes_max: limits.log_bytes_max,
        }
    }
}

/// What limits no call is the default.
impl From<LimitsPart> for PluginLimits {
    fn from(part: LimitsPart) -> PluginLimits {
        PluginLimits {
            cpu_ms: part.cpu_ms,
            cpu_ms_per_mib: part.cpu_ms_per_mib,
            wall_ms: part.wall_ms,
            memory_bytes: part.memory_bytes,
            memory_input_factor: part.memory_input_factor,
            memory_bytes_max: part.memory_bytes_max,
            output_bytes_max: part.output_bytes_max,
            requests_max: part.requests_max,
            log_lines_max: part.log_lines_max,
            log_left_out_lines_max: part.log_left_out_lines_max,
            log_line_bytes_max: part.log_line_bytes_max,
            log_bytes_max: part.log_bytes_max,
            ..PluginLimits::default()
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    #[serde(flatten)]
    file: &'a RunFile,
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[cfg(test)]
mod tests;
