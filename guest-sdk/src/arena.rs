//! The allocator: a bump over a static arena, made for an instance that lives for one call.
//!
//! Rust's own allocator on WebAssembly always grows the memory, and growing is the dearest thing that a fresh instance
//! can do. Here most calls never grow: they live in 448 KiB that are part of the memory from the start (with a stack of
//! 1 MiB and the statics of a small plugin that makes 24 pages). Past it the memory grows by large steps.
//!
//! Only the block allocated last can be given back or stretched in place; everything else is freed by the end of the
//! call. So a plugin that allocates and frees gigabytes in one call needs another allocator: it turns the feature
//! `arena` off.

/// The free range of addresses, from which blocks are cut off at its lower end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bump {
    next: usize,
    end: usize,
}

impl Bump {
    /// Cuts a block off; none if the rest is too small. `align` is a power of two.
    fn take(&mut self, size: usize, align: usize) -> Option<usize> {
        let start = self.next.checked_add(align - 1)? & !(align - 1);
        let next = start.checked_add(size)?;
        if next > self.end {
            return None;
        }
        self.next = next;
        Some(start)
    }

    /// Gives a block back, if it is the last.
    fn give_back(&mut self, start: usize, size: usize) {
        if start + size == self.next {
            self.next = start;
        }
    }

    /// Makes a block longer or shorter where it stands; false if it can not become longer there.
    fn resize(&mut self, start: usize, size: usize, size_new: usize) -> bool {
        if start + size != self.next {
            return size_new <= size;
        }
        match start.checked_add(size_new) {
            Some(next) if next <= self.end => {
                self.next = next;
                true
            }
            _ => false,
        }
    }

    /// Adds a range that memory has grown by: to the end of this one if they touch, else in its place.
    fn extend(&mut self, start: usize, end: usize) {
        if self.end != start {
            self.next = start;
        }
        self.end = end;
    }
}

#[cfg(target_family = "wasm")]
mod global {
    #![expect(unsafe_code, reason = "an allocator hands out raw memory")]

    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::memory_grow;
    use core::cell::UnsafeCell;
    use core::mem::MaybeUninit;
    use core::ptr;

    use super::Bump;

    const PAGE_BYTES: usize = 64 * 1024;

    /// How many bytes are there from the start.
    const ARENA_BYTES: usize = 448 * 1024;

    /// The memory grows by at least this much at once, and by as much as it has grown before, up to the greatest step:
    /// few steps, and never far past what is needed, because a limit met is a fault.
    const STEP_BYTES_MIN: usize = 512 * 1024;
    const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

    #[cfg(target_feature = "atomics")]
    compile_error!("the arena is for one thread: turn the feature `arena` off");

    #[repr(C, align(16))]
    struct Arena {
        memory: UnsafeCell<[MaybeUninit<u8>; ARENA_BYTES]>,
        /// Nothing before the first use, since the arena's address is not known to the compiler.
        free: UnsafeCell<Option<Bump>>,
        grown_bytes: UnsafeCell<usize>,
    }

    // SAFETY: without the `atomics` feature a WebAssembly module has one thread.
    unsafe impl Sync for Arena {}

    #[global_allocator]
    static ARENA: Arena = Arena {
        memory: UnsafeCell::new([MaybeUninit::uninit(); ARENA_BYTES]),
        free: UnsafeCell::new(None),
        grown_bytes: UnsafeCell::new(0),
    };

    impl Arena {
        /// Does something with the free range.
        fn with_free<T>(&self, act: impl FnOnce(&mut Bump) -> T) -> T {
            // SAFETY: one thread, and what is done with the reference below never comes here again.
            let free = unsafe { &mut *self.free.get() };
            act(free.get_or_insert_with(|| {
                let start = self.memory.get() as usize;
                Bump {
                    next: start,
                    end: start + ARENA_BYTES,
                }
            }))
        }

        /// Makes room for at least `size` bytes more; false if the memory does not grow any further.
        #[cold]
        fn grow(&self, size: usize) -> bool {
            // SAFETY: one thread, and the reference ends with this function, which calls nothing that takes it.
            let grown_bytes = unsafe { &mut *self.grown_bytes.get() };
            let bytes = size.max((*grown_bytes).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX));
            let pages = bytes.div_ceil(PAGE_BYTES);
            let before = memory_grow::<0>(pages);
            if before == usize::MAX {
                return false;
            }
            *grown_bytes += pages * PAGE_BYTES;
            // Saturating, since the end of a memory of 4 GiB has no address.
            let end = (before + pages).saturating_mul(PAGE_BYTES);
            self.with_free(|free| free.extend(before * PAGE_BYTES, end));
            true
        }
    }

    // SAFETY: a block lies in the arena or in memory that was grown for it, `Bump` cuts off no byte twice while it is
    // in use (only a block given back by its owner becomes free again), and aligns as asked.
    unsafe impl GlobalAlloc for Arena {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let take = |free: &mut Bump| free.take(layout.size(), layout.align());
            if let Some(start) = self.with_free(take) {
                return start as *mut u8;
            }
            // Room for the alignment too, since what memory grew by may not touch what was free.
            if !self.grow(layout.size().saturating_add(layout.align())) {
                return ptr::null_mut();
            }
            self.with_free(take).map_or(ptr::null_mut(), |start| start as *mut u8)
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.with_free(|free| free.give_back(block as usize, layout.size()));
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size_new: usize) -> *mut u8 {
            if self.with_free(|free| free.resize(block as usize, layout.size(), size_new)) {
                return block;
            }
            // SAFETY: the caller promises that the new size, rounded up to the alignment, overflows nothing.
            let layout_new = unsafe { Layout::from_size_align_unchecked(size_new, layout.align()) };
            // SAFETY: the caller promises a size that is not zero.
            let block_new = unsafe { self.alloc(layout_new) };
            if !block_new.is_null() {
                // SAFETY: both blocks are this long: the old one did not fit, so the new one is longer.
                unsafe { ptr::copy_nonoverlapping(block, block_new, layout.size()) };
            }
            block_new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bump;

    #[test]
    fn blocks_follow_one_another_aligned() {
        let mut bump = Bump { next: 1, end: 64 };
        assert_eq!(bump.take(3, 1), Some(1));
        assert_eq!(bump.take(8, 8), Some(8));
        assert_eq!(bump.take(1, 32), Some(32));
        assert_eq!(bump.take(31, 1), Some(33));
        assert_eq!(bump.take(1, 1), None, "the range is used up to its last byte");
        assert_eq!(bump.next, 64);
    }

    #[test]
    fn a_size_past_all_addresses_does_not_wrap() {
        let mut bump = Bump { next: 16, end: 64 };
        assert_eq!(bump.take(usize::MAX, 1), None);
        assert_eq!(bump.take(1, 1 << (usize::BITS - 1)), None);
        assert_eq!(bump, Bump { next: 16, end: 64 });
        assert!(!bump.resize(8, 8, usize::MAX));
    }

    #[test]
    fn only_the_last_block_comes_back() {
        let mut bump = Bump { next: 0, end: 64 };
        bump.take(16, 1);
        bump.take(16, 1);
        bump.give_back(0, 16);
        assert_eq!(bump.next, 32, "the first is not the last");
        bump.give_back(16, 16);
        assert_eq!(bump.next, 16);
    }

    #[test]
    fn the_last_block_stretches_and_any_shrinks() {
        let mut bump = Bump { next: 0, end: 64 };
        bump.take(16, 1);
        bump.take(16, 1);
        assert!(bump.resize(16, 16, 48), "up to the end of the range");
        assert!(!bump.resize(16, 48, 49), "not past it");
        assert!(bump.resize(16, 48, 8));
        assert_eq!(bump.next, 24);
        assert!(bump.resize(0, 16, 4), "shrinking needs no room");
        assert!(!bump.resize(0, 16, 17), "the neighbour stands in the way");
        assert_eq!(bump.next, 24);
    }

    #[test]
    fn grown_memory_joins_what_it_touches() {
        let mut bump = Bump { next: 48, end: 64 };
        bump.extend(64, 128);
        assert_eq!(bump, Bump { next: 48, end: 128 });
        bump.extend(256, 512);
        assert_eq!(bump, Bump { next: 256, end: 512 });
    }
}
