//! What a context takes on the heap, by an allocator that counts while it is told to.

#![expect(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cancel_context::{Canceller, Context};
use tokio_util::sync::CancellationToken;

use crate::by_hand::LONG;
use crate::measure::{Pace, Samples, Who};
use crate::setting::root;
use crate::workload::{Outcome, Target, Workload};

/// So many live at a time.
const MANY: usize = 10_000;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator. While nothing is counted it costs one load more; a counter of one's own for each
/// thread would cost all contestants something.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts what is allocated, not what is freed.
#[inline]
fn count(bytes: usize) {
    // Relaxed, here and below: only one thread is running while something is counted.
    if IS_COUNTING.load(Ordering::Relaxed) {
        BYTES.fetch_add(bytes, Ordering::Relaxed);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to `System` as it is; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: `pointer` came from `System`, with this layout; the rest is as for `alloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

pub(crate) fn workloads() -> Vec<Workload> {
    let target = Target::Absolute(80.0);
    vec![
        Workload::of_memory("bytes_per_context", target, bytes_per_context),
        Workload::of_memory("bytes_per_timeout", target, bytes_per_timeout),
    ]
}

/// The bytes and the allocations for each of many that live at the same time.
fn heap_of<T>(make: impl Fn() -> T) -> (usize, usize) {
    let mut alive = Vec::with_capacity(MANY);
    alive.push(make());
    let before = (
        BYTES.load(Ordering::Relaxed),
        ALLOCATIONS.load(Ordering::Relaxed),
    );
    IS_COUNTING.store(true, Ordering::Relaxed);
    alive.extend(std::iter::repeat_with(make).take(MANY - 1));
    IS_COUNTING.store(false, Ordering::Relaxed);
    let bytes = BYTES.load(Ordering::Relaxed) - before.0;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before.1;
    (bytes / (MANY - 1), allocations.div_ceil(MANY - 1))
}

fn bytes_of_context<T>(make: impl Fn(&Context) -> T) -> Outcome {
    let ((parent, _canceller), token) = (root(), CancellationToken::new());
    let (bytes, allocations) = heap_of(|| make(&parent));
    let (bytes_of_token, _) = heap_of(|| token.child_token());
    let samples = Samples::constant([(Who::Ours, bytes), (Who::TokioUtil, bytes_of_token)]);
    let fault = (allocations > 1).then(|| format!("{allocations} allocations instead of one"));
    Outcome {
        samples,
        fault,
        ..Outcome::default()
    }
}

fn bytes_per_context(_: Pace) -> Outcome {
    let make: fn(&Context) -> (Context, Canceller) = Context::with_cancel;
    bytes_of_context(make)
}

fn bytes_per_timeout(_: Pace) -> Outcome {
    bytes_of_context(|parent| parent.with_timeout(LONG))
}
