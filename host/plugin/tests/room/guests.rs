//! Small guests in WebAssembly text, made into components as toolchains do it: a core module by the canonical ABI's names, and the world
//! that it was written for.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../wit/hookmill-plugin.wit");

/// The parts of WASI that guests here use, in the order of their dependencies.
const WASI: [&str; 6] = [
    "package wasi:io@0.2.6;
     interface poll {
         resource pollable { ready: func() -> bool; block: func(); }
         poll: func(in: list<borrow<pollable>>) -> list<u32>;
     }
     interface error { resource error { to-debug-string: func() -> string; } }
     interface streams {
         use error.{error};
         variant stream-error { last-operation-failed(error), closed }
         resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
         resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
     }",
    "package wasi:clocks@0.2.6;
     interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
     interface monotonic-clock {
         use wasi:io/poll@0.2.6.{pollable};
         now: func() -> u64;
         subscribe-duration: func(when: u64) -> pollable;
     }",
    "package wasi:random@0.2.6;
     interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
     interface insecure { get-insecure-random-u64: func() -> u64; }
     interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }",
    "package wasi:cli@0.2.6;
     interface exit { exit: func(status: result); }
     interface stdin { use wasi:io/streams@0.2.6.{input-stream}; get-stdin: func() -> input-stream; }
     interface stdout { use wasi:io/streams@0.2.6.{output-stream}; get-stdout: func() -> output-stream; }
     interface stderr { use wasi:io/streams@0.2.6.{output-stream}; get-stderr: func() -> output-stream; }
     interface environment {
         get-environment: func() -> list<tuple<string, string>>;
         get-arguments: func() -> list<string>;
     }",
    "package wasi:filesystem@0.2.6;
     interface types { resource descriptor; }
     interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }",
    "package wasi:sockets@0.2.6;
     interface network {
         enum error-code {
             unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict, not-in-progress,
             would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use, remote-unreachable, connection-refused,
             connection-reset, connection-aborted, datagram-too-large, name-unresolvable, temporary-resolver-failure,
             permanent-resolver-failure
         }
         enum ip-address-family { ipv4, ipv6 }
     }
     interface tcp { resource tcp-socket; }
     interface tcp-create-socket {
         use network.{error-code, ip-address-family};
         use tcp.{tcp-socket};
         create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
     }
     interface udp { resource udp-socket; }
     interface udp-create-socket {
         use network.{error-code, ip-address-family};
         use udp.{udp-socket};
         create-udp-socket: func(address-family: ip-address-family) -> result<udp-socket, error-code>;
     }",
];

/// What a guest is made of. The text of a core module's functions, and the world around it.
#[derive(Default)]
pub(crate) struct Guest<'a> {
    /// Further lines of the world: what it imports.
    pub(crate) world: &'a str,
    /// Core imports.
    pub(crate) imports: &'a str,
    /// Pages of memory at the start; 0 means 2.
    pub(crate) pages: u32,
    /// Further definitions.
    pub(crate) items: &'a str,
    /// The body of `transform`: `$args` points to the parameters; it leaves a pointer to the outcome.
    pub(crate) transform: &'a str,
}

impl<'a> Guest<'a> {
    /// One that is its `transform` alone.
    pub(crate) fn of(transform: &'a str) -> Guest<'a> {
        Guest {
            transform,
            ..Guest::default()
        }
    }

    /// One that skips, with these further definitions.
    pub(crate) fn defining(items: &'a str) -> Guest<'a> {
        Guest {
            items,
            transform: SKIP,
            ..Guest::default()
        }
    }
}

impl Guest<'_> {
    /// The component's bytes.
    pub(crate) fn build(&self) -> Vec<u8> {
        component(
            &self.module(),
            &format!("world guest {{ {} export hookmill:plugin/transformer@1.0.0; }}", self.world),
        )
    }

    /// The core module's text.
    pub(crate) fn module(&self) -> String {
        let Guest {
            imports, items, transform, ..
        } = self;
        let pages = self.pages.max(2);
        format!(
            r#"(module
                {imports}
                (memory (export "memory") {pages})
                (global $next (mut i32) (i32.const 8192))
                (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (block $fits
                        (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
                        (drop (memory.grow (i32.div_u (i32.add (local.get 3) (i32.const 131071)) (i32.const 65536)))))
                    (local.get $at))
                {items}
                (func $transform (export "hookmill:plugin/transformer@1.0.0#transform") (param $args i32) (result i32)
                    {transform}))"#
        )
    }
}

/// Stores a request with that text as its body (JSON) at 1024 and an outcome of it at 512, `count` times the same request.
pub(crate) fn deliver(ptr: &str, len: &str) -> String {
    format!(
        "(i32.store (i32.const 1028) {ptr}) (i32.store (i32.const 1032) {len})
         (i32.store (i32.const 516) (i32.const 1024)) (i32.store (i32.const 520) (i32.const 1))
         (i32.const 512)"
    )
}

/// Skips, with a reason of no text.
pub(crate) const SKIP: &str = "(i32.store8 (i32.const 512) (i32.const 1)) (i32.const 512)";

/// A core module and its world, encoded.
pub(crate) fn component(module: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).expect("well-formed text");
    let mut resolve = Resolve::default();
    for package in WASI.into_iter().chain([CONTRACT]) {
        resolve.push_str("dependency.wit", package).expect("a WIT package");
    }
    let package = resolve
        .push_str("guest.wit", &format!("package test:guest; {world}"))
        .expect("a WIT package");
    let world = resolve.select_world(&[package], Some("guest")).expect("the guest's world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embedded");
    let encoder = ComponentEncoder::default().module(&module).expect("a module of that world");
    encoder.validate(true).encode().expect("a component")
}

/// A guest that takes seconds to compile.
pub(crate) fn slow_guest() -> bytes::Bytes {
    let line = "(local.set $x (i32.add (i32.mul (local.get $x) (i32.const 31)) (i32.load (local.get $x))))";
    let items = format!("(func (param $x i32) (result i32) {} (local.get $x))", line.repeat(20_000));
    Guest::defining(&items).build().into()
}
