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

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::memory::{self, Key};
use crate::owner::Owner;
use crate::raw::{Loose, Tagged};
use crate::scope;
use crate::watch::{self, Watch};

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
#[expect(private_interfaces, reason = "for the guard only")]
pub trait Word {
    /// The context, for the time of a poll.
    type Held: Borrow<Context>;

    /// The context.
    fn context(&self) -> &Context;

    /// The context, which lives longer than `self`.
    fn held(&self) -> Self::Held;

    /// What is kept; from now on there is something to keep.
    fn owner(&mut self) -> &mut Owner;

    /// For the next await.
    fn into_kept(self) -> Kept;
}

/// The word of a borrowed context.
pub struct Borrowing<'a>(Tagged<'a, Context, Owner>);

/// The words of an owned one.
pub struct Holding {
    context: Context,
    kept: Option<Box<Keepsake>>,
}

#[cold]
#[inline(never)]
fn new_owner() -> Keepsake {
    Loose::new(Owner::new())
}

impl<'a> Hold for &'a Context {
    type Word = Borrowing<'a>;

    #[inline]
    fn word(self, kept: Kept) -> Borrowing<'a> {
        Borrowing(match kept.0 {
            None => Tagged::new(self),
            Some(owner) => Tagged::boxed(self, owner),
        })
    }
}

#[expect(private_interfaces, reason = "for the guard only")]
impl<'a> Word for Borrowing<'a> {
    type Held = &'a Context;

    #[inline]
    fn context(&self) -> &Context {
        self.0.borrowed()
    }

    fn held(&self) -> &'a Context {
        self.0.borrowed()
    }

    fn owner(&mut self) -> &mut Owner {
        if self.0.value().is_none() {
            self.0 = Tagged::boxed(self.0.borrowed(), Box::new(new_owner()));
        }
        self.0.value().expect("it was just made")
    }

    #[inline]
    fn into_kept(self) -> Kept {
        Kept(self.0.into_box())
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

#[expect(private_interfaces, reason = "for the guard only")]
impl Word for Holding {
    type Held = Context;

    fn context(&self) -> &Context {
        &self.context
    }

    fn held(&self) -> Context {
        self.context.clone()
    }

    fn owner(&mut self) -> &mut Owner {
        &mut self.kept.get_or_insert_with(|| Box::new(new_owner())).value
    }

    fn into_kept(self) -> Kept {
        Kept(self.kept)
    }
}

pin_project! {
    /// An await of an annotated function; made by the attribute.
    #[must_use = "futures do nothing unless polled"]
    pub struct Guard<W, F> {
        // None once it has completed.
        word: Option<W>,
        #[pin]
        future: F,
    }
}

impl<W: Word, F> Guard<W, F> {
    #[inline]
    pub(crate) fn new(context: impl Hold<Word = W>, future: F, kept: Kept) -> Self {
        Self {
            word: Some(context.word(kept)),
            future,
        }
    }
}

impl<W: Word, F: Future> Future for Guard<W, F> {
    type Output = (Result<F::Output, Cancelled>, Kept);

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let waker = task.waker();
        let word = self.word.as_ref();
        let word = word.expect("an await is not polled after it has completed");
        if !watch::is_covered_for(word.context(), waker) {
            return self.poll_as_owner(task);
        }
        let key = Key::of(&*self);
        let before = scope::epoch();
        let this = self.project();
        let result = match this.future.poll(task) {
            Poll::Ready(value) => Ok(value),
            Poll::Pending if scope::is_quiet(before) => return Poll::Pending,
            Poll::Pending if watch::stays(before, task.waker()) => return Poll::Pending,
            Poll::Pending => {
                let word = this.word.as_ref();
                let cancelled =
                    word.and_then(|word| look_closely(key, before, word.context(), task.waker()));
                match cancelled {
                    Some(cancelled) => Err(cancelled),
                    None => return Poll::Pending,
                }
            }
        };
        let kept = this.word.take().map_or_else(Kept::new, Word::into_kept);
        Poll::Ready((result, kept))
    }
}

impl<W: Word, F: Future> Guard<W, F> {
    /// Polls itself in a frame of its own, which covers it.
    #[cold]
    #[inline(never)]
    fn poll_as_owner(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<(Result<F::Output, Cancelled>, Kept)> {
        let key = Key::of(&*self);
        let waker = task.waker();
        let word = self.as_mut().project().word.as_mut();
        let word = word.expect("an await is not polled after it has completed");
        let context = word.held();
        let context: &Context = context.borrow();
        let mut owner = match context.anchor() {
            Some(_) => std::mem::take(word.owner()),
            None => Owner::new(),
        };
        let Owner {
            waiter,
            vigil,
            memory,
        } = &mut owner;
        // What is kept may be that of another context, if the function has several.
        let is_known = context.anchor().is_some_and(|anchor| waiter.is_at(anchor));
        let task_id = waiter.task(waker).filter(|_| is_known);
        let own = Some((context, task_id, memory));
        let mut polled = Watch::poll(own, waker, |watch| {
            let polled = self.as_mut().poll(task);
            if polled.is_ready() || watch.stays() {
                return polled;
            }
            let keeper = Some((waiter, vigil));
            match watch.look_closely(keeper, key, context, waker) {
                Some(cancelled) => Poll::Ready((Err(cancelled), Kept::new())),
                None => Poll::Pending,
            }
        });
        let kept = match &mut polled {
            Poll::Ready((_, kept)) => kept.0.as_mut().map(|kept| &mut kept.value),
            Poll::Pending => self.project().word.as_mut().map(Word::owner),
        };
        if let (Some(kept), Some(_)) = (kept, context.anchor()) {
            *kept = owner;
        }
        polled
    }
}

/// After a poll that ended pending: why the await is left, if it is.
#[cold]
#[inline(never)]
fn look_closely(key: Key, before: u64, context: &Context, waker: &Waker) -> Option<Cancelled> {
    let mut vigil = memory::take_vigil(key);
    if vigil.is_over(before, waker, context) {
        return context.cancelled_at(watch::take_parked(before).map(Left::Site));
    }
    memory::keep_vigil(key, vigil);
    None
}

impl<W, F> fmt::Debug for Guard<W, F> {
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
