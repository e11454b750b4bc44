//! The future around an await that has its context at hand, and the poll order of all awaits.
//!
//! They poll first and look second: a value that a future has produced is delivered, and of nested
//! awaits the innermost sees the end first, since it looks in the poll of the outer one. While it
//! polls, its context is the current one. Frames, promises and shields are those of
//! [`crate::scope`].
//!
//! Where a frame above covers it, an await only looks. Otherwise it makes a frame, and polls itself in that:
//! it is an owner, mostly. What that keeps is handed to the next await of its function, so that a function
//! registers once. An await is one word larger than its future: the context, and a box if need be.

use std::borrow::Borrow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::memory::{self, Key};
use crate::owner::Owner;
use crate::raw::{Loose, Tagged};
use crate::scope;
use crate::site::At;
use crate::watch;

type Keepsake = Loose<Context, Owner>;

/// What the awaits of a function hand to each other.
#[derive(Default)]
pub struct Kept(Option<Box<Keepsake>>);

impl Kept {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }
}

/// How an await holds its context: a `&Context`, or a `Context` where its operand moves the variable.
pub trait Hold: Borrow<Context> {
    /// That, and what is kept.
    type Word: Word;

    /// The context with what was kept.
    fn word(self, kept: Kept) -> Self::Word;
}

/// A context with what is kept for it.
pub trait Word {
    /// The context, for the time of a poll.
    type Held: Borrow<Context>;

    /// The context.
    fn context(&self) -> &Context;

    /// The context, if nothing is kept.
    fn alone(&self) -> Option<&Context>;

    /// The context, which lives longer than `self`.
    fn held(&self) -> Self::Held;

    /// What is kept, taken out.
    fn take_kept(&mut self) -> Kept;

    /// Keeps that.
    fn keep(&mut self, kept: Kept);
}

/// The word of a borrowed context.
pub struct Borrowing<'a>(Tagged<'a, Context, Owner>);

/// The words of an owned one.
pub struct Holding {
    context: Context,
    kept: Option<Box<Keepsake>>,
}

impl<'a> Borrowing<'a> {
    #[inline]
    fn new(context: &'a Context, kept: Kept) -> Self {
        Self(match kept.0 {
            None => Tagged::new(context),
            Some(owner) => Tagged::boxed(context, owner),
        })
    }
}

impl<'a> Hold for &'a Context {
    type Word = Borrowing<'a>;

    #[inline]
    fn word(self, kept: Kept) -> Borrowing<'a> {
        Borrowing::new(self, kept)
    }
}

impl<'a> Word for Borrowing<'a> {
    type Held = &'a Context;

    fn context(&self) -> &Context {
        self.0.borrowed()
    }

    #[inline]
    fn alone(&self) -> Option<&Context> {
        self.0.alone()
    }

    #[inline]
    fn held(&self) -> &'a Context {
        self.0.alone().unwrap_or_else(|| self.0.borrowed())
    }

    #[inline]
    fn take_kept(&mut self) -> Kept {
        Kept(self.0.take_box())
    }

    fn keep(&mut self, kept: Kept) {
        *self = Self::new(self.held(), kept);
    }
}

impl Hold for Context {
    type Word = Holding;

    fn word(self, kept: Kept) -> Holding {
        Holding {
            context: self,
            kept: kept.0,
        }
    }
}

impl Word for Holding {
    type Held = Context;

    fn context(&self) -> &Context {
        &self.context
    }

    fn alone(&self) -> Option<&Context> {
        self.kept.is_none().then_some(&self.context)
    }

    fn held(&self) -> Context {
        self.context.clone()
    }

    fn take_kept(&mut self) -> Kept {
        Kept(self.kept.take())
    }

    fn keep(&mut self, kept: Kept) {
        self.kept = kept.0;
    }
}

pin_project! {
    /// An await of an annotated function; made by the attribute.
    #[must_use = "futures do nothing unless polled"]
    pub struct Guard<W, F, S> {
        // Dropped first, so that this is not done in a second place, where the drop of the word unwinds.
        #[pin]
        future: F,
        word: W,
        site: S,
    }
}

impl<W: Word, F, S> Guard<W, F, S> {
    #[inline]
    pub(crate) fn new(context: impl Hold<Word = W>, future: F, kept: Kept, site: S) -> Self {
        Self {
            word: context.word(kept),
            future,
            site,
        }
    }
}

impl<W: Word, F: Future, S: At> Future for Guard<W, F, S> {
    type Output = Result<(F::Output, Kept), Cancelled>;

    #[expect(clippy::inline_always, reason = "that of each level, into that above")]
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let alone = self.word.alone();
        if alone.is_some_and(|context| scope::is_covered_for(context, task.waker())) {
            self.poll_covered(task).map_ok(|value| (value, Kept::new()))
        } else {
            self.poll_as_owner(task)
        }
    }
}

impl<W: Word, F: Future, S: At> Guard<W, F, S> {
    /// Polls itself in a frame that covers it.
    #[expect(clippy::inline_always, reason = "both calls are the body of a poll")]
    #[inline(always)]
    fn poll_covered(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Result<F::Output, Cancelled>> {
        let key = Key::of(&*self);
        let before = scope::epoch();
        let this = self.project();
        match this.future.poll(task) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending if scope::stays_calm(task.waker(), *this.site) => Poll::Pending,
            Poll::Pending => {
                look_closely(key, before, this.word.context(), task.waker(), *this.site)
                    .map_or(Poll::Pending, |cancelled| Poll::Ready(Err(cancelled)))
            }
        }
    }

    /// Polls itself in a frame of its own.
    #[inline(never)]
    fn poll_as_owner(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Result<(F::Output, Kept), Cancelled>> {
        let waker = task.waker();
        let word = self.as_mut().project().word;
        let (context, mut kept) = (word.held(), word.take_kept());
        let mut new = Owner::of_begun();
        let owner = kept.0.as_mut().map_or(&mut new, |kept| &mut kept.value);
        let polled = owner.poll(context.borrow(), waker, || self.as_mut().poll_covered(task));
        let is_new = !new.is_empty();
        match polled {
            Poll::Ready(ended) => {
                if !is_new {
                    // Not dropped, which would be a call.
                    std::mem::forget(new);
                }
                let value = ended.and_then(|result| result);
                Poll::Ready(value.map(|value| (value, kept)))
            }
            Poll::Pending => {
                if is_new {
                    kept = Kept(Some(Box::new(Loose::new(new))));
                }
                self.project().word.keep(kept);
                Poll::Pending
            }
        }
    }
}

/// After a poll that ended pending: why the await at `site` is left, if it is.
#[cold]
#[inline(never)]
fn look_closely(
    key: Key,
    before: u64,
    context: &Context,
    waker: &Waker,
    site: impl At,
) -> Option<Cancelled> {
    let mut vigil = memory::take_vigil(key);
    if watch::is_over(&mut vigil, before, context, waker) {
        return context.leave_at(watch::take_parked(before).unwrap_or_else(site));
    }
    memory::keep_vigil(key, vigil);
    None
}

impl<W, F, S> fmt::Debug for Guard<W, F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Kept(owner)"
        } else {
            "Kept"
        })
    }
}

impl fmt::Debug for Borrowing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Borrowing")
    }
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Holding").field(&self.context).finish()
    }
}
