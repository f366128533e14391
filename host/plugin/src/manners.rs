//! How threads that run guests stand with the system's scheduler.
#![expect(
    unsafe_code,
    reason = "the crates that wrap this call change the thread's niceness beside it, which is the operator's"
)]

/// How many steps of niceness a thread takes whose work nobody waits for.
const NICENESS: i32 = 10;

/// The same as [`give_way`], for work that is to take no processor from anything else: the thread is nice as well.
pub fn stand_back() {
    give_way();
    // On Linux it concerns the calling thread alone. Where the system refuses, nothing changes.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
}

/// Tells the scheduler that this thread computes, so that it interrupts no other when it wakes: a guest's call takes its turn behind the
/// sockets and the store's writer, whose waiting would hold up everything else. It keeps its share of the processor.
///
/// See `SCHED_BATCH` in sched(7). Where the system refuses, nothing changes.
pub fn give_way() {
    // The static priority is 0 for this policy.
    #[cfg(target_os = "linux")]
    let policy = libc::sched_param { sched_priority: 0 };
    // SAFETY: the call reads one structure, which lives until it returns, and concerns the calling thread (0) alone.
    #[cfg(target_os = "linux")]
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const policy) };
}
