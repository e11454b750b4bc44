//! Two tasks of one thread that wake each other in turn, through nothing but their wakers.
//!
//! 1. A task that waits is pending exactly once: it is woken only after it has left its waker.
//! 2. A waker is left again only if it is another one, so a turn clones none.

use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::measure::timed;

/// Where one of the tasks waits.
#[derive(Default)]
struct Place {
    waker: Cell<Option<Waker>>,
    is_woken: Cell<bool>,
}

impl Place {
    fn wait(&self, waker: &Waker) {
        let left = self.waker.take();
        let left = left.filter(|left| left.will_wake(waker));
        self.waker.set(Some(left.unwrap_or_else(|| waker.clone())));
    }

    /// Wakes the task if it has ever waited here.
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            self.is_woken.set(true);
            waker.wake_by_ref();
            self.waker.set(Some(waker));
        }
    }
}

/// A task's own place, and that of the other one.
pub(crate) struct Seat {
    own: Rc<Place>,
    other: Rc<Place>,
}

impl Seat {
    fn pair() -> [Self; 2] {
        let (one, other) = (Rc::<Place>::default(), Rc::<Place>::default());
        let (own, opposite) = (Rc::clone(&one), Rc::clone(&other));
        [
            Self { own, other },
            Self {
                own: opposite,
                other: one,
            },
        ]
    }

    /// Says that it is the other task's turn.
    pub(crate) fn wake_other(&self) {
        self.other.wake();
    }

    /// Waits for the turn of this task.
    pub(crate) fn woken(&self) -> Woken<'_> {
        Woken(&self.own)
    }
}

/// Pending until the other task wakes it. Its poll is not inlined.
pub(crate) struct Woken<'a>(&'a Place);

impl Future for Woken<'_> {
    type Output = u64;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<u64> {
        if self.0.is_woken.take() {
            return Poll::Ready(black_box(1));
        }
        self.0.wait(task.waker());
        Poll::Pending
    }
}

/// How long two tasks take for so many turns of the two; `play` is what each of them does.
pub(crate) fn alternate<F: Future<Output: 'static> + 'static>(
    runtime: &Runtime,
    times: usize,
    play: impl Fn(Seat, usize) -> F,
) -> Duration {
    let tasks = LocalSet::new();
    let [one, other] = Seat::pair().map(|seat| tasks.spawn_local(play(seat, times.div_ceil(2))));
    timed(|| {
        tasks.block_on(runtime, async {
            one.await.expect("it does not panic");
            other.await.expect("it does not panic");
        });
    })
}
