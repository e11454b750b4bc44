//! The answer to a request, in the scope of its context.
//!
//! Invariants:
//! 1. The context ends before anything of the handler is dropped: so its destructors, and what it has spawned, see
//!    why.
//! 2. A service is called only within a live context ([`Scoped`]).

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::ContextBody;
use super::end::RequestEnd;
use super::exchange::Exchange;
use super::scoped::Scoped;
use crate::cancelled::Cancelled;
use crate::context::Context;

pin_project! {
    /// The answer to a request; made by [`ContextService`](super::ContextService) and
    /// [`TimeoutService`](super::TimeoutService).
    ///
    /// If the context ends before there is an answer, it is 504 (gateway timeout) after a deadline, and 503 (service
    /// unavailable) otherwise.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        scoped: Scoped<F>,
        // Until the answer is there, unless a layer around this one has it.
        exchange: Option<Exchange>,
        has_body: bool,
        is_polled: bool,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(exchange) = this.exchange.take() {
                // If its poll was left by a panic, it is still polled.
                exchange.end(if *this.is_polled { RequestEnd::Failed } else { RequestEnd::Disconnected });
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    /// Calls a service, unless `context` has ended.
    pub(super) fn call(
        context: Context,
        exchange: Option<Exchange>,
        has_body: bool,
        call: impl FnOnce() -> F,
    ) -> Self {
        Self {
            scoped: Scoped::call(context, call),
            exchange,
            has_body,
            is_polled: false,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ContextBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut scoped = this.scoped;
        *this.is_polled = true;
        let polled = scoped.as_mut().poll(task);
        *this.is_polled = false;
        let answer = ready!(polled);
        let exchange = mem::take(this.exchange);
        Poll::Ready(match answer {
            Ok(Ok(response)) => {
                let has_body = *this.has_body && may_have_body(response.status());
                Ok(response
                    .map(|body| ContextBody::new(scoped.context(), body, exchange, has_body)))
            }
            Ok(Err(error)) => {
                if let Some(exchange) = exchange {
                    exchange.end(RequestEnd::Failed);
                }
                Err(error)
            }
            Err(cancelled) => Ok(refusal(&cancelled, exchange)),
        })
    }
}

/// RFC 9110, 6.4.1: answers without content.
fn may_have_body(status: StatusCode) -> bool {
    !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

fn refusal<B>(cancelled: &Cancelled, exchange: Option<Exchange>) -> Response<ContextBody<B>> {
    let mut response = Response::new(ContextBody::empty(exchange));
    *response.status_mut() = status(cancelled);
    response
}

/// The status of an answer that there was no time for.
pub(crate) fn status(cancelled: &Cancelled) -> StatusCode {
    if cancelled.is_timeout() {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("context", self.scoped.context())
            .finish_non_exhaustive()
    }
}
