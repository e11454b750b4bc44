//! The body of an answer, in the scope of the context of its request.
//!
//! Invariants:
//! 1. The context of the request lives until it is known that no more is to come, or the body is dropped.
//! 2. Of an answer that was made when the context had ended, maybe because it had, what is ready at once is sent:
//!    the first frame, and the trailers. So an error page arrives, and nothing goes on for ever.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::end::RequestEnd;
use super::exchange::{self, Exchange, Kept};
use crate::repeated::{Repeated, keep};

pin_project! {
    /// A body that ends with a context; made by the layers of this module.
    ///
    /// When the context ends before the body, it fails with the [`Cancelled`](crate::Cancelled): the peer sees that
    /// it was cut off, as HTTP/1.1's missing last chunk or HTTP/2's reset. That of an answer of gRPC ends with the
    /// status `DEADLINE_EXCEEDED` or `CANCELLED` instead.
    pub struct ContextBody<B> {
        // Without an exchange once the last frame was taken.
        #[pin]
        frames: Repeated<B, Kept>,
    }

    impl<B> PinnedDrop for ContextBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let frames = this.project().frames;
            match frames.home() {
                Some(exchange) if exchange.progress.is_sent => finish(frames),
                // Before the body is dropped (invariant 1 of `response`).
                Some(_) => exchange::end_early(frames),
                None => {}
            }
        }
    }
}

/// How far a body has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many bytes are still to come, if that is known.
    left: Option<u64>,
    has_begun: bool,
    /// Whether no more is to come: then it need not be polled to its end.
    is_sent: bool,
}

impl Progress {
    pub(super) fn of<B: Body>(body: &B, is_to_be_sent: bool) -> Self {
        let left = body.size_hint().exact();
        Self {
            left,
            has_begun: false,
            is_sent: !is_to_be_sent || left.map_or_else(|| body.is_end_stream(), |left| left == 0),
        }
    }

    /// Begins to wait for a frame; whether that is there already (invariant 2), as far as that is known.
    const fn begin(&mut self) -> bool {
        let is_first = !self.has_begun;
        self.has_begun = true;
        self.is_sent || is_first
    }

    pub(super) fn note<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool) {
        if let (Some(left), Some(data)) = (self.left.as_mut(), frame.data_ref()) {
            *left = left.saturating_sub(data.remaining() as u64);
        }
        self.is_sent |= self.left == Some(0) || is_last;
    }
}

impl<B> ContextBody<B> {
    /// That of an exchange which knows its progress.
    #[inline]
    pub(super) const fn new(exchange: Box<Exchange>, body: B) -> Self {
        Self {
            frames: Repeated::new(Some(exchange), Some(body)),
        }
    }

    pub(super) const fn empty() -> Self {
        Self {
            frames: Repeated::new(None, None),
        }
    }
}

/// All is sent. The body goes first, so that nobody can see the context who did not keep it.
fn finish<B>(mut frames: Pin<&mut Repeated<B, Kept>>) {
    frames.as_mut().end();
    if let Some(mut exchange) = frames.home_mut().take() {
        exchange.finish();
    }
}

impl<B> Body for ContextBody<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut frames = self.project().frames;
        let Some(exchange) = frames.as_mut().home_mut() else {
            return Poll::Ready(None);
        };
        let (is_sent, is_there) = (exchange.progress.is_sent, exchange.progress.begin());
        if is_sent && frames.inner().is_none_or(B::is_end_stream) {
            finish(frames);
            return Poll::Ready(None);
        }
        if is_there {
            frames.as_mut().goes_on();
        }
        let (mut frame, mut is_last) = (None, false);
        let polled = exchange::poll_until(frames.as_mut(), task, |mut body, task| {
            keep(ready!(body.as_mut().poll_frame(task)), &mut frame);
            is_last = frame.is_none() || body.is_end_stream();
            Poll::Ready(is_last)
        });
        let exchange = frames.as_mut().home_mut();
        if let Err(cancelled) = ready!(polled) {
            // The body is gone.
            return Poll::Ready(exchange.take().map(|mut exchange| {
                exchange.end(RequestEnd::Failed);
                exchange.asked.end(cancelled)
            }));
        }
        if let Some(exchange) = exchange {
            exchange.note(&mut frame, is_last);
        }
        if is_last {
            finish(frames);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.inner().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.frames.inner();
        body.map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

impl<B> fmt::Debug for ContextBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchange = self.frames.home().as_ref();
        f.debug_struct("ContextBody")
            .field(
                "context",
                &exchange.map(|exchange| exchange.current().make()),
            )
            .field("progress", &exchange.map(|exchange| &exchange.progress))
            .finish_non_exhaustive()
    }
}
