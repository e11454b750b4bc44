//! A future whose completion ends a context.
//!
//! Nobody awaits it: it is polled once when it is attached, and then whenever it wakes, as a task
//! on the runtime it was attached in, or else by whoever wakes it. So it costs no task of its own
//! while it is pending, and works on any executor. One that waits for a token runs no foreign code, and is
//! always polled by who wakes it: the context ends before `cancel` of the token returns.
//!
//! Invariants:
//! 1. Who takes the future out of `state` polls it; who wakes meanwhile leaves a note, and the
//!    poller polls again. So a wake is never lost and the future is never polled twice at a time.
//! 2. The future is polled and dropped outside of the lock.
//! 3. The node owns this, and this points back weakly: when the node is dropped, so is the future.
//!    When the node ends, the future is dropped although the node is kept.

use std::error::Error;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Poll, Wake, Waker};

#[cfg(feature = "tokens")]
use tokio_util::sync::CancellationToken;

use crate::callbacks::{Callback, Home};
use crate::cancelled::{Cause, into_cause};
use crate::origin::Origin;
use crate::sync::{Mutex, OnceLock};
use crate::tree::Node;

type Source = Pin<Box<dyn Future<Output = Cause> + Send>>;

enum State {
    Waiting(Source),
    Polled { woken: bool },
    Over,
}

pub(crate) struct Completion {
    state: Mutex<State>,
    home: Home,
    node: OnceLock<Weak<Node>>,
    /// Where it was attached.
    place: &'static Location<'static>,
    /// What has made the context.
    pub(crate) method: &'static str,
}

impl Completion {
    #[track_caller]
    pub(crate) fn of_future<F>(future: F) -> Arc<Self>
    where
        F: Future<Output: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let source = async { into_cause(future.await) };
        Self::new("with_future", Home::here(), Box::pin(source))
    }

    #[cfg(feature = "tokens")]
    #[track_caller]
    pub(crate) fn of_token(token: CancellationToken) -> Arc<Self> {
        let source = async {
            token.cancelled_owned().await;
            into_cause("cancellation token cancelled")
        };
        Self::new("with_token", Home::nowhere(), Box::pin(source))
    }

    #[track_caller]
    fn new(method: &'static str, home: Home, source: Source) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Waiting(source)),
            home,
            node: OnceLock::new(),
            place: Location::caller(),
            method,
        })
    }

    /// Polls for the first time, on behalf of `node`.
    pub(crate) fn attach(self: &Arc<Self>, node: &Arc<Node>) {
        self.node.get_or_init(|| Arc::downgrade(node));
        let callback: Arc<dyn Callback> = Arc::<Self>::clone(self);
        node.add_callback(callback);
        self.drive();
    }

    fn drive(self: &Arc<Self>) {
        let Some(node) = self.node.get().and_then(Weak::upgrade) else {
            return;
        };
        let waker = Waker::from(Arc::new(Alarm(Arc::downgrade(self))));
        let mut taken = self.take();
        while let Some(mut source) = taken {
            let mut task = std::task::Context::from_waker(&waker);
            let polled = catch_unwind(AssertUnwindSafe(|| source.as_mut().poll(&mut task)));
            taken = match polled {
                Ok(Poll::Pending) => self.put_back(source),
                // The panic hook has reported it; nothing ends the context from here any more.
                Err(_) => {
                    self.close();
                    return node.release();
                }
                Ok(Poll::Ready(cause)) => {
                    // First the end: without either, nothing seems to be left that could end the node.
                    node.cancel(Some(cause), Origin::Completed(self.place));
                    return self.close();
                }
            };
        }
    }

    fn take(&self) -> Option<Source> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(source) => {
                *state = State::Polled { woken: false };
                Some(source)
            }
            State::Polled { .. } => {
                *state = State::Polled { woken: true };
                None
            }
            State::Over => None,
        }
    }

    /// Gives the future back if it was woken while it was polled; drops it if it is over.
    fn put_back(&self, source: Source) -> Option<Source> {
        let mut state = self.state.lock();
        match *state {
            State::Polled { woken: false } => {
                *state = State::Waiting(source);
                None
            }
            State::Polled { woken: true } => {
                *state = State::Polled { woken: false };
                Some(source)
            }
            State::Waiting(_) | State::Over => {
                drop(state);
                drop(source);
                None
            }
        }
    }

    /// Whether the future may still complete.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(*self.state.lock(), State::Over)
    }

    fn close(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Over);
        drop(state);
    }
}

impl Callback for Completion {
    /// The context has ended, from here or from above.
    fn run(self: Arc<Self>) {
        self.close();
    }

    fn free(self: Arc<Self>) {}

    fn pins(&self) -> bool {
        false
    }
}

/// What the future wakes; it does not keep the future alive.
struct Alarm(Weak<Completion>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        if let Some(completion) = self.0.upgrade() {
            let home = completion.home.clone();
            home.run(move || completion.drive());
        }
    }
}
