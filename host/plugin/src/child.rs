//! The body of the child process: compiles one component, or judges one configuration, and ends.
//!
//! It is the same binary, started with pipes and an environment that says nothing of the host. Before it reads a byte it takes its own limits: CPU time,
//! address space, no files to write, no core dump; and then it is sealed: it opens no file, no socket and no process. It knows no secret, and
//! what comes out of it is checked for size alone: the host trusts the compiler, not the component (`mapping.rs` says in what).

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use hookmill_domain::outcome::cut;
use rustix::process::{Resource, Rlimit, nice, setrlimit};

use crate::engine::{self, Metering};
use crate::schema::{self, Question};
use crate::seal::seal;

/// File descriptors of the child: its three pipes, and a few for the moment in which the linker or the engine looks at the machine.
const FILES_MAX: u64 = 16;
/// How many times its CPU time a child may take on a busy machine.
const WALL_FACTOR: u64 = 10;
/// The same for one that stands back behind everything else.
const WALL_FACTOR_AHEAD: u64 = 100;

/// How many steps of niceness a child takes, so that deliveries go before compiling.
pub(crate) const NICENESS: u64 = 10;
/// The same for what nobody waits for: the most there is.
pub(crate) const NICENESS_AHEAD: u64 = 19;

/// The longest message of a child, on standard error.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;

/// What the child is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// A component comes in, an artifact for engines of that kind goes out.
    Compile(Metering),
    /// A question comes in, a verdict goes out.
    Judge,
}

impl Job {
    const ALL: [Job; 3] = [Job::Compile(Metering::Epochs), Job::Compile(Metering::Fuel), Job::Judge];

    /// As the first argument names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Job::Compile(Metering::Epochs) => "compile",
            Job::Compile(Metering::Fuel) => "compile-with-fuel",
            Job::Judge => "judge",
        }
    }
}

/// What a child may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildLimits {
    pub(crate) cpu_seconds: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) input_bytes_max: u64,
    /// How many steps it stands back behind the host's other work.
    pub(crate) niceness: u64,
}

impl ChildLimits {
    /// How long the child may take, whatever else the machine does.
    pub(crate) fn wall_seconds(&self) -> u64 {
        let factor = if self.niceness < NICENESS_AHEAD {
            WALL_FACTOR
        } else {
            WALL_FACTOR_AHEAD
        };
        self.cpu_seconds.saturating_mul(factor)
    }

    /// As the arguments after the job's name.
    pub(crate) fn args(&self) -> [String; 4] {
        [self.cpu_seconds, self.memory_bytes, self.input_bytes_max, self.niceness].map(|limit| limit.to_string())
    }
}

/// The whole life of the child process. A binary calls it from its hidden subcommand with the arguments that follow the
/// subcommand's name, before it starts any thread; the process ends with the code that comes back.
///
/// The component comes by standard input, the artifact goes to standard output, what is wrong with it to standard error.
pub fn compile_child(args: impl IntoIterator<Item = String>) -> ExitCode {
    let done = parse(args).and_then(|(job, limits)| {
        limit(&limits).map_err(|error| format!("the process can not limit itself: {error}"))?;
        run(job, &limits)
    });
    match done {
        Ok(output) => match io::stdout().write_all(&output).and_then(|()| io::stdout().flush()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(mut message) => {
            cut(&mut message, MESSAGE_BYTES_MAX);
            // Where the host is gone, nobody reads it.
            let _ = io::stderr().write_all(message.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn parse(args: impl IntoIterator<Item = String>) -> Result<(Job, ChildLimits), String> {
    let args: Vec<String> = args.into_iter().collect();
    let [job, limits @ ..] = args.as_slice() else {
        return Err("it is a part of the host, not a command".to_owned());
    };
    let job = Job::ALL.into_iter().find(|known| known.name() == job);
    let limits: Option<Vec<u64>> = limits.iter().map(|limit| limit.parse().ok()).collect();
    match (job, limits.as_deref()) {
        (Some(job), Some(&[cpu_seconds, memory_bytes, input_bytes_max, niceness])) => Ok((
            job,
            ChildLimits {
                cpu_seconds,
                memory_bytes,
                input_bytes_max,
                niceness,
            },
        )),
        _ => Err("it is a part of the host, not a command".to_owned()),
    }
}

fn limit(limits: &ChildLimits) -> io::Result<()> {
    // The soft limit of CPU time sends a signal that tells the parent which limit it was; the hard one kills.
    let cpu = Rlimit {
        current: Some(limits.cpu_seconds),
        maximum: Some(limits.cpu_seconds + 1),
    };
    let at_most = |max: u64| Rlimit {
        current: Some(max),
        maximum: Some(max),
    };
    // It stands in no terminal's process group, so what ends its host at once would leave it behind. (The kernel looks at the thread that
    // started it, which is one of the runtime's own and lives as long as that.)
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    setrlimit(Resource::Cpu, cpu)?;
    setrlimit(Resource::As, at_most(limits.memory_bytes))?;
    setrlimit(Resource::Fsize, at_most(0))?;
    setrlimit(Resource::Core, at_most(0))?;
    setrlimit(Resource::Nofile, at_most(FILES_MAX))?;
    setrlimit(Resource::Nproc, at_most(0))?;
    nice(i32::try_from(limits.niceness).unwrap_or(i32::MAX))?;
    seal()
}

fn run(job: Job, limits: &ChildLimits) -> Result<Vec<u8>, String> {
    let mut input = Vec::new();
    io::stdin()
        .take(limits.input_bytes_max.saturating_add(1))
        .read_to_end(&mut input)
        .map_err(|error| format!("the input can not be read: {error}"))?;
    if input.len() as u64 > limits.input_bytes_max {
        return Err(format!("the input has more than {} bytes", limits.input_bytes_max));
    }
    match job {
        Job::Compile(metering) => {
            let engine = engine::compiling(metering).map_err(|error| format!("there is no compiler: {error:#}"))?;
            engine.precompile_component(&input).map_err(|error| format!("{error:#}"))
        }
        Job::Judge => {
            let question: Question = serde_json::from_slice(&input).map_err(|error| format!("the question is none: {error}"))?;
            serde_json::to_vec(&schema::judge(&question)).map_err(|error| format!("the verdict can not be told: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_back() {
        let limits = ChildLimits {
            cpu_seconds: 1,
            memory_bytes: 2,
            input_bytes_max: 3,
            niceness: 4,
        };
        for job in Job::ALL {
            let args = [job.name().to_owned()].into_iter().chain(limits.args());
            let (parsed, limits) = parse(args).expect("its own arguments");
            assert_eq!(
                (
                    parsed,
                    limits.cpu_seconds,
                    limits.memory_bytes,
                    limits.input_bytes_max,
                    limits.niceness
                ),
                (job, 1, 2, 3, 4)
            );
        }
        assert!(parse(["compile".to_owned()]).is_err());
        assert!(parse([]).is_err());
    }
}
