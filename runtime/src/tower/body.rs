//! The body of an answer, in the scope of the context of its request.
//!
//! Invariants:
//! 1. The context of the request lives until it is known that no more is to come, or the body is dropped.
//! 2. Of an answer that was made when the context had ended, maybe because it had, what is ready at once is sent:
//!    the first frame, and the trailers. So an error page arrives, and nothing goes on for ever.

use std::cell::Cell;
use std::convert::identity;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::asked::Asked;
use super::end::RequestEnd;
use super::exchange::Exchange;
use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::repeated::Repeated;

pin_project! {
    /// A body that ends with a context; made by the layers of this module.
    ///
    /// When the context ends before the body, it fails with the [`Cancelled`](crate::Cancelled): the peer sees that
    /// it was cut off, as HTTP/1.1's missing last chunk or HTTP/2's reset. That of an answer of gRPC ends with the
    /// status `DEADLINE_EXCEEDED` or `CANCELLED` instead.
    pub struct ContextBody<B> {
        // `None` for one without content.
        #[pin]
        frames: Option<Repeated<B>>,
        // Until the last frame was taken, unless another layer has it.
        exchange: Option<Exchange>,
        asked: Asked,
        // How many bytes are still to come, if that is known.
        left: Option<u64>,
        has_begun: bool,
        is_polled: bool,
        // Whether no more is to come: then it need not be polled to its end.
        is_sent: bool,
    }

    impl<B> PinnedDrop for ContextBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if *this.is_sent {
                finish(this.frames, this.exchange);
            } else if *this.is_polled {
                // Its poll was left by a panic.
                fail(this.exchange);
            } else if let Some(frames) = this.frames.as_mut().as_pin_mut()
                && let Some(exchange) = this.exchange.take()
            {
                // Before the body is dropped (invariant 1 of `response`).
                exchange.abandon(&frames);
            }
        }
    }
}

impl<B: Body> ContextBody<B> {
    pub(super) fn new(context: Context, body: B, exchange: Option<Exchange>, asked: Asked) -> Self {
        let left = body.size_hint().exact();
        let is_sent = left == Some(0) || body.is_end_stream();
        Self {
            frames: Some(Repeated::new(context, body)),
            exchange,
            asked,
            left,
            has_begun: false,
            is_polled: false,
            is_sent,
        }
    }
}

impl<B> ContextBody<B> {
    pub(super) const fn empty() -> Self {
        Self {
            frames: None,
            exchange: None,
            asked: Asked::by_us(identity),
            left: Some(0),
            has_begun: true,
            is_polled: false,
            is_sent: true,
        }
    }
}

/// All is sent. The body goes first, so that nobody can see the context who did not keep it (see [`Exchange`]);
/// unless it has a token, which is freed with it.
fn finish<B>(mut frames: Pin<&mut Option<Repeated<B>>>, exchange: &mut Option<Exchange>) {
    let context = frames.as_ref().get_ref().as_ref().map(Repeated::context);
    if !context.is_some_and(Context::may_have_token) {
        frames.set(None);
    }
    if let Some(exchange) = exchange.take() {
        exchange.end(RequestEnd::Answered);
    }
    frames.set(None);
}

type Polled<B> = Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>;

/// The next frame, and whether it is the last one: then the body is dropped in the scope.
fn poll_in_scope<B: Body>(
    frames: Pin<&mut Repeated<B>>,
    task: &mut Task<'_>,
) -> Poll<(Result<Polled<B>, Cancelled>, bool)> {
    let is_last = Cell::new(false);
    let poll = |mut body: Pin<&mut B>, task: &mut Task<'_>| {
        let frame = body.as_mut().poll_frame(task);
        is_last.set(matches!(frame, Poll::Ready(None)) || body.is_end_stream());
        frame
    };
    let polled = frames.poll_until(task, poll, |_| is_last.get());
    polled.map(|frame| (frame, is_last.get()))
}

/// Ends the context, unless it has ended, and that is why.
fn fail(exchange: &mut Option<Exchange>) {
    if let Some(exchange) = exchange.take() {
        exchange.end(RequestEnd::Failed);
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
        let mut this = self.project();
        let Some(mut frames) = this.frames.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if frames
            .inner()
            .is_none_or(|body| *this.is_sent && body.is_end_stream())
        {
            finish(this.frames, this.exchange);
            return Poll::Ready(None);
        }
        if *this.is_sent || !std::mem::replace(this.has_begun, true) {
            frames.as_mut().goes_on();
        }
        *this.is_polled = true;
        let polled = poll_in_scope(frames.as_mut(), task);
        *this.is_polled = false;
        let (polled, is_last) = ready!(polled);
        let mut frame = match polled {
            Err(cancelled) => {
                fail(this.exchange);
                return Poll::Ready(Some(this.asked.end(cancelled)));
            }
            Ok(None) => {
                finish(this.frames, this.exchange);
                return Poll::Ready(None);
            }
            Ok(Some(Err(error))) => {
                fail(this.exchange);
                return Poll::Ready(Some(Err(error.into())));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        if let Some(trailers) = frame.trailers_mut() {
            this.asked.add_cause(frames.context(), trailers);
        }
        if let (Some(left), Some(data)) = (this.left.as_mut(), frame.data_ref()) {
            *left = left.saturating_sub(data.remaining() as u64);
        }
        *this.is_sent = *this.left == Some(0) || is_last;
        if is_last {
            finish(this.frames, this.exchange);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        let frames = self.frames.as_ref().and_then(Repeated::inner);
        frames.is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let frames = self.frames.as_ref().and_then(Repeated::inner);
        frames.map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

impl<B> fmt::Debug for ContextBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = self.frames.as_ref().map(Repeated::context);
        f.debug_struct("ContextBody")
            .field("context", &context)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
