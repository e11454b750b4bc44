//! The call of a service, in the scope of a context.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::run::Run;
use crate::scope;

pin_project! {
    #[project = Projected]
    #[must_use = "futures do nothing unless polled"]
    pub(super) enum Scoped<F> {
        Called {
            #[pin]
            run: Run<F>,
        },
        // It had ended before the service was called.
        Ended { context: Context },
    }
}

impl<F> Scoped<F> {
    /// Calls a service, unless `context` has ended.
    #[inline]
    pub(super) fn call(context: Context, call: impl FnOnce() -> F) -> Self {
        if context.is_cancelled() {
            return Self::Ended { context };
        }
        let future = scope::within(&context, call);
        Self::Called {
            run: Run::new(context, future),
        }
    }

    /// Calls nothing; not to be polled.
    pub(super) const fn idle(context: Context) -> Self {
        Self::Ended { context }
    }

    pub(super) const fn context(&self) -> &Context {
        match self {
            Self::Called { run } => run.context(),
            Self::Ended { context } => context,
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Called { run } => run.poll(task),
            Projected::Ended { context } => {
                let ended = context.leave(None);
                Poll::Ready(Err(
                    ended.expect("it had ended when the service was to be called")
                ))
            }
        }
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("context", self.context())
            .finish_non_exhaustive()
    }
}
