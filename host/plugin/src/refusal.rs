//! Why a component is not taken, or not to be had: what an uploader reads, and what the host branches on.

use std::sync::Arc;

use hookmill_domain::digest::Digest;
use hookmill_domain::outcome::Fault;

use crate::contract::{ContractVersion, VERSIONS};

/// Why an upload is refused. The text names what is wrong, for the component's author.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// It is larger than an upload may be.
    #[error("the component has {bytes} bytes, and may have {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// `component_bytes_max` of the limits.
        bytes_max: u64,
    },
    /// It is no WebAssembly, by its first bytes.
    #[error("this is not a WebAssembly component: {what}")]
    NotAComponent {
        /// What it seems to be.
        what: &'static str,
    },
    /// It is a core module, not a component.
    #[error(
        "this is a core WebAssembly module, not a component: turn it into one (`hookmill plugin build` does, or `wasm-tools component new`)"
    )]
    CoreModule,
    /// It is broken.
    #[error("the component is malformed: {message}")]
    Malformed {
        /// Where, and what was expected.
        message: String,
    },
    /// It has more parts than any toolchain makes.
    #[error("the component has too many {limit}: more than {max}")]
    TooComplex {
        /// What there is too much of.
        limit: LimitName,
        /// How many there may be.
        max: usize,
    },
    /// It is no plugin.
    #[error(
        "the component does not export the interface `hookmill:plugin/transformer` (it exports {}); this host knows {}",
        list(exports),
        known()
    )]
    WrongWorld {
        /// The names of what it exports.
        exports: Vec<String>,
    },
    /// It is a plugin of a contract that this host does not speak.
    #[error("the component was built for version {found} of `hookmill:plugin`; this host knows {}", known())]
    UnsupportedVersion {
        /// The versions that it exports.
        found: String,
    },
    /// It imports what no plugin gets.
    #[error("the component imports `{name}`, which is not offered to plugins{}", dash(*hint))]
    ImportNotOffered {
        /// The import's name.
        name: String,
        /// What to do about it, where that is known.
        hint: Option<&'static str>,
    },
    /// It imports something that is offered, in another shape.
    #[error("the component's imports do not fit what is offered: {message}")]
    ImportMismatch {
        /// Which one, and how it differs.
        message: String,
    },
    /// Its exports have the right names and the wrong shapes.
    #[error("the component's exports do not fit the contract: {message}")]
    WrongShape {
        /// Which one, and how it differs.
        message: String,
    },
    /// It needs more than any call gets, before it runs.
    #[error("the component needs more than a call may have: {message}")]
    NeedsTooMuch {
        /// What it needs.
        message: String,
    },
    /// It can not be compiled within the limits.
    #[error("the component can not be compiled within the limits: {limit}")]
    CompileLimit {
        /// Which limit it met.
        limit: CompileLimit,
    },
    /// It can not be compiled.
    #[error("the component can not be compiled: {message}")]
    CompileFailed {
        /// What the validator or compiler says.
        message: String,
    },
    /// What it says of its configuration can not be used.
    #[error("the component's configuration schema can not be used: {message}")]
    BadSchema {
        /// Why.
        message: String,
    },
    /// It ended in a fault when it was tried.
    #[error("the component failed when it was tried ({stage}): {fault}")]
    Faulty {
        /// What was tried.
        stage: Stage,
        /// How it ended.
        fault: Fault,
    },
    /// Too many uploads are being compiled. Trying again later helps.
    #[error("too many components are being compiled; try again later")]
    Busy,
    /// The host failed, not the component.
    #[error("the host could not inspect the component")]
    Host(#[source] Arc<std::io::Error>),
}

impl Refusal {
    /// Whether trying again later may help: it says nothing of the component.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Refusal::Busy | Refusal::Host(_))
    }

    /// Its kind as one word, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::TooLarge { .. } => "too_large",
            Refusal::NotAComponent { .. } => "not_a_component",
            Refusal::CoreModule => "core_module",
            Refusal::Malformed { .. } => "malformed",
            Refusal::TooComplex { .. } => "too_complex",
            Refusal::WrongWorld { .. } => "wrong_world",
            Refusal::UnsupportedVersion { .. } => "unsupported_version",
            Refusal::ImportNotOffered { .. } => "import_not_offered",
            Refusal::ImportMismatch { .. } => "import_mismatch",
            Refusal::WrongShape { .. } => "wrong_shape",
            Refusal::NeedsTooMuch { .. } => "needs_too_much",
            Refusal::CompileLimit { .. } => "compile_limit",
            Refusal::CompileFailed { .. } => "compile_failed",
            Refusal::BadSchema { .. } => "bad_schema",
            Refusal::Faulty { .. } => "faulty",
            Refusal::Busy => "busy",
            Refusal::Host(_) => "host",
        }
    }

    /// The same, and that the component was built for a later version of the contract than this host knows, if that may be why.
    pub(crate) fn of_contract(self, contract: ContractVersion) -> Refusal {
        let is_known = VERSIONS.iter().any(|known| known.major == contract.major && *known >= contract);
        let told = |message: String| {
            format!(
                "{message} (the component was built for version {contract} of `hookmill:plugin`; this host knows {})",
                known()
            )
        };
        match self {
            Refusal::ImportMismatch { message } if !is_known => Refusal::ImportMismatch { message: told(message) },
            Refusal::WrongShape { message } if !is_known => Refusal::WrongShape { message: told(message) },
            other => other,
        }
    }
}

/// What there can be too much of in a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitName {
    /// Components nested in components.
    Depth,
    /// Modules and components.
    Parts,
    /// Sections.
    Sections,
    /// Imports or exports.
    Names,
    /// Bytes of types, imports, exports, tables and the like.
    TablesBytes,
    /// Elements of passive segments.
    PassiveElements,
}

impl std::fmt::Display for LimitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LimitName::Depth => "levels of nested components",
            LimitName::Parts => "modules and components",
            LimitName::Sections => "sections",
            LimitName::Names => "imports or exports",
            LimitName::TablesBytes => "bytes of types, imports, exports, tables and the like",
            LimitName::PassiveElements => "elements in passive segments",
        })
    }
}

/// What a component was doing when it failed during an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its start functions.
    Instantiation,
    /// Its function `schema`.
    Schema,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stage::Instantiation => "instantiation",
            Stage::Schema => "its schema",
        })
    }
}

/// A limit of the process that compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompileLimit {
    /// CPU time.
    #[error("it takes more than {cpu_seconds} s of CPU time")]
    Cpu {
        /// `compile_cpu_seconds` of the limits.
        cpu_seconds: u64,
    },
    /// Address space, or stack.
    #[error("it takes more than {memory_bytes} bytes of memory")]
    Memory {
        /// `compile_memory_bytes` of the limits.
        memory_bytes: u64,
    },
    /// Wall-clock time.
    #[error("it takes more than {wall_seconds} s")]
    Wall {
        /// The longest that is waited.
        wall_seconds: u64,
    },
    /// Compiled code.
    #[error("it compiles to more than {bytes_max} bytes")]
    Output {
        /// The largest artifact that is kept.
        bytes_max: u64,
    },
}

/// Why a component can not be had for a call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// Whoever has the component's bytes could not give them.
    #[error("the component's bytes could not be had")]
    Fetch(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The bytes that were given are others.
    #[error("the bytes given for component {wanted} are those of {found}")]
    WrongBytes {
        /// The digest that was asked for.
        wanted: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// This host can not run the component, though it was accepted once.
    #[error("the component can not be run by this host")]
    Refused(#[source] Arc<Refusal>),
}

impl LoadError {
    /// Whether trying again later may help, without anything being changed.
    pub fn is_passing(&self) -> bool {
        match self {
            LoadError::Fetch(_) => true,
            LoadError::WrongBytes { .. } => false,
            LoadError::Refused(refusal) => refusal.is_passing(),
        }
    }
}

fn known() -> String {
    VERSIONS.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn list(names: &[String]) -> String {
    /// How many names an error shows.
    const SHOWN_MAX: usize = 8;
    match names {
        [] => "nothing".to_owned(),
        names => names
            .iter()
            .take(SHOWN_MAX)
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn dash(hint: Option<&str>) -> String {
    hint.map(|hint| format!(" ({hint})")).unwrap_or_default()
}
