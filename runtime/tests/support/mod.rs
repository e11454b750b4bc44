//! What the tests share: wakers that count or act, a hand-driven task, witnesses of drops and panics.

pub(crate) mod bounds;
pub(crate) mod calls;
pub(crate) mod foreign;
pub(crate) mod panics;
pub(crate) mod random;
pub(crate) mod scene;
pub(crate) mod tasks;
pub(crate) mod wakers;

use std::thread;

use cancel_context::{Context, Kind};
use futures::FutureExt;

/// The stack that a chain of any length has to do with.
const SMALL_STACK: usize = 2 * 1024 * 1024;

/// Runs `work` on a thread with a stack of 2 MiB.
pub(crate) fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = thread::Builder::new().stack_size(SMALL_STACK);
    thread.spawn(work).unwrap().join().unwrap()
}

/// Runs its function when it is dropped.
pub(crate) struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnDrop<F> {
    pub(crate) fn new(action: F) -> Self {
        Self(Some(action))
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}

/// How a context ended and why, by each way to ask; they have to agree.
#[track_caller]
pub(crate) fn end_of(context: &Context) -> Option<(Kind, String)> {
    let kind = context.err();
    let cause = context.cause().map(|cause| cause.to_string());
    let checked = context.check().err();
    let awaited = context.cancelled().now_or_never();
    assert_eq!(context.is_cancelled(), kind.is_some(), "{context:?}");
    assert_eq!(cause.is_some(), kind.is_some(), "{context:?}");
    for cancelled in [&checked, &awaited] {
        let seen = cancelled
            .as_ref()
            .map(|it| (it.kind(), it.cause().to_string()));
        assert_eq!(seen, kind.zip(cause.clone()), "{context:?}");
    }
    kind.zip(cause)
}

/// Why a context ended, as text; empty while it has not.
#[track_caller]
pub(crate) fn cause_of(context: &Context) -> String {
    end_of(context).map(|(_, cause)| cause).unwrap_or_default()
}

/// All orders of the numbers below `count`.
pub(crate) fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for _ in 0..count {
        let longer = orders.iter().flat_map(|order: &Vec<usize>| {
            let free = (0..count).filter(|number| !order.contains(number));
            free.map(|number| [order.as_slice(), &[number]].concat())
        });
        orders = longer.collect();
    }
    orders
}
