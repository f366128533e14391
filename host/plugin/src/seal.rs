//! Seals the child process against the machine: after it, the process computes, reads and writes what is open, and asks for memory. Every
//! other call of the system is refused: it opens no file, no socket, no process, and sends no signal to another.
//!
//! It is a list of what is allowed (seccomp(2), mode filter), so that a call which a newer kernel brings is refused, too. What is refused
//! gets an error and is not killed: the allocator and the standard library try some calls that they can do without.

use std::io;

/// Seals this process, for good.
#[cfg(target_os = "linux")]
pub(crate) fn seal() -> io::Result<()> {
    use std::collections::BTreeMap;

    use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch};

    let broken = |error: seccompiler::BackendError| io::Error::other(error.to_string());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // An abort signals the process itself, which the host reads as running out of memory.
    let own = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(std::process::id())).map_err(broken)?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own]).map_err(broken)?]);
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(broken)?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch).map_err(broken)?;
    let program: seccompiler::BpfProgram = filter.try_into().map_err(broken)?;
    seccompiler::apply_filter(&program).map_err(|error| io::Error::other(error.to_string()))
}

/// There is no such filter here: the limits of resources have to do.
#[cfg(not(target_os = "linux"))]
pub(crate) fn seal() -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
const ALLOWED: &[i64] = &[
    // What is open: the three pipes.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Locks, clocks, dice.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    // Its own signals and its end.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::process::Command;
    use std::{fs, thread};

    use super::*;

    #[test]
    fn a_sealed_thread_computes_and_reaches_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has one");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_owned();
        // The filter holds for the thread that takes it.
        let sealed = thread::spawn(move || {
            seal().expect("the kernel has filters");
            let refused = [
                TcpStream::connect(address).err(),
                TcpListener::bind("127.0.0.1:0").err(),
                UdpSocket::bind("127.0.0.1:0").err(),
                fs::read(&path).err(),
                fs::write(&path, "x").err(),
                fs::remove_file(&path).err(),
                Command::new("/bin/true").spawn().err(),
                thread::Builder::new().spawn(|| ()).err(),
            ];
            let large = vec![1_u8; 8 << 20];
            (
                refused.map(|error| error.map(|error| error.kind())),
                large.iter().map(|byte| u64::from(*byte)).sum::<u64>(),
            )
        });
        let (refused, sum) = sealed.join().expect("it lives");
        assert_eq!(refused, [Some(ErrorKind::PermissionDenied); 8]);
        assert_eq!(sum, 8 << 20);
        assert!(file.path().exists());
    }
}
