//! Values, causes and futures that call back, block or panic when they are dropped, and what else of the
//! caller's runs within a call.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use cancel_context::Context;
use futures::FutureExt;
use futures::channel::oneshot;

use crate::support::OnDrop;
use crate::support::foreign::{ACTS, Act};
use crate::support::scene::{DRIVERS, Driver, Position, Scene, Setting, check};
use crate::support::tasks::HandTask;

const LONG: Duration = Duration::from_secs(3600);

fn check_calls(settings: &[(&'static str, Setting)]) {
    for (name, setting) in settings {
        check(name, *setting, &ACTS, &[Driver::Mover]);
    }
}

/// Below the child, with a value whose destructor is the foreign code.
fn valued(scene: &Scene) -> Context {
    let value = OnDrop::new(scene.action());
    let context = scene.child.with_name("above").with_value(value);
    context.with_timeout(LONG).with_name("below")
}

fn dropping<T: Send + 'static>(dropped: T) -> Position {
    Box::new(move || drop(dropped))
}

fn cancel(scene: &Scene) -> Position {
    let canceller = scene.canceller.clone();
    Box::new(move || canceller.cancel_with("position"))
}

// guarantee B9
#[test]
fn a_value_does_as_it_likes_when_it_is_dropped() {
    check_calls(&[
        ("with its last context", |scene| dropping(valued(scene))),
        ("with a chain", |scene| {
            let chain = (0..10).fold(valued(scene), |chain, _| chain.with_name("link"));
            dropping(chain)
        }),
        ("with a merge", |scene| {
            let merge = Context::any([scene.child.clone(), valued(scene)]);
            dropping(Context::all([merge, valued(scene)]))
        }),
        ("with its last canceller", |scene| {
            dropping(valued(scene).with_cancel().1)
        }),
        ("with the last who waited", |scene| {
            let mut waiting = HandTask::new(valued(scene).cancelled_owned());
            waiting.assert_pending();
            dropping(waiting)
        }),
        ("with the last function", |scene| {
            let callback = valued(scene).after_cancel(|| {});
            Box::new(|| assert!(callback.stop()))
        }),
        ("with the last interrupt", |scene| {
            dropping(valued(scene).interrupt_with(|| {}))
        }),
        ("with a function that cannot run any more", |scene| {
            let value = OnDrop::new(scene.action());
            let (context, canceller) = scene.child.without_cancel().with_value(value).with_cancel();
            context.after_cancel(|| {});
            Box::new(|| canceller.detach())
        }),
    ]);
    let setting: Setting = |scene| {
        valued(scene).after_cancel(|| {});
        cancel(scene)
    };
    let acts = [Act::CallsBack, Act::Blocks];
    check("with a function that ran", setting, &acts, &[Driver::Mover]);
}

// guarantee B9
#[test]
fn a_value_does_as_it_likes_when_a_deadline_drops_it() {
    let setting: Setting = |scene| {
        let (context, passing) = scene.timed();
        scene.uses(&context);
        let value = OnDrop::new(scene.action());
        context
            .with_value(value)
            .with_timeout(LONG)
            .after_cancel(|| {});
        Box::new(|| passing.pass())
    };
    check("a value", setting, &[Act::CallsBack, Act::Blocks], DRIVERS);
}

/// A cause whose destructor is the foreign code.
struct Cause<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> fmt::Debug for Cause<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cause")
    }
}

impl<F: Fn() + Send + Sync> fmt::Display for Cause<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cause")
    }
}

impl<F: Fn() + Send + Sync> Error for Cause<F> {}

impl<F: Fn() + Send + Sync> Drop for Cause<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn cause(scene: &Scene) -> Box<dyn Error + Send + Sync> {
    Box::new(Cause(scene.action()))
}

// guarantee B9
#[test]
fn a_cause_does_as_it_likes_when_it_is_dropped() {
    check_calls(&[
        ("since it comes too late", |scene| {
            scene.child_canceller.cancel();
            let (canceller, cause) = (scene.child_canceller.clone(), cause(scene));
            Box::new(move || canceller.cancel_with(cause))
        }),
        ("with the last context that it ended", |scene| {
            let (context, canceller) = scene.child.with_cancel();
            canceller.cancel_with(cause(scene));
            dropping((canceller, context.with_name("below"), context))
        }),
        ("with the last who was told", |scene| {
            let (context, canceller) = scene.child.with_cancel();
            canceller.cancel_with(cause(scene));
            dropping(context.check().unwrap_err())
        }),
        ("with a deadline that has not passed", |scene| {
            dropping(scene.child.with_timeout_cause(LONG, cause(scene)))
        }),
    ]);
    let setting: Setting = |scene| {
        let (child, cause) = (scene.child.clone(), cause(scene));
        Box::new(move || drop(child.with_timeout_cause(Duration::MAX, cause)))
    };
    // Nobody drops what a function returns if a destructor of its arguments panics.
    let acts = [Act::CallsBack, Act::Blocks];
    check(
        "with a timeout that is none",
        setting,
        &acts,
        &[Driver::Mover],
    );
}

type Source = Pin<Box<dyn Future<Output = &'static str> + Send>>;

/// A future whose destructor is the foreign code, and wakes what it was polled with; it completes when the
/// sender says so.
fn source(scene: &Scene) -> (oneshot::Sender<&'static str>, Source) {
    let (sender, mut receiver) = oneshot::channel();
    let own_waker = Arc::new(Mutex::new(None::<Waker>));
    let (woken, action) = (Arc::clone(&own_waker), scene.action());
    let on_drop = OnDrop::new(move || {
        let waker = woken.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        action();
    });
    let source = poll_fn(move |task| {
        let _captured = &on_drop;
        *own_waker.lock().unwrap() = Some(task.waker().clone());
        receiver.poll_unpin(task).map(Result::unwrap_or_default)
    });
    (sender, Box::pin(source))
}

// guarantee B9
#[test]
fn a_future_that_ends_a_context_does_as_it_likes_when_it_is_dropped() {
    check_calls(&[
        ("with its context", |scene| {
            let (sender, source) = source(scene);
            let context = scene.child.with_future(source);
            Box::new(move || drop((context, sender)))
        }),
        ("by a cancel above", |scene| {
            let (sender, source) = source(scene);
            let context = scene.child.with_future(source);
            scene.uses(&context);
            let cancel = cancel(scene);
            Box::new(move || {
                cancel();
                drop((context, sender));
            })
        }),
        ("by its completion", |scene| {
            let (sender, source) = source(scene);
            let context = scene.child.with_future(source);
            scene.uses(&context);
            Box::new(move || sender.send("position").unwrap_or_default())
        }),
    ]);
}

// guarantee B9
#[test]
fn a_future_does_as_it_likes_when_a_deadline_drops_it() {
    let setting: Setting = |scene| {
        let (context, passing) = scene.timed();
        let (sender, source) = source(scene);
        let below = context.with_future(source);
        scene.uses(&below);
        Box::new(move || {
            passing.pass();
            drop(sender);
        })
    };
    check("a future", setting, &ACTS, DRIVERS);
}

// guarantee B9
#[test]
fn a_future_that_ends_a_context_does_as_it_likes_when_it_is_polled() {
    check_calls(&[
        ("for the first time", |scene| {
            let (child, action) = (scene.child.clone(), scene.action());
            let source = poll_fn(move |_| {
                action();
                Poll::<&str>::Pending
            });
            Box::new(move || drop(child.with_future(source)))
        }),
        ("by who wakes it", |scene| {
            let (sender, receiver) = oneshot::channel::<()>();
            let action = scene.action();
            let context = scene.child.with_future(async move {
                receiver.await.unwrap_or_default();
                action();
                "position"
            });
            scene.uses(&context);
            Box::new(move || sender.send(()).unwrap_or_default())
        }),
    ]);
}

/// Calls the foreign code when it is turned into what the tree takes.
struct Convertible<F>(F);

impl<F: Fn()> From<Convertible<F>> for Cow<'static, str> {
    fn from(convertible: Convertible<F>) -> Self {
        (convertible.0)();
        Cow::Borrowed("converted")
    }
}

impl<F: Fn()> From<Convertible<F>> for Box<dyn Error + Send + Sync> {
    fn from(convertible: Convertible<F>) -> Self {
        (convertible.0)();
        "converted".into()
    }
}

impl<F: Fn()> From<Convertible<F>> for Instant {
    fn from(convertible: Convertible<F>) -> Self {
        (convertible.0)();
        Instant::now() + LONG
    }
}

// guarantee B9
#[test]
fn what_is_handed_in_does_as_it_likes_when_it_is_converted() {
    check_calls(&[
        ("into a name", |scene| {
            let (child, name) = (scene.child.clone(), Convertible(scene.action()));
            Box::new(move || drop(child.with_name(name)))
        }),
        ("into a cause", |scene| {
            let (canceller, cause) = (scene.child_canceller.clone(), Convertible(scene.action()));
            Box::new(move || canceller.cancel_with(cause))
        }),
        ("into a deadline", |scene| {
            let (child, deadline) = (scene.child.clone(), Convertible(scene.action()));
            Box::new(move || drop(child.with_deadline(deadline)))
        }),
        ("into a later deadline", |scene| {
            let (context, mover) = scene.child.with_movable_deadline(Instant::now() + LONG);
            scene.uses(&context);
            let deadline = Convertible(scene.action());
            // Whether it is in time depends on what the conversion does.
            Box::new(move || drop((mover.move_to(deadline), context)))
        }),
        ("into the sources of a merge", |scene| {
            let (child, action) = (scene.child.clone(), scene.action());
            let sources = std::iter::repeat_with(move || {
                action();
                child.clone()
            });
            Box::new(move || drop(Context::any(sources.take(2))))
        }),
    ]);
}
