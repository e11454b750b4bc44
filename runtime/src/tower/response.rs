//! The answer to a request, in the scope of its context.
//!
//! Invariants:
//! 1. The context ends before anything of the handler is dropped: so its destructors, and what it has spawned, see
//!    why.
//! 2. A service is called only within a live context ([`Scoped`]).

use std::convert::identity;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::asked::Asked;
use super::body::ContextBody;
use super::end::RequestEnd;
use super::exchange::Exchange;
use super::scoped::Scoped;
use crate::context::Context;

pin_project! {
    /// The answer to a request; made by [`ContextService`](super::ContextService) and
    /// [`TimeoutService`](super::TimeoutService).
    ///
    /// If the context ends before there is an answer, it is 504 (gateway timeout) after a deadline, and 503 (service
    /// unavailable) otherwise; for gRPC, the statuses `DEADLINE_EXCEEDED` and `CANCELLED`.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        scoped: Scoped<F>,
        // Until the answer is there, unless a layer around this one has it.
        exchange: Option<Exchange>,
        asked: Asked,
        is_polled: bool,
        // The answer to a cause that was told, instead of all else.
        told: Option<StatusCode>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(exchange) = this.exchange.take() {
                // If its poll was left by a panic, it is still polled.
                match this.scoped.called() {
                    Some(scope) if !*this.is_polled => exchange.abandon(scope),
                    _ => exchange.end(RequestEnd::Failed),
                }
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    /// Calls a service, unless `context` has ended.
    #[inline]
    pub(super) fn call(
        context: Context,
        exchange: Option<Exchange>,
        asked: Asked,
        call: impl FnOnce() -> F,
    ) -> Self {
        Self {
            scoped: Scoped::call(context, call),
            exchange,
            asked,
            is_polled: false,
            told: None,
        }
    }

    /// The answer to a cause that was told.
    pub(super) fn told(server: &Context, is_known: bool) -> Self {
        let known = [StatusCode::NOT_FOUND, StatusCode::NO_CONTENT];
        Self {
            scoped: Scoped::idle(server.clone()),
            exchange: None,
            asked: Asked::by_us(identity),
            is_polled: false,
            told: Some(known[usize::from(is_known)]),
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
        if let Some(status) = *this.told {
            let mut response = Response::new(ContextBody::empty());
            *response.status_mut() = status;
            return Poll::Ready(Ok(response));
        }
        *this.is_polled = true;
        let polled = scoped.as_mut().poll(task);
        *this.is_polled = false;
        let answer = ready!(polled);
        let mut exchange = mem::take(this.exchange);
        Poll::Ready(match answer {
            Ok(Ok(mut response)) => {
                let (context, asked) = (scoped.take_context(), *this.asked);
                asked.add_cause(&context, response.headers_mut());
                if let Some(exchange) = exchange.take_if(|_| !asked.has_body(response.status())) {
                    exchange.end(RequestEnd::Answered);
                }
                Ok(response.map(|body| ContextBody::new(context, body, exchange, asked)))
            }
            Ok(Err(error)) => {
                if let Some(exchange) = exchange {
                    exchange.end(RequestEnd::Failed);
                }
                Err(error)
            }
            Err(cancelled) => {
                if let Some(exchange) = exchange {
                    exchange.end(RequestEnd::Answered);
                }
                Ok(this.asked.refusal(&cancelled, ContextBody::empty()))
            }
        })
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("context", self.scoped.context())
            .finish_non_exhaustive()
    }
}
