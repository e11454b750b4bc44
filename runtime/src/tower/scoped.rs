//! The call of a service, in the scope of a context.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use pin_project_lite::pin_project;

use super::exchange::{self, Exchange, Kept};
use crate::cancelled::Cancelled;
use crate::repeated::{Home, Repeated, keep};

/// Why a request is there when a service is called.
pub(super) const CALLED_ONCE: &str = "a service is called once for each request";

pin_project! {
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct Scoped<F> {
        // Without an answer if the context had ended before the service was called.
        #[pin]
        scope: Repeated<F, Kept>,
    }
}

impl<F> Scoped<F> {
    /// Calls a service, once, unless the context has ended.
    #[inline]
    pub(super) fn call(exchange: Box<Exchange>, call: impl FnMut() -> F) -> Self {
        let has_ended = exchange.current().known().is_cancelled();
        let mut scope = Repeated::new(Some(exchange), None);
        if !has_ended {
            scope.begin(call);
        }
        Self { scope }
    }

    /// Calls nothing; not to be polled.
    pub(super) const fn idle() -> Self {
        Self {
            scope: Repeated::new(None, None),
        }
    }

    pub(super) fn scope(self: Pin<&mut Self>) -> Pin<&mut Repeated<F, Kept>> {
        self.project().scope
    }
}

impl<F: Future> Scoped<F> {
    /// Waits for the answer, which is kept in `answer`, where it is not moved about; gives the exchange back.
    #[inline]
    pub(super) fn poll(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        answer: &mut Option<F::Output>,
    ) -> Poll<(Result<(), Cancelled>, Box<Exchange>)> {
        let mut scope = self.project().scope;
        let result = if scope.inner().is_some() {
            ready!(exchange::poll_until(
                scope.as_mut(),
                task,
                |future, task| {
                    keep(Some(ready!(future.poll(task))), answer);
                    Poll::Ready(true)
                }
            ))
        } else {
            let ended = scope.home().current().make().leave(None);
            Err(ended.expect("it had ended when the service was to be called"))
        };
        let exchange = scope.home_mut().take();
        Poll::Ready((result, exchange.expect("it is there until the answer is")))
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("context", self.scope.home().current().make())
            .finish_non_exhaustive()
    }
}
