//! The call of a service, in the scope of a context.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::repeated::Repeated;
use crate::scope;

pin_project! {
    #[project = Projected]
    #[must_use = "futures do nothing unless polled"]
    pub(super) enum Scoped<F> {
        Called {
            #[pin]
            answer: Repeated<F>,
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
            answer: Repeated::new(context, future),
        }
    }

    /// Calls nothing; not to be polled.
    pub(super) const fn idle(context: Context) -> Self {
        Self::Ended { context }
    }

    pub(super) const fn context(&self) -> &Context {
        match self {
            Self::Called { answer } => answer.context(),
            Self::Ended { context } => context,
        }
    }

    /// The scope, unless the service was not called.
    pub(super) const fn called(&self) -> Option<&Repeated<F>> {
        match self {
            Self::Called { answer } => Some(answer),
            Self::Ended { .. } => None,
        }
    }

    /// Gives the context, for when it was polled to its end.
    pub(super) fn take_context(self: Pin<&mut Self>) -> Context {
        match self.project() {
            Projected::Called { answer } => answer.take_context(),
            Projected::Ended { context } => context.clone(),
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Called { answer } => answer.poll_until(task, F::poll, |_| true),
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
