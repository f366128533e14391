//! Projects in C: bindings that are written here, clang with the C library of WASI, and the module wrapped into a component here.
//!
//! The C library speaks WASI's first version; an adapter, which is part of the component then, speaks the second to the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wit_bindgen_core::Files;
use wit_parser::Resolve;

use crate::component::{self, Adapter};
use crate::project::Description;
use crate::scripts::{output, run};
use crate::{BuildError, FileKind, write_whole};

/// What is looked for, and where it comes from.
const TOOL: &str = "clang with a C library for WebAssembly";
const HINT: &str = "the WASI SDK has it (set WASI_SDK_PATH), on Debian \
                    `apt-get install --no-install-recommends clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32`";

/// Where it should lie.
const SDK_HINT: &str = "a WASI SDK has it as `bin/clang`; without that variable, a compiler on the PATH is taken";

/// What the C library for WebAssembly is called: by the WASI SDK, and by older ones and Debian.
const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasi"];

/// Where the contract in C is written, below the project.
const BINDINGS: &str = "build/bindings";

/// The versions that distributions have in their compilers' names.
const VERSIONS: std::ops::RangeInclusive<u32> = 14..=24;

const FLAGS: [&str; 7] = [
    "-mexec-model=reactor",
    "-std=gnu17",
    "-Os",
    "-Wall",
    // A stack that is full ends the call, where it would overwrite data.
    "-Wl,--stack-first",
    "-Wl,-z,stack-size=262144",
    // The functions' names stay, for backtraces.
    "-Wl,--strip-debug",
];

/// Builds a project in C: every source file that lies beside the main one. Tells where the component lies.
pub(crate) fn build(dir: &Path, project: &Description) -> Result<PathBuf, BuildError> {
    let clang = Clang::find()?;
    let output = output(dir, project)?;
    write_bindings(dir, project)?;
    // Below the project as the sources are, for the same reason.
    let module = Path::new("build").join(format!("{}.module.wasm", project.name));
    let mut compile = Command::new(&clang.program);
    compile.arg(format!("--target={}", clang.target)).args(FLAGS);
    compile.args(["-I", BINDINGS]).args(sources(dir, &project.main)?);
    let bindings = Path::new(BINDINGS);
    compile.arg(bindings.join("plugin.c")).arg(bindings.join("plugin_component_type.o"));
    compile.arg("-o").arg(&module);
    run(dir, compile, "clang", HINT)?;
    let module = dir.join(module);
    let module = fs::read(&module).map_err(|source| BuildError::file(&module, source))?;
    let component = component::encode(&project.name, &module, Adapter::Wasi)?;
    write_whole(&output, &component, FileKind::Data)?;
    Ok(output)
}

/// A compiler that has the C library.
struct Clang {
    program: PathBuf,
    target: &'static str,
}

impl Clang {
    fn find() -> Result<Self, BuildError> {
        let with_target = |program: PathBuf| {
            let target = TARGETS.into_iter().find(|target| has_library(&program, target))?;
            Some(Self { program, target })
        };
        // Whoever names one means it: another compiler would make other bytes.
        if let Some(sdk) = std::env::var_os("WASI_SDK_PATH").filter(|sdk| !sdk.is_empty()) {
            return with_target(Path::new(&sdk).join("bin/clang")).ok_or_else(|| BuildError::NoTool {
                tool: format!("{TOOL} below WASI_SDK_PATH, {},", Path::new(&sdk).display()),
                hint: SDK_HINT,
            });
        }
        let mut programs = std::iter::once("clang".to_owned()).chain(VERSIONS.rev().map(|version| format!("clang-{version}")));
        programs
            .find_map(|program| with_target(program.into()))
            .ok_or_else(|| BuildError::NoTool {
                tool: TOOL.to_owned(),
                hint: HINT,
            })
    }
}

/// Whether a compiler is there, and finds the C library and its own for a target: it names whole paths then.
fn has_library(program: &Path, target: &str) -> bool {
    ["-print-file-name=libc.a", "-print-libgcc-file-name", "-print-prog-name=wasm-ld"]
        .iter()
        .all(|question| {
            let mut ask = Command::new(program);
            ask.arg(format!("--target={target}"))
                .arg(question)
                .stdin(Stdio::null())
                .stderr(Stdio::null());
            let path = ask.output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
            path.is_some_and(|path| Path::new(path.trim_end()).is_absolute() && Path::new(path.trim_end()).is_file())
        })
}

/// Every file of C in the folder of the main one, in an order that is the same each time. Their paths are below the project, since the
/// compiler writes them into the module.
fn sources(dir: &Path, main: &str) -> Result<Vec<PathBuf>, BuildError> {
    let below = Path::new(main).parent().unwrap_or(Path::new(""));
    let folder = dir.join(below);
    let failed = |source| BuildError::file(&folder, source);
    let mut sources = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let source = below.join(entry.map_err(failed)?.file_name());
        if source.extension().is_some_and(|extension| extension == "c") {
            sources.push(source);
        }
    }
    sources.sort();
    Ok(sources)
}

/// Writes the contract in C into the project's folder for what is built: `plugin.h`, `plugin.c` and an object with the component's type,
/// called so whichever world it is.
fn write_bindings(dir: &Path, project: &Description) -> Result<(), BuildError> {
    let files = bindings(&dir.join("wit"), &project.world).map_err(|source| BuildError::Bindings {
        world: project.world.clone(),
        source,
    })?;
    let folder = dir.join(BINDINGS);
    fs::create_dir_all(&folder).map_err(|source| BuildError::file(&folder, source))?;
    for (name, content) in files.iter() {
        write_whole(&folder.join(name), content, FileKind::Data)?;
    }
    Ok(())
}

fn bindings(wit: &Path, world: &str) -> anyhow::Result<Files> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let options = wit_bindgen_c::Opts {
        rename_world: Some("plugin".to_owned()),
        ..Default::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    Ok(files)
}
