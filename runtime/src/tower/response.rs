//! The answer to a request, in the scope of its context.
//!
//! Invariants:
//! 1. The context ends before anything of the handler is dropped: so its destructors, and what it has spawned, see
//!    why.
//! 2. A service is called only within a live context ([`Scoped`]).

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::{ContextBody, Progress};
use super::end::RequestEnd;
use super::exchange::{self, Exchange};
use super::scoped::Scoped;

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
        // The answer to a cause that was told, instead of all else.
        told: Option<StatusCode>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            exchange::end_early(this.project().scoped.scope());
        }
    }
}

impl<F> ResponseFuture<F> {
    /// Calls a service, unless the context has ended.
    #[inline]
    pub(super) fn call(exchange: Box<Exchange>, call: impl FnMut() -> F) -> Self {
        Self {
            scoped: Scoped::call(exchange, call),
            told: None,
        }
    }

    /// The answer to a cause that was told.
    pub(super) fn told(is_known: bool) -> Self {
        let known = [StatusCode::NOT_FOUND, StatusCode::NO_CONTENT];
        Self {
            scoped: Scoped::idle(),
            told: Some(known[usize::from(is_known)]),
        }
    }
}

/// Before an answer is given.
fn prepare<B: Body>(response: &mut Response<B>, exchange: &mut Exchange) {
    let asked = exchange.asked;
    asked.add_cause(exchange.current().known(), response.headers_mut());
    exchange.progress = Progress::of(response.body(), asked.has_body(response.status()));
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ContextBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let scoped = this.scoped;
        if let Some(status) = *this.told {
            let mut response = Response::new(ContextBody::empty());
            *response.status_mut() = status;
            return Poll::Ready(Ok(response));
        }
        let mut answer = None;
        let (polled, mut exchange) = ready!(scoped.poll(task, &mut answer));
        if let Err(cancelled) = polled {
            let refusal = exchange.asked.refusal(&cancelled, ContextBody::empty());
            exchange.finish();
            return Poll::Ready(Ok(refusal));
        }
        match &mut answer {
            Some(Ok(response)) => prepare(response, &mut exchange),
            _ => exchange.end(RequestEnd::Failed),
        }
        let answer = answer.expect("it is there, as its context has not ended");
        Poll::Ready(answer.map(|response| response.map(|body| ContextBody::new(exchange, body))))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scoped.fmt(f)
    }
}
