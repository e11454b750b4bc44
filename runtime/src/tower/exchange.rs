//! A request on its way to its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Buf;
use http::Request;
use http_body::Frame;

use super::asked::{Asked, SharesCauses};
use super::body::Progress;
use super::causes::{Causes, Told};
use super::end::{LimitedBy, RequestEnd};
use super::lazy::RequestContext;
use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::current::Current;
#[cfg(feature = "tracing")]
use crate::logged;
use crate::owner::Owner;
use crate::repeated::{Home, Repeated};

/// What is known of a request, in one piece of memory: what is moved about stays small.
pub(super) struct Exchange {
    context: Whose,
    /// As long as the caller may say why it cancels.
    told: Option<Box<Told>>,
    owner: Owner,
    pub(super) asked: Asked,
    /// Whether its answer or its body is being polled; so a panic has left it if it is dropped.
    is_polled: bool,
    pub(super) progress: Progress,
}

enum Whose {
    Own(RequestContext),
    /// Another layer's, or that of who sends the request: they end it.
    Others(Context),
}

impl Whose {
    #[inline]
    fn current(&self) -> Current<'_> {
        match self {
            Self::Own(context) => context.current(),
            Self::Others(context) => Current::of(context),
        }
    }
}

/// That of what is sent.
static BACKGROUND: Context = Context::background();

/// Until all is sent.
pub(super) type Kept = Option<Box<Exchange>>;

impl Exchange {
    #[inline]
    fn new(context: impl FnOnce() -> Whose, asked: Asked) -> Box<Self> {
        // Written where it stays.
        let room = Box::new_uninit();
        let exchange = Self {
            context: context(),
            told: None,
            owner: Owner::new(),
            asked,
            is_polled: false,
            progress: Progress::default(),
        };
        Box::write(room, exchange)
    }

    /// One that ends its context.
    #[inline]
    pub(super) fn of(context: impl FnOnce() -> RequestContext, asked: Asked) -> Box<Self> {
        Self::new(|| Whose::Own(context()), asked)
    }

    /// One with the context of others.
    pub(super) fn within(context: Context, asked: Asked) -> Box<Self> {
        Self::new(|| Whose::Others(context), asked)
    }

    /// Ends it after that time at the latest, if the context is its own.
    #[cold]
    pub(super) fn limit(&mut self, by: LimitedBy, after: Duration) {
        if let Whose::Own(context) = &mut self.context {
            context.limit(by, after);
        }
    }

    /// Lets its caller say why it cancels, if it has said that it may, and tells it why it was.
    pub(super) fn share_causes<B>(&mut self, causes: &Arc<Causes>, request: &mut Request<B>) {
        if let Whose::Own(context) = &self.context {
            self.told = causes.listen(request, || context.canceller());
        }
        if self.told.is_some() {
            request.extensions_mut().insert(SharesCauses);
            self.asked.share_causes(request.extensions());
        }
    }

    /// Whether the context has ended because of `end`, or others end it.
    fn has_end(&self) -> bool {
        match &self.context {
            Whose::Own(context) => context.has_end(),
            Whose::Others(_) => true,
        }
    }

    #[inline]
    pub(super) fn current(&self) -> Current<'_> {
        self.context.current()
    }

    /// Notes what the body has given. Trailers say why the context has ended, if it has, to who is told.
    pub(super) fn note<D: Buf, E>(
        &mut self,
        frame: &mut Option<Result<Frame<D>, E>>,
        is_last: bool,
    ) {
        match frame {
            Some(Ok(frame)) => {
                self.progress.note(frame, is_last);
                if let Some(trailers) = frame.trailers_mut() {
                    self.asked.add_cause(self.current().known(), trailers);
                }
            }
            Some(Err(_)) => self.end(RequestEnd::Failed),
            None => {}
        }
    }

    /// Ends the context, unless it has ended, or others do.
    pub(super) fn end(&mut self, end: RequestEnd) {
        self.told = None;
        if let Whose::Own(context) = &mut self.context {
            context.end(end);
        }
    }

    /// The answer is sent, and what is below is gone.
    #[inline]
    pub(super) fn finish(&mut self) {
        if let Whose::Own(context) = &mut self.context {
            context.finish();
        }
    }
}

/// As [`Repeated::poll_until`]; if a panic leaves it, that shows.
#[inline]
pub(super) fn poll_until<T>(
    mut scope: Pin<&mut Repeated<T, Kept>>,
    task: &mut Task<'_>,
    poll: impl FnMut(Pin<&mut T>, &mut Task<'_>) -> Poll<bool>,
) -> Poll<Result<(), Cancelled>> {
    set_polled(scope.as_mut(), true);
    let polled = scope.as_mut().poll_until(task, poll);
    set_polled(scope, false);
    polled
}

fn set_polled<T>(scope: Pin<&mut Repeated<T, Kept>>, is_polled: bool) {
    if let Some(exchange) = scope.home_mut() {
        exchange.is_polled = is_polled;
    }
}

/// Ends the context of what is dropped before its end. If its poll was left by a panic, it is still polled.
pub(super) fn end_early<T>(scope: Pin<&mut Repeated<T, Kept>>) {
    match scope.home() {
        Some(exchange) if exchange.is_polled || scope.inner().is_none() => {
            if let Some(exchange) = scope.home_mut() {
                exchange.end(RequestEnd::Failed);
            }
        }
        Some(_) => abandon(scope),
        None => {}
    }
}

/// Ends the context of a request that is dropped where it is pending, in `scope`. Nobody is left who could log that,
/// unless it was logged and only a shield was pending.
#[cold]
#[inline(never)]
fn abandon<T>(scope: Pin<&mut Repeated<T, Kept>>) {
    #[cfg(feature = "tracing")]
    let is_logged = scope
        .home()
        .as_ref()
        .is_some_and(|exchange| exchange.owner.is_logged());
    let Some(exchange) = scope.home_mut() else {
        return;
    };
    if exchange.has_end() {
        return;
    }
    exchange.end(RequestEnd::Disconnected);
    #[cfg(feature = "tracing")]
    if !is_logged {
        let cancelled = exchange.current().make().cancelled_at(None);
        cancelled.iter().for_each(logged::dropped);
    }
}

impl Home for Kept {
    #[inline]
    fn current(&self) -> Current<'_> {
        match self {
            Some(exchange) => exchange.current(),
            None => Current::of(&BACKGROUND),
        }
    }

    #[inline]
    fn parts(&mut self) -> Option<(Current<'_>, &mut Owner)> {
        let exchange = self.as_mut()?;
        Some((exchange.context.current(), &mut exchange.owner))
    }
}
