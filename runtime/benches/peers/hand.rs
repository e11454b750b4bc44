//! Futures that are ready, or pending once, and an executor that costs next to nothing: when its future is
//! pending, it wakes it as another task would, by a waker that counts, and polls again.
//!
//! The future itself leaves its waker nowhere: a clone of it and its drop take as long as the rest.

use std::cell::Cell;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Task, Poll, Wake, Waker};

use pin_project_lite::pin_project;

/// A function that is ready at once. Its poll is not inlined, and nothing is known of what it gives.
pub(crate) fn ready(number: u64) -> Opaque<impl Future<Output = u64>> {
    Opaque::new(async move { black_box(number) })
}

/// Where a task says that it waits, so that another one wakes it.
#[derive(Default)]
pub(crate) struct Slot(Cell<bool>);

impl Slot {
    /// Waits for the other task once.
    pub(crate) fn woken(&self) -> Woken<'_> {
        Woken {
            slot: self,
            has_waited: false,
        }
    }
}

/// Pending once. Its poll is not inlined.
pub(crate) struct Woken<'a> {
    slot: &'a Slot,
    has_waited: bool,
}

impl Future for Woken<'_> {
    type Output = u64;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<u64> {
        if self.has_waited {
            return Poll::Ready(black_box(1));
        }
        self.has_waited = true;
        self.slot.0.set(true);
        Poll::Pending
    }
}

#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Relaxed: a counter.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `future` to its end.
#[inline(never)]
pub(crate) fn finish<F: Future>(future: F, slot: &Slot) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Count::default()));
    let mut task = Task::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return output;
        }
        assert!(slot.0.take(), "it waits for the other task");
        waker.wake_by_ref();
    }
}

/// Polls a future that has to wait, once.
pub(crate) fn wait<F: Future + Unpin>(mut future: F) -> F {
    let mut task = Task::from_waker(Waker::noop());
    assert!(Pin::new(&mut future).poll(&mut task).is_pending());
    future
}

pin_project! {
    /// Keeps the poll of a future from being inlined; no larger than the future.
    pub(crate) struct Opaque<F> {
        #[pin]
        future: F,
    }
}

impl<F> Opaque<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for Opaque<F> {
    type Output = F::Output;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        self.project().future.poll(task)
    }
}
