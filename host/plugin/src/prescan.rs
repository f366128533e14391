//! A look at an upload's bytes before anything is compiled: what it is, what it asks for, what it offers.
//!
//! It parses and does not validate; it costs milliseconds and refuses by name what can not run here. What only the compiler can tell
//! is left to the child process and its limits.

use hookmill_domain::outcome::cut;
use wasmparser::{ElementItems, ElementKind, Encoding, Parser, Payload};

use crate::contract::{ContractVersion, TRANSFORMER, VERSIONS};
use crate::refusal::{LimitName, Refusal};

/// Components nested in components: 20,000 levels take a compiler 8 GB. Toolchains use two or three.
const DEPTH_MAX: usize = 16;
/// Modules and components in one upload. Python brings 38.
const PARTS_MAX: usize = 1000;
/// Sections in one upload, function bodies not counted.
const SECTIONS_MAX: usize = 100_000;
/// Imports and exports of the component itself.
const NAMES_MAX: usize = 1000;

/// Bytes of all sections but code, data and custom ones. Each becomes up to some 25 bytes of memory of whoever loads the component (an export
/// of four letters takes 110), beside its artifact. Those of Python are 0.3 MiB.
const TABLES_BYTES_MAX: usize = 1024 * 1024;
/// Elements of passive segments: the engine keeps 16 bytes of each for every core instance of a call, of which there are 200 at most, and
/// no limit of a call's memory counts them. Toolchains make active ones.
const PASSIVE_ELEMENTS_MAX: usize = 1000;

/// What can be imported, by interface and the part of the version that must agree.
const OFFERED: [(&str, &str); 29] = [
    ("hookmill:plugin/log", "1"),
    ("hookmill:plugin/types", "1"),
    ("wasi:cli/environment", "0.2"),
    ("wasi:cli/exit", "0.2"),
    ("wasi:cli/stderr", "0.2"),
    ("wasi:cli/stdin", "0.2"),
    ("wasi:cli/stdout", "0.2"),
    ("wasi:cli/terminal-input", "0.2"),
    ("wasi:cli/terminal-output", "0.2"),
    ("wasi:cli/terminal-stderr", "0.2"),
    ("wasi:cli/terminal-stdin", "0.2"),
    ("wasi:cli/terminal-stdout", "0.2"),
    ("wasi:clocks/monotonic-clock", "0.2"),
    ("wasi:clocks/wall-clock", "0.2"),
    ("wasi:filesystem/preopens", "0.2"),
    ("wasi:filesystem/types", "0.2"),
    ("wasi:io/error", "0.2"),
    ("wasi:io/poll", "0.2"),
    ("wasi:io/streams", "0.2"),
    ("wasi:random/insecure", "0.2"),
    ("wasi:random/insecure-seed", "0.2"),
    ("wasi:random/random", "0.2"),
    ("wasi:sockets/instance-network", "0.2"),
    ("wasi:sockets/ip-name-lookup", "0.2"),
    ("wasi:sockets/network", "0.2"),
    ("wasi:sockets/tcp", "0.2"),
    ("wasi:sockets/tcp-create-socket", "0.2"),
    ("wasi:sockets/udp", "0.2"),
    ("wasi:sockets/udp-create-socket", "0.2"),
];

/// What an upload says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prescan {
    /// The version of the contract that it was built against.
    pub(crate) contract: ContractVersion,
    /// The names of its imports.
    pub(crate) imports: Vec<String>,
    /// The names of its exports.
    pub(crate) exports: Vec<String>,
}

/// Looks at an upload.
pub(crate) fn prescan(bytes: &[u8]) -> Result<Prescan, Refusal> {
    if !bytes.starts_with(b"\0asm") {
        return Err(Refusal::NotAComponent { what: what_else(bytes) });
    }
    let mut imports = Vec::new();
    let mut exports = Vec::new();
    let mut depth = 0_usize;
    let mut parts = 0;
    let mut sections = 0;
    let mut tables_bytes = 0_usize;
    let mut passive_elements = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        if is_table(&payload)
            && let Some((_, range)) = payload.as_section()
        {
            tables_bytes = tables_bytes.saturating_add(range.len());
        }
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => return Err(Refusal::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                parts += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                bounded(LimitName::Names, imports.len() + section.count() as usize, NAMES_MAX)?;
                for import in section {
                    imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                bounded(LimitName::Names, exports.len() + section.count() as usize, NAMES_MAX)?;
                for export in section {
                    exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element.map_err(malformed)?;
                    if matches!(element.kind, ElementKind::Passive) {
                        passive_elements = passive_elements.saturating_add(match element.items {
                            ElementItems::Functions(items) => items.count() as usize,
                            ElementItems::Expressions(_, items) => items.count() as usize,
                        });
                    }
                }
            }
            Payload::CodeSectionEntry(_) => continue,
            _ => {}
        }
        sections += 1;
        bounded(LimitName::Depth, depth, DEPTH_MAX)?;
        bounded(LimitName::Parts, parts, PARTS_MAX)?;
        bounded(LimitName::Sections, sections, SECTIONS_MAX)?;
        bounded(LimitName::TablesBytes, tables_bytes, TABLES_BYTES_MAX)?;
        bounded(LimitName::PassiveElements, passive_elements, PASSIVE_ELEMENTS_MAX)?;
    }
    // What is built for another version imports that version's interfaces, too: the version is what is wrong with it.
    let contract = contract(&exports)?;
    if let Some(name) = imports.iter().find(|name| !is_offered(name)) {
        return Err(Refusal::ImportNotOffered {
            name: shown(name),
            hint: hint(name),
        });
    }
    Ok(Prescan {
        contract,
        imports,
        exports,
    })
}

/// Whether it is what an engine makes tables of: not code or data, nor what tools have left, nor a part that has sections of its own.
fn is_table(payload: &Payload<'_>) -> bool {
    !matches!(
        payload,
        Payload::CodeSectionStart { .. }
            | Payload::DataSection(_)
            | Payload::CustomSection(_)
            | Payload::ModuleSection { .. }
            | Payload::ComponentSection { .. }
    )
}

/// The highest version among the exports that this host speaks.
fn contract(exports: &[String]) -> Result<ContractVersion, Refusal> {
    let found: Vec<&str> = exports.iter().filter_map(|name| version_of(name, TRANSFORMER)).collect();
    let spoken = |version: &ContractVersion| VERSIONS.iter().any(|known| known.major == version.major);
    match found.iter().filter_map(|text| ContractVersion::parse(text)).filter(spoken).max() {
        Some(version) => Ok(version),
        None if found.is_empty() => Err(Refusal::WrongWorld {
            exports: exports.iter().map(|name| shown(name)).collect(),
        }),
        None => Err(Refusal::UnsupportedVersion {
            found: shown(&found.join(", ")),
        }),
    }
}

fn is_offered(name: &str) -> bool {
    let offered = OFFERED.iter();
    #[cfg(test)]
    let offered = offered.chain(&crate::contract::older::OFFERED);
    { offered }.any(|(interface, track)| {
        version_of(name, interface)
            .and_then(|version| version.strip_prefix(track))
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn version_of<'a>(name: &'a str, interface: &str) -> Option<&'a str> {
    name.strip_prefix(interface)?.strip_prefix('@')
}

fn hint(name: &str) -> Option<&'static str> {
    if name.starts_with("wasi:http/") {
        return Some("plugins have no network; with componentize-js, build with `-d http -d fetch-event`");
    }
    if name.starts_with("hookmill:plugin/") {
        return Some("no version of the contract that this host knows has it");
    }
    name.starts_with("wasi:")
        .then_some("WASI is offered in version 0.2: cli, clocks, filesystem, io, random, sockets")
}

/// A name as an error tells it: names have no limit of their own.
fn shown(name: &str) -> String {
    const NAME_BYTES_MAX: usize = 200;
    let mut name = name.to_owned();
    cut(&mut name, NAME_BYTES_MAX);
    name
}

fn bounded(limit: LimitName, value: usize, max: usize) -> Result<(), Refusal> {
    if value > max {
        Err(Refusal::TooComplex { limit, max })
    } else {
        Ok(())
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal::Malformed {
        message: error.to_string(),
    }
}

fn what_else(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "it is empty",
        [0x7f, b'E', b'L', b'F', ..] => "it is a compiled artifact; upload the component itself",
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is compressed",
        [b'(', ..] => "it is the text format; upload the binary",
        _ => "it does not begin as WebAssembly does",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Prescan, Refusal> {
        prescan(&wat::parse_str(text).expect("well-formed text"))
    }

    const EXPORT: &str = r#"(instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i))"#;

    #[test]
    fn imports_and_the_contract_are_read() {
        let text = format!(r#"(component (import "wasi:cli/stdout@0.2.77" (instance)) {EXPORT})"#);
        let prescan = scan(&text).expect("a plugin");
        assert_eq!(prescan.contract.to_string(), "1.0.0");
        assert_eq!(prescan.imports, ["wasi:cli/stdout@0.2.77"]);
        assert_eq!(prescan.exports, ["hookmill:plugin/transformer@1.0.0"]);
    }

    #[test]
    fn the_highest_known_version_is_taken() {
        let names = |names: &[&str]| -> Vec<String> { names.iter().map(|name| format!("{TRANSFORMER}@{name}")).collect() };
        assert_eq!(contract(&names(&["1.0.0", "1.4.0", "7.0.0"])).expect("known").to_string(), "1.4.0");
        assert!(matches!(contract(&names(&["2.0.0"])), Err(Refusal::UnsupportedVersion { found }) if found == "2.0.0"));
        assert!(matches!(contract(&names(&["1.0.0-rc1"])), Err(Refusal::UnsupportedVersion { .. })));
        assert!(matches!(contract(&["run".to_owned()]), Err(Refusal::WrongWorld { .. })));
    }

    #[test]
    fn what_takes_memory_outside_of_every_limit_is_bounded() {
        let with = |fields: &str| scan(&format!("(component {EXPORT} (core module {fields}))"));
        let funcs = |count: usize| "$f ".repeat(count);
        let passive = |count| with(&format!("(func $f) (elem func {0}) (elem func {0})", funcs(count)));
        passive(500).expect("few");
        assert!(matches!(
            passive(501),
            Err(Refusal::TooComplex {
                limit: LimitName::PassiveElements,
                ..
            })
        ));
        let nulls = "(ref.null func) ".repeat(1001);
        assert!(with(&format!("(elem funcref {nulls})")).is_err());
        let active = format!("(func $f) (table 2000 funcref) (elem (i32.const 0) func {})", funcs(2000));
        with(&active).expect("the table counts for these");

        let exports = |count: usize| -> String { (0..count).map(|number| format!(r#"(export "{number:08}" (func 0))"#)).collect() };
        with(&format!("(func) {}", exports(80_000))).expect("0.9 MiB");
        assert!(matches!(
            with(&format!("(func) {}", exports(100_000))),
            Err(Refusal::TooComplex {
                limit: LimitName::TablesBytes,
                ..
            })
        ));
        // Code, data and what tools leave behind have limits of their own.
        with(&format!(r#"(memory 100) (data (i32.const 0) "{}")"#, "x".repeat(2 << 20))).expect("data");
        with(&format!(r#"(@custom "name" "{}")"#, "x".repeat(2 << 20))).expect("a custom section");
    }

    #[test]
    fn imports_that_are_not_offered_are_named() {
        for (name, hinted) in [
            ("wasi:http/types@0.2.0", true),
            ("wasi:cli/stdout@0.3.0", true),
            ("wasi:cli/stdout@0.20.0", true),
            ("wasi:cli/stdout", true),
            ("hookmill:plugin/log@2.0.0", true),
            ("env", false),
        ] {
            let text = format!(r#"(component (import "{name}" (instance)) {EXPORT})"#);
            let Err(Refusal::ImportNotOffered { name: refused, hint }) = scan(&text) else {
                panic!("{name} is offered")
            };
            assert_eq!((refused.as_str(), hint.is_some()), (name, hinted));
        }
    }

    #[test]
    fn what_is_no_component_is_refused() {
        assert!(matches!(scan("(module)"), Err(Refusal::CoreModule)));
        assert!(matches!(prescan(b"\x7fELF...."), Err(Refusal::NotAComponent { .. })));
        assert!(matches!(prescan(b""), Err(Refusal::NotAComponent { .. })));
        let whole = wat::parse_str(format!("(component {EXPORT})")).expect("well-formed text");
        for end in 4..whole.len() {
            // What ends between two sections is whole as far as it goes; behind the export there are names for people alone.
            match prescan(&whole[..end]) {
                Err(refusal) => assert!(
                    matches!(refusal, Refusal::Malformed { .. } | Refusal::WrongWorld { .. }),
                    "{refusal}"
                ),
                Ok(scanned) => assert_eq!(scanned, prescan(&whole).expect("a plugin")),
            }
        }
    }

    #[test]
    fn nesting_is_capped() {
        let nested = |depth: usize| format!("(component {}{} {EXPORT})", "(component ".repeat(depth), ")".repeat(depth));
        assert!(scan(&nested(DEPTH_MAX)).is_ok());
        assert!(matches!(
            scan(&nested(DEPTH_MAX + 1)),
            Err(Refusal::TooComplex {
                limit: LimitName::Depth,
                ..
            })
        ));
    }
}
