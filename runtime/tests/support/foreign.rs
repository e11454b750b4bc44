//! What foreign code does to the tree when it is called.

use std::time::Duration;

use cancel_context::{Canceller, Context};

use crate::support::end_of;
use crate::support::tasks::poll_with;
use crate::support::wakers::CountingWaker;

const LONG: Duration = Duration::from_secs(3600);

/// Uses the tree in every way: reads, derives, registers, removes, cancels.
pub(crate) fn use_the_tree(context: &Context, canceller: &Canceller) {
    end_of(context);
    let (child, child_canceller) = context.with_value(1_u8).with_timeout(LONG).with_cancel();
    let merge = Context::any([child.clone(), context.clone()]);
    let waker = CountingWaker::new().waker();
    for context in [context, &child, &merge] {
        let mut waiting = Box::pin(context.cancelled());
        let is_ready = poll_with(waiting.as_mut(), &waker).is_ready();
        assert_eq!(is_ready, context.is_cancelled());
        drop(context.interrupt_with(|| {}));
        let was_prevented = context.after_cancel(|| {}).stop();
        assert!(was_prevented || context.is_cancelled());
    }
    child_canceller.cancel();
    canceller.cancel_with("from foreign code");
    assert!(context.is_cancelled() && merge.is_cancelled());
}

/// A chain of three that somebody waits for at each place.
pub(crate) fn watched() -> (Context, Context, Canceller, Canceller) {
    let (parent, canceller) = Context::background().with_cancel();
    let (child, child_canceller) = parent.with_timeout(LONG).with_cancel();
    (parent, child, canceller, child_canceller)
}
