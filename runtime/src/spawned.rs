//! What the attribute makes of a spawn with `inherit_spawns`: the task carries the context that was the
//! current one where it was spawned, and its type stays.
//!
//! A cancelled task has no value to end with, so it ends as an aborted one does: it aborts itself, with
//! the handle that the spawn gave, and stays pending.
//!
//! Invariants:
//! 1. The future asks for its abort only after it was dropped inside of its scope: no body goes on
//!    after the scope has ended.
//! 2. Whichever comes second, the handle or the wish to end, aborts the task: it may run before the
//!    spawn has returned. Both are decided under the lock of [`Link`]; the abort itself is not, since
//!    it may wake the task.
//! 3. Only what gives a handle of tokio's is put into a scope; all else is left as it was.

use std::any::{Any, TypeId};
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use pin_project_lite::pin_project;
use tokio::task::{AbortHandle, JoinHandle};

use crate::context::Context;
use crate::sync::Mutex;
use crate::task::Body;

/// The argument of a call that may spawn it: `Spawned::new(work()).by(|task| tokio::spawn(task))`
///
/// The method of a future is found here first; that of anything else by `DerefMut`.
pub struct Spawned<F>(Argument<F>);

/// Where the method is found that holds for every argument.
pub struct Argument<F>(Option<F>);

impl<F> Spawned<F> {
    /// Takes the argument.
    #[must_use]
    pub const fn new(argument: F) -> Self {
        Self(Argument(Some(argument)))
    }
}

impl<F> Deref for Spawned<F> {
    type Target = Argument<F>;

    fn deref(&self) -> &Argument<F> {
        &self.0
    }
}

impl<F> DerefMut for Spawned<F> {
    fn deref_mut(&mut self) -> &mut Argument<F> {
        &mut self.0
    }
}

impl<F> Argument<F> {
    fn take(&mut self) -> F {
        self.0.take().expect("an argument is taken once")
    }

    /// Calls `spawn` with the argument as it is.
    pub fn by<H>(&mut self, spawn: impl FnOnce(F) -> H) -> H {
        spawn(self.take())
    }
}

impl<F: Future<Output: 'static>> Spawned<F> {
    /// Calls `spawn` with the future in a scope of the current context, if that gives a handle.
    #[track_caller]
    pub fn by<H: 'static>(&mut self, spawn: impl FnOnce(Inherited<F>) -> H) -> H {
        let future = self.0.take();
        if !gives_handle::<H, F::Output>() {
            return spawn(Inherited::Plain { future });
        }
        let body = Body::new(&Context::current(), future);
        let (record, link) = (body.record(), Arc::new(Link::default()));
        let handle = spawn(Inherited::Scoped {
            body,
            link: Arc::clone(&link),
            has_ended: false,
        });
        let abort = abort_handle::<H, F::Output>(&handle);
        if let (Some(record), Some(abort)) = (record, &abort) {
            record.set_abort(abort.clone());
        }
        link.set(abort);
        handle
    }
}

fn gives_handle<H: 'static, T: 'static>() -> bool {
    [
        TypeId::of::<JoinHandle<T>>(),
        TypeId::of::<io::Result<JoinHandle<T>>>(),
        TypeId::of::<AbortHandle>(),
        TypeId::of::<io::Result<AbortHandle>>(),
    ]
    .contains(&TypeId::of::<H>())
}

/// The handle that a spawn gave; none if it failed.
fn abort_handle<H: 'static, T: 'static>(handle: &H) -> Option<AbortHandle> {
    let handle: &dyn Any = handle;
    let join: Option<&JoinHandle<T>> = handle.downcast_ref().or_else(|| {
        handle
            .downcast_ref::<io::Result<JoinHandle<T>>>()?
            .as_ref()
            .ok()
    });
    if let Some(join) = join {
        return Some(join.abort_handle());
    }
    let abort: Option<&AbortHandle> = handle.downcast_ref().or_else(|| {
        handle
            .downcast_ref::<io::Result<AbortHandle>>()?
            .as_ref()
            .ok()
    });
    abort.cloned()
}

/// Between the task and the handle of its spawn.
#[derive(Default)]
pub struct Link(Mutex<Wish>);

/// Which of the two came first.
#[derive(Default)]
enum Wish {
    #[default]
    None,
    Handle(AbortHandle),
    /// The task wants to end.
    Abort,
}

impl Link {
    fn set(&self, handle: Option<AbortHandle>) {
        let Some(handle) = handle else { return };
        let mut wish = self.0.lock();
        if matches!(*wish, Wish::Abort) {
            drop(wish);
            handle.abort();
        } else {
            *wish = Wish::Handle(handle);
        }
    }

    fn abort(&self) {
        let wish = std::mem::replace(&mut *self.0.lock(), Wish::Abort);
        if let Wish::Handle(handle) = wish {
            handle.abort();
        }
    }
}

pin_project! {
    /// The future of a task that was spawned in annotated code.
    #[must_use = "futures do nothing unless polled"]
    #[project = InheritedProjection]
    pub enum Inherited<F> {
        /// In whatever scope it is.
        Plain {
            #[pin]
            future: F,
        },
        /// In a scope of its own.
        Scoped {
            #[pin]
            body: Body<F>,
            link: Arc<Link>,
            // It waits to be aborted.
            has_ended: bool,
        },
    }
}

impl<F: Future> Future for Inherited<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let (body, link, has_ended) = match self.project() {
            InheritedProjection::Plain { future } => return future.poll(task),
            InheritedProjection::Scoped {
                body,
                link,
                has_ended,
            } => (body, link, has_ended),
        };
        if *has_ended {
            return Poll::Pending;
        }
        match body.poll(task) {
            Poll::Ready(Ok(value)) => return Poll::Ready(value),
            Poll::Ready(Err(_)) => *has_ended = true,
            Poll::Pending => return Poll::Pending,
        }
        link.abort();
        Poll::Pending
    }
}

impl<F> fmt::Debug for Spawned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawned")
    }
}

impl<F> fmt::Debug for Argument<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Argument")
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl<F> fmt::Debug for Inherited<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inherited")
    }
}
