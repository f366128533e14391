//! WASI 0.2 with nothing granted: guests of most toolchains import it whether they use it or not.
//!
//! Clocks, randomness, waiting, standard output and error are the house's own, and deterministic. Environment, arguments, standard
//! input, files and sockets are wasmtime's, empty or denied: no directory is open, no socket can be made, no name looked up. HTTP is
//! not offered. None of it is made before a guest asks for it.

mod clocks;
mod random;
mod stdio;

use std::sync::Arc;

use hookmill_domain::time::Time;
use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks as wasi_clocks, filesystem, random as wasi_random, sockets};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io;

use crate::sandbox::Sandbox;
use clocks::Clock;
use random::Random;

/// The most resources that a call holds at once: streams, timers.
const RESOURCES_MAX: usize = 4096;

/// The state behind WASI in one call.
pub(crate) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    clock: Arc<Clock>,
    random: Random,
    insecure: Random,
}

impl Wasi {
    pub(crate) fn new(accepted_at: Time, seed: [u8; 32]) -> Wasi {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Wasi {
            context: WasiCtx::builder()
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build(),
            table,
            clock: Arc::new(Clock::standing_at(accepted_at)),
            random: Random::secure(seed),
            insecure: Random::insecure(seed),
        }
    }
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView {
            ctx: &mut wasi.context,
            table: &mut wasi.table,
        }
    }
}

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Links every interface of WASI that is offered.
pub(crate) fn link(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    type Own = HasSelf<Sandbox>;
    let l = linker;

    wasi_clocks::wall_clock::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;
    wasi_clocks::monotonic_clock::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;
    wasi_random::random::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;
    wasi_random::insecure::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;
    wasi_random::insecure_seed::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;
    io::poll::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;
    cli::stdout::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;
    cli::stderr::add_to_linker::<_, Own>(l, |sandbox| sandbox)?;

    io::error::add_to_linker::<_, HasTable>(l, |sandbox| sandbox.ctx().table)?;
    io::streams::add_to_linker::<_, HasTable>(l, |sandbox| sandbox.ctx().table)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, Sandbox::cli)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, Sandbox::filesystem)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, Sandbox::filesystem)?;
    sockets::network::add_to_linker::<_, WasiSockets>(l, &sockets::network::LinkOptions::default(), Sandbox::sockets)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(l, Sandbox::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, Sandbox::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(l, Sandbox::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, Sandbox::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(l, Sandbox::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, Sandbox::sockets)?;
    Ok(())
}
