//! An upload, looked at before it is taken: what it is, whether it compiles within the limits, whether it fits the contract, and what
//! it says of its configuration.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::time::Time;
use rustix::io::Errno;

use crate::Room;
use crate::artifacts::Verified;
use crate::aside::aside;
use crate::call::{Setting, in_fresh_instance};
use crate::compiling::{blocking, host};
use crate::contract::{ContractVersion, Schema, Transform};
use crate::engine::Tier;
use crate::loaded::{Component, Ready};
use crate::mapping::map;
use crate::prescan::prescan;
use crate::refusal::{Refusal, Stage};
use crate::schema::{Question, Verdict};
use crate::turns::{Lane, Party};

/// How many times the wall clock's limit of a call an inspection's has.
const WALL_FACTOR: u64 = 30;

/// A component that can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The SHA-256 of its bytes: what it is known by.
    pub digest: Digest,
    /// The version of the contract that it was built against.
    pub contract: ContractVersion,
    /// Its configuration's JSON Schema, if it exports one.
    pub schema: Option<String>,
    /// The names of what it imports.
    pub imports: Vec<String>,
    /// The names of what it exports; the contract's are among them.
    pub exports: Vec<String>,
    /// Its size.
    pub component_bytes: u64,
    /// The size of what it was compiled to.
    pub artifact_bytes: u64,
    /// How long compiling took, its wait for a turn included; `None` where it was compiled before.
    pub compile_ms: Option<u64>,
    /// What every call of it begins with.
    pub needs: Needs,
}

/// What a component has before it is called: all its core modules' together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Memories.
    pub memories: u32,
    /// Bytes of these memories when a fresh instance has started.
    pub memory_bytes: u64,
    /// Tables.
    pub tables: u32,
    /// Elements of the largest table when it is made.
    pub table_elements: u64,
    /// Whether it needs the larger slots that interpreted languages do.
    pub is_large: bool,
}

/// Whether a plugin has a component's bytes already.
#[derive(Clone, Copy)]
pub(crate) enum Known {
    /// It has them not. It is compiled even if its artifact is there: else the time of the answer would tell an organization whether
    /// another has uploaded the same bytes.
    No,
    /// It has them: it is compiled where its artifact is not there.
    Yes,
}

/// Inspects an upload, in one turn for all of it: its start and its schema are guest's code, too.
pub(crate) async fn inspect(room: &Arc<Room>, party: Party, bytes: Bytes, known: Known) -> Result<Inspection, Refusal> {
    let component_bytes = bytes.len() as u64;
    let bytes_max = room.limits.component_bytes_max;
    if component_bytes > bytes_max {
        return Err(Refusal::TooLarge {
            bytes: component_bytes,
            bytes_max,
        });
    }
    let scanned = {
        let bytes = bytes.clone();
        blocking(move || Ok((Digest::of(&bytes), prescan(&bytes)))).await
    };
    let (digest, prescan) = scanned.map_err(host)?;
    let prescan = prescan?;
    let begun = Instant::now();
    let turn = room.compiler.turn(party, Lane::Upload).await?;
    let artifacts = Arc::clone(&room.artifacts);
    let compile = || async {
        room.compiler.compile(&turn, digest, bytes.clone(), &room.artifacts).await?;
        Ok(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    };
    // Reading an artifact would tell by its time that it is there: of what is new to them, its name alone is looked at.
    let looked = blocking(move || match known {
        Known::No => Ok((artifacts.is_taken(&digest)?, false)),
        Known::Yes => artifacts.has(&digest).map(|is_sound| (is_sound, is_sound)),
    });
    let (was_there, is_compiled) = looked.await.map_err(host)?;
    let mut compile_ms = match is_compiled {
        true => None,
        false => Some(compile().await?),
    };
    let try_out = || {
        let room = Arc::clone(room);
        async move {
            let tried = aside("inspection", async move { try_out(&room, digest).await }).await;
            tried.unwrap_or_else(|failure| Err(host(failure)))
        }
    };
    let mut tried = try_out().await;
    let is_to_be_made_again = match &tried {
        Ok(Some(_)) => false,
        // The same bytes have just been removed, or refused, for somebody else.
        Ok(None) => true,
        // What was there may be another compiler's, or too much for this host: its own tells.
        Err(refusal) => compile_ms.is_none() && !refusal.is_passing(),
    };
    if is_to_be_made_again {
        compile_ms = Some(compile().await?);
        tried = try_out().await;
    }
    let tried = tried.and_then(|tried| tried.ok_or_else(|| host(io::Error::other("the artifact is gone"))));
    let tried = tried.map_err(|refusal| refusal.of_contract(prescan.contract));
    drop(turn);
    // Others may have come to need it: it goes for what is wrong with it alone.
    if tried.as_ref().is_err_and(|refusal| !refusal.is_passing()) && !was_there {
        let artifacts = Arc::clone(&room.artifacts);
        blocking(move || artifacts.discard(&digest)).await.map_err(host)?;
    }
    let (component, schema, memory_bytes) = tried?;
    let needs = needs(room, component.ready(), memory_bytes);
    let artifact_bytes = component.ready().artifact_bytes;
    room.findings.forget(&digest);
    room.loaded.insert(component);
    Ok(Inspection {
        digest,
        contract: prescan.contract,
        schema,
        imports: prescan.imports,
        exports: prescan.exports,
        component_bytes,
        artifact_bytes,
        compile_ms,
        needs,
    })
}

fn needs(room: &Room, ready: &Ready, memory_bytes: u64) -> Needs {
    // A component without a number here gets its core modules from its imports, and none are offered.
    let counted = ready.pre.component().resources_required();
    let (memories, tables) = counted
        .as_ref()
        .map_or((0, 0), |counted| (counted.num_memories, counted.num_tables));
    Needs {
        memories,
        memory_bytes,
        tables,
        table_elements: counted.and_then(|counted| counted.max_initial_table_size).unwrap_or(0),
        is_large: Arc::ptr_eq(&ready.tier, &room.tiers.large),
    }
}

/// Makes the artifact that is on disk ready, instantiates it, and asks it for its schema. Answers also the memory of a fresh instance. `None`:
/// there is no artifact.
async fn try_out(room: &Room, digest: Digest) -> Result<Option<(Component, Option<String>, u64)>, Refusal> {
    let Some(component) = from_disk(room, digest).await? else {
        return Ok(None);
    };
    let ready = component.ready();
    // The thread stands back, and on a busy host it may wait long for its processor: that is no fault of the guest's.
    let limits = PluginLimits {
        wall_ms: room.limits.wall_ms.saturating_mul(WALL_FACTOR),
        ..room.limits.clone()
    };
    let setting = Setting {
        limits: &limits,
        ticker: &room.ticker,
        data_bytes: 0,
        accepted_at: Time::default(),
        seed: [0; 32],
    };
    // Names were checked, shapes show now.
    let (fits, facts) = in_fresh_instance(ready, &setting, async |store, instance| Ok(ready.transform.fits(store, &instance))).await;
    fits.map_err(|fault| Refusal::Faulty {
        stage: Stage::Instantiation,
        fault,
    })?
    .map_err(|error| wrong_shape("transform", &error))?;
    let Some(schema) = Schema::of(ready.pre.component()) else {
        return Ok(Some((component, None, facts.memory_bytes)));
    };
    let (schema, _) = in_fresh_instance(ready, &setting, async |store, instance| match schema.function(store, &instance) {
        Ok(schema) => schema.call_async(store, ()).await.map(|(schema,)| Ok(schema)),
        Err(error) => Ok(Err(error)),
    })
    .await;
    let schema = schema
        .map_err(|fault| Refusal::Faulty {
            stage: Stage::Schema,
            fault,
        })?
        .map_err(|error| wrong_shape("schema", &error))?;
    let question = Question { schema, config: None };
    match room.compiler.judge(&question).await.map_err(too_complex)? {
        Verdict::Valid => Ok(Some((component, Some(question.schema), facts.memory_bytes))),
        Verdict::BadSchema { message } | Verdict::BadConfig { message, .. } => Err(Refusal::BadSchema { message }),
    }
}

/// Makes a component ready from its artifact, if there is one.
pub(crate) async fn from_disk(room: &Room, digest: Digest) -> Result<Option<Component>, Refusal> {
    let _read = room.reads.acquire().await.expect("nobody closes it");
    let artifacts = Arc::clone(&room.artifacts);
    let tiers = room.tiers.clone();
    blocking(move || {
        let Some(artifact) = artifacts.find(&digest)? else {
            return Ok(Ok(None));
        };
        // What does not fit the small slots may fit the large ones; what is wrong for another reason fails twice.
        let ready = make_ready(&tiers.small, digest, &artifact).or_else(|_| make_ready(&tiers.large, digest, &artifact));
        Ok(ready.map(Some))
    })
    .await
    .map_err(host)?
}

fn make_ready(tier: &Arc<Tier>, digest: Digest, artifact: &Verified) -> Result<Component, Refusal> {
    let component = map(&tier.engine, artifact).map_err(|error| match io_error(&error) {
        Some(error) => host(error),
        None => Refusal::NeedsTooMuch {
            message: format!("{error:#}"),
        },
    })?;
    link(tier, digest, &component, artifact.bytes, artifact.tables_bytes())
}

/// Makes a component ready for instances on that engine.
pub(crate) fn link(
    tier: &Arc<Tier>,
    digest: Digest,
    component: &wasmtime::component::Component,
    artifact_bytes: u64,
    tables_bytes: u64,
) -> Result<Component, Refusal> {
    let pre = tier.linker.instantiate_pre(component).map_err(|error| Refusal::ImportMismatch {
        message: format!("{error:#}"),
    })?;
    let transform = Transform::of(component).ok_or_else(|| Refusal::WrongShape {
        message: NO_TRANSFORM.to_owned(),
    })?;
    Ok(Component::new(Ready {
        digest,
        pre,
        transform,
        tier: Arc::clone(tier),
        artifact_bytes,
        tables_bytes,
    }))
}

/// The system's error, if that is what it was: no memory to map into, no file to be had.
fn io_error(error: &wasmtime::Error) -> Option<io::Error> {
    let of_system = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Errno>().map(|errno| errno.raw_os_error()));
    let of_std = || error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    of_system.or_else(of_std).map(io::Error::from_raw_os_error)
}

const NO_TRANSFORM: &str = "the interface `hookmill:plugin/transformer` has no function `transform`";

fn wrong_shape(function: &str, error: &wasmtime::Error) -> Refusal {
    Refusal::WrongShape {
        message: format!("`{function}`: {error:#}"),
    }
}

/// A schema that can not even be judged within the limits.
fn too_complex(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::CompileLimit { .. } | Refusal::CompileFailed { .. } => Refusal::BadSchema {
            message: "it is too complex to be judged".to_owned(),
        },
        other => other,
    }
}
