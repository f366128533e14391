//! What is told of a component that can be taken. An answer to an upload and `hookmill plugin check --json` hold the same.

use hookmill_domain::limits::PluginLimits;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::inspect::Inspection;

/// The report of an inspection. Members may come, and none go or change: programs read it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// It is: what is refused has a code and a message instead of all this.
    pub accepted: bool,
    /// The SHA-256 of its bytes.
    pub digest: String,
    /// The version of the contract that it was built against.
    pub contract: String,
    /// The contract's world that it is of: `plugin`, or `configurable-plugin` if it exports a schema of its configuration.
    pub world: &'static str,
    /// JSON Schema of its configuration, if it exports one.
    pub schema: Option<Box<RawValue>>,
    /// The names of what it imports.
    pub imports: Vec<String>,
    /// The names of what it exports.
    pub exports: Vec<String>,
    /// Its size.
    pub component_bytes: u64,
    /// The size of what it was compiled to.
    pub artifact_bytes: u64,
    /// How long compiling took, its wait for a turn included; `null` where it was compiled before.
    pub compile_ms: Option<u64>,
    /// What every call of it begins with.
    pub needs: NeedsTold,
    /// What it was judged by.
    pub limits: Allowed,
}

/// What every call of a component begins with.
#[derive(Debug, Serialize)]
pub struct NeedsTold {
    /// Memories.
    pub memories: u32,
    /// Bytes of these memories when a fresh instance has started.
    pub memory_bytes: u64,
    /// Tables.
    pub tables: u32,
    /// Elements of the largest table when it is made.
    pub table_elements: u64,
    /// `small`, or `large` as interpreted languages need them.
    pub slots: &'static str,
}

/// What a component was judged by.
#[derive(Debug, Serialize)]
pub struct Allowed {
    /// The largest component.
    pub component_bytes_max: u64,
    /// CPU time of compiling it.
    pub compile_cpu_seconds: u64,
    /// Memory of a call.
    pub memory_bytes: u64,
}

impl Report {
    /// What is told of a component that was inspected under these limits.
    pub fn new(found: Inspection, limits: &PluginLimits) -> Report {
        Report {
            accepted: true,
            digest: found.digest.to_string(),
            contract: found.contract.to_string(),
            world: if found.schema.is_some() { "configurable-plugin" } else { "plugin" },
            schema: found.schema.and_then(|schema| RawValue::from_string(schema).ok()),
            imports: found.imports,
            exports: found.exports,
            component_bytes: found.component_bytes,
            artifact_bytes: found.artifact_bytes,
            compile_ms: found.compile_ms,
            needs: NeedsTold {
                memories: found.needs.memories,
                memory_bytes: found.needs.memory_bytes,
                tables: found.needs.tables,
                table_elements: found.needs.table_elements,
                slots: if found.needs.is_large { "large" } else { "small" },
            },
            limits: Allowed {
                component_bytes_max: limits.component_bytes_max,
                compile_cpu_seconds: limits.compile_cpu_seconds,
                memory_bytes: limits.memory_bytes,
            },
        }
    }
}
