//! One child process, from its start to its end: what it is given, what it puts out, and what its end means.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use hookmill_domain::outcome::cut;
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::Command;

use crate::child::{ChildLimits, Job, MESSAGE_BYTES_MAX};
use crate::compiling::host;
use crate::refusal::{CompileLimit, Refusal};

/// How the child process is started: this program with these arguments, to which the job's are added. The program's `main` hands
/// them to [`compile_child`](crate::compile_child).
#[derive(Debug, Clone)]
pub struct CompilerCommand {
    /// The program, usually the running one.
    pub program: PathBuf,
    /// The arguments that lead to [`compile_child`](crate::compile_child), usually the name of a hidden subcommand.
    pub args: Vec<OsString>,
    /// All that it finds in its environment.
    pub env: Vec<(OsString, OsString)>,
}

impl CompilerCommand {
    /// The running program itself with these arguments: the very binary that runs, even if another has taken its place on disk.
    pub fn this_program<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> io::Result<CompilerCommand> {
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe()?
        };
        Ok(CompilerCommand {
            program,
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
        })
    }
}

/// Runs a child to its end, which comes with this future's at the latest. Answers how many bytes it put out.
pub(crate) async fn run(
    command: &CompilerCommand,
    job: Job,
    limits: &ChildLimits,
    input: &[u8],
    output: &mut impl Sink,
    output_bytes_max: u64,
) -> Result<u64, Refusal> {
    let mut child = Command::new(&command.program)
        .args(&command.args)
        .arg(job.name())
        .args(limits.args())
        .env_clear()
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // Ctrl-C is for the host, which ends its children itself.
        .process_group(0)
        .spawn()
        .map_err(host)?;
    let piped = "it was spawned with pipes";
    let mut stdin = child.stdin.take().expect(piped);
    let stdout = child.stdout.take().expect(piped);
    let stderr = child.stderr.take().expect(piped);
    let wall_seconds = limits.wall_seconds();
    let write = async {
        // A child that ends early closes its pipe; how it ended is told by its status.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let mut message = Vec::new();
    let talk = async {
        let mut stderr = stderr.take(MESSAGE_BYTES_MAX as u64);
        let ((), size, _) = tokio::join!(write, drain(stdout, output, output_bytes_max), stderr.read_to_end(&mut message));
        let size = size.map_err(host)?;
        match size {
            Some(size) => Ok((size, child.wait().await.map_err(host)?)),
            None => Err(compile_limit(CompileLimit::Output {
                bytes_max: output_bytes_max,
            })),
        }
    };
    let (size, status) = tokio::time::timeout(Duration::from_secs(wall_seconds), talk)
        .await
        .map_err(|_| compile_limit(CompileLimit::Wall { wall_seconds }))??;
    if status.success() {
        return Ok(size);
    }
    Err(failure(status, String::from_utf8_lossy(&message).into_owned(), limits))
}

/// Where a child's output goes.
pub(crate) trait Sink: Send {
    async fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Sink for Vec<u8> {
    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// A file, and the digest of all that was written to it.
pub(crate) struct Hashing<W> {
    pub(crate) file: W,
    pub(crate) hash: Sha256,
}

impl<W: AsyncWrite + Unpin + Send> Sink for Hashing<W> {
    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes).await
    }
}

/// Takes all of it, or nothing more than `bytes_max` (`None`).
async fn drain(mut from: impl AsyncRead + Unpin, to: &mut impl Sink, bytes_max: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(Some(size));
        }
        size += read as u64;
        if size > bytes_max {
            return Ok(None);
        }
        to.put(&buffer[..read]).await?;
    }
}

/// What the end of a child that did not succeed means.
fn failure(status: ExitStatus, mut message: String, limits: &ChildLimits) -> Refusal {
    let memory = CompileLimit::Memory {
        memory_bytes: limits.memory_bytes,
    };
    // A failed allocation ends a Rust process by SIGABRT, a full stack by SIGSEGV or SIGABRT: what it needed was memory.
    match status.signal() {
        Some(XCPU) => compile_limit(CompileLimit::Cpu {
            cpu_seconds: limits.cpu_seconds,
        }),
        Some(signal) if FROM_OUTSIDE.contains(&signal) => host(io::Error::other(format!(
            "the process that works on a component was ended from outside, by signal {signal}"
        ))),
        Some(_) => compile_limit(memory),
        None if message.contains("Cannot allocate memory") => compile_limit(memory),
        None => {
            cut(&mut message, MESSAGE_BYTES_MAX);
            Refusal::CompileFailed { message }
        }
    }
}

const XCPU: i32 = Signal::XCPU.as_raw();

/// Signals that come from whoever ends processes, an operator, the service's manager or a kernel that is short of memory, and say nothing of
/// the component. (The kernel also kills a process at the hard limit of its CPU time, but XCPU has ended it by then.)
const FROM_OUTSIDE: [i32; 5] = [
    Signal::KILL.as_raw(),
    Signal::TERM.as_raw(),
    Signal::INT.as_raw(),
    Signal::HUP.as_raw(),
    Signal::QUIT.as_raw(),
];

fn compile_limit(limit: CompileLimit) -> Refusal {
    Refusal::CompileLimit { limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_child_from_outside_says_nothing_of_the_component() {
        let limits = ChildLimits {
            cpu_seconds: 1,
            memory_bytes: 2,
            input_bytes_max: 3,
            niceness: 4,
        };
        // As `wait` tells it: the number of the signal in the low bits.
        let ended_by = |signal: Signal| failure(ExitStatus::from_raw(signal.as_raw()), String::new(), &limits);
        for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            assert!(ended_by(signal).is_passing(), "{signal:?}");
        }
        for signal in [Signal::ABORT, Signal::SEGV] {
            let limit = CompileLimit::Memory { memory_bytes: 2 };
            assert!(
                matches!(ended_by(signal), Refusal::CompileLimit { limit: met } if met == limit),
                "{signal:?}"
            );
        }
        let limit = CompileLimit::Cpu { cpu_seconds: 1 };
        assert!(matches!(ended_by(Signal::XCPU), Refusal::CompileLimit { limit: met } if met == limit));
    }
}
