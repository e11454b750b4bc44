//! A task that is polled by hand.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};

use cancel_context::{Cancelled, Context};

use crate::support::wakers::CountingWaker;

/// A future with a counting waker; polled only when a test says so.
pub(crate) struct HandTask<F> {
    future: Pin<Box<F>>,
    counter: Arc<CountingWaker>,
    waker: Waker,
}

impl<F: Future> HandTask<F> {
    pub(crate) fn new(future: F) -> Self {
        let counter = CountingWaker::new();
        let waker = counter.waker();
        Self {
            future: Box::pin(future),
            counter,
            waker,
        }
    }

    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        poll_with(self.future.as_mut(), &self.waker)
    }

    #[track_caller]
    pub(crate) fn assert_pending(&mut self) {
        assert!(self.poll().is_pending(), "it is ready");
    }

    #[track_caller]
    pub(crate) fn assert_ready(&mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it is pending"),
        }
    }

    /// Polls as long as it is woken, as an executor would; panics if it then is still pending.
    #[track_caller]
    pub(crate) fn run_woken(&mut self) -> F::Output {
        let mut seen = 0;
        while self.wakes() > seen {
            seen = self.wakes();
            if let Poll::Ready(output) = self.poll() {
                return output;
            }
            assert!(seen < 10_000, "it wakes itself for ever");
        }
        panic!("it is pending and nobody woke it");
    }

    pub(crate) fn wakes(&self) -> usize {
        self.counter.wakes()
    }

    pub(crate) fn counter(&self) -> &Arc<CountingWaker> {
        &self.counter
    }

    pub(crate) fn into_future(self) -> Pin<Box<F>> {
        self.future
    }
}

pub(crate) fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(waker))
}

/// Pending the first `count` times; wakes at once.
pub(crate) async fn yields(count: usize) {
    for _ in 0..count {
        let mut is_ready = false;
        std::future::poll_fn(|task| {
            if std::mem::replace(&mut is_ready, true) {
                return Poll::Ready(());
            }
            task.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

pub(crate) type Nested = Pin<Box<dyn Future<Output = Result<usize, Cancelled>> + Send>>;

/// `depth` scopes of one context within each other; gives how many of them saw the end.
pub(crate) fn nested(context: &Context, depth: usize) -> Nested {
    if depth == 0 {
        let context = context.clone();
        return Box::pin(async move { context.run(pending::<()>()).await.map(|()| 0) });
    }
    let (inner, scope) = (nested(context, depth - 1), context.clone());
    Box::pin(async move {
        let result = scope.run(inner).await;
        Ok(result.and_then(|inner| inner).unwrap_or(0) + 1)
    })
}
