//! Standard output and error go to the call's log. They are always ready, and fail only where a flood ends the call.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::cli::{stderr, stdout};
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::log::{Level, Log};
use crate::sandbox::{Sandbox, locked};

/// The most bytes that a guest writes at once.
const WRITE_BYTES_MAX: usize = 64 * 1024;

struct ToLog {
    log: Arc<Mutex<Log>>,
    level: Level,
}

#[wasmtime_wasi::async_trait]
impl Pollable for ToLog {
    async fn ready(&mut self) {}
}

impl OutputStream for ToLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut log = locked(&self.log);
        log.write(self.level, &bytes);
        log.within_limits().map_err(|limit| StreamError::Trap(limit.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl Sandbox {
    fn stream(&mut self, level: Level) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(ToLog {
            log: Arc::clone(self.log()),
            level,
        });
        Ok(self.wasi().table.push(stream)?)
    }
}

impl stdout::Host for Sandbox {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.stream(Level::Stdout)
    }
}

impl stderr::Host for Sandbox {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.stream(Level::Stderr)
    }
}
