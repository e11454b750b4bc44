//! How much memory is in use, by all threads.

#![expect(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

/// Relaxed: it is compared when all other threads rest.
static BYTES: AtomicIsize = AtomicIsize::new(0);

/// The system's allocator, with a count.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize, sign: isize) {
    let bytes = isize::try_from(bytes).expect("a layout fits into `isize`");
    BYTES.fetch_add(sign * bytes, Relaxed);
}

// SAFETY: every call goes to `System` as it is; counting neither allocates nor unwinds, since a
// layout's size fits into `isize`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `pointer` came from `System` by `alloc`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The bytes in use.
pub(crate) fn bytes() -> isize {
    BYTES.load(Relaxed)
}
