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
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct Scoped<F> {
        // `None` if the context had ended before the service was called.
        #[pin]
        run: Option<Run<F>>,
        context: Context,
    }
}

impl<F> Scoped<F> {
    /// Calls a service, unless `context` has ended.
    pub(super) fn call(context: Context, call: impl FnOnce() -> F) -> Self {
        let is_live = !context.is_cancelled();
        let future = is_live.then(|| scope::within(&context, call));
        Self {
            run: future.map(|future| Run::new(context.clone(), future)),
            context,
        }
    }

    /// Calls nothing; not to be polled.
    pub(super) const fn idle(context: Context) -> Self {
        Self { run: None, context }
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(run) = this.run.as_pin_mut() {
            return run.poll(task);
        }
        let ended = this.context.cancelled_at(None);
        Poll::Ready(Err(
            ended.expect("it had ended when the service was to be called")
        ))
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
