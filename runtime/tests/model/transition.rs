//! What may happen to the contexts of a case.

use std::time::Duration;

/// The number of a context, a waiter or a callback; those that are deleted while a failure shrinks leave a
/// gap, so that the others keep theirs.
pub(crate) type Id = usize;

/// Nanoseconds since the case began.
pub(crate) type Time = i64;

/// One step of a case.
#[derive(Clone, Debug)]
pub(crate) enum Transition {
    Derive {
        id: Id,
        from: Id,
        how: Derivation,
    },
    Merge {
        id: Id,
        sources: Vec<Id>,
        kind: Merge,
    },
    /// With a cause that tells this cancel from others, or without one.
    Cancel {
        of: Id,
        cause: Option<String>,
    },
    CloneCanceller {
        of: Id,
    },
    DropCanceller {
        of: Id,
    },
    Detach {
        of: Id,
    },
    Move {
        of: Id,
        to: Time,
    },
    DropMover {
        of: Id,
    },
    /// The future of a context completes.
    Complete {
        of: Id,
    },
    DropContext {
        of: Id,
    },
    Wait {
        id: Id,
        at: Id,
        wait: Wait,
    },
    /// With another waker.
    PollAgain {
        waiter: Id,
        at: Id,
    },
    DropWaiter {
        waiter: Id,
    },
    Register {
        id: Id,
        at: Id,
        hook: Hook,
    },
    /// Stops a deferred function, or drops the guard of an interrupt.
    Stop {
        callback: Id,
    },
    /// Drops the handle of a deferred function.
    Forget {
        callback: Id,
    },
    /// Moves the paused clock, and has the runtime run what is ready.
    Advance {
        by: Time,
    },
    Look {
        at: Id,
        what: What,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Derivation {
    Cancel,
    Deadline {
        at: Time,
        has_cause: bool,
    },
    Timeout {
        /// None is `Duration::MAX`.
        after: Option<Duration>,
        has_cause: bool,
    },
    Movable {
        at: Time,
    },
    Value(Key),
    Name,
    WithoutCancel,
    Future {
        is_ready: bool,
    },
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Key {
    First,
    Second,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Merge {
    Any,
    All,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    Cancelled,
    Scope,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hook {
    AfterCancel,
    Interrupt,
}

/// What is read of a context.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    IsCancelled,
    Err,
    Cause,
    Check,
    Cancelled,
    Deadline,
    Remaining,
    Values,
    Path,
}

pub(crate) const ALL: [What; 9] = [
    What::IsCancelled,
    What::Err,
    What::Cause,
    What::Check,
    What::Cancelled,
    What::Deadline,
    What::Remaining,
    What::Values,
    What::Path,
];
