//! Wakers that call back, block or panic, at each place where one is cloned, woken or dropped.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use cancel_context::private::{Over, around, is_over, unwind};
use cancel_context::{Context, Site};
use futures::channel::oneshot;

use crate::support::foreign::ACTS;
use crate::support::scene::{DRIVERS, Driver, Position, Scene, Setting, check};
use crate::support::tasks::poll_with;
use crate::support::wakers::{ActingWaker, CountingWaker};

const LONG: Duration = Duration::from_secs(3600);

/// Somebody who waits for the child, with a waker of one's own at each poll.
struct Waiting(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Waiting {
    fn at(context: &Context) -> Self {
        let context = context.clone();
        Self(Box::pin(async move {
            context.cancelled().await;
        }))
    }

    fn in_scope(context: &Context) -> Self {
        let context = context.clone();
        Self(Box::pin(async move {
            context.run(pending::<()>()).await.unwrap_err();
        }))
    }

    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        poll_with(self.0.as_mut(), waker)
    }

    fn polled(mut self, waker: &Waker) -> Self {
        assert!(self.poll(waker).is_pending());
        self
    }
}

fn quiet() -> Waker {
    CountingWaker::new().waker()
}

/// A poll with `waker`, whatever it gives.
fn poll(mut waiting: Waiting, waker: Waker) -> Position {
    Box::new(move || {
        // Whether it has ended depends on what the waker does.
        let _polled = waiting.poll(&waker);
    })
}

fn cancel(scene: &Scene) -> Position {
    let canceller = scene.canceller.clone();
    Box::new(move || canceller.cancel_with("position"))
}

fn check_calls(settings: &[(&'static str, Setting)]) {
    for (name, setting) in settings {
        check(name, *setting, &ACTS, &[Driver::Mover]);
    }
}

fn cloning(scene: &Scene) -> Waker {
    ActingWaker::on_clone(scene.action())
}

fn waking(scene: &Scene) -> Waker {
    ActingWaker::on_wake(scene.action())
}

fn dropping(scene: &Scene) -> Waker {
    ActingWaker::on_drop(scene.action())
}

/// A merge that ends with the child.
fn merge(scene: &Scene) -> Context {
    let other = scene.parent.with_name("other");
    let merge = Context::any([scene.child.clone(), other.clone()]);
    let merge = Context::all([merge, scene.child.clone()]);
    scene.uses(&merge);
    merge
}

/// An await of a function without a context of its own, as the attribute makes it.
async fn implicit_await() {
    static SITE: Site = Site::new("pending()", "foreign_wakers::implicit_await");
    let over = if is_over(&SITE) {
        Over::here()
    } else {
        let left = around((), pending::<()>(), || &SITE).await;
        left.expect_err("nothing else ends it")
    };
    match unwind(over.at(&SITE)).await {}
}

/// A scope with such an await, which is polled with a waker of its own.
fn member(context: &Context, waker: Waker) -> Waiting {
    let context = context.clone();
    Waiting(Box::pin(async move {
        let mut member = Box::pin(implicit_await());
        let scope = context.run(poll_fn(move |_| poll_with(member.as_mut(), &waker)));
        scope.await.unwrap_err();
    }))
}

// guarantee B9
#[test]
fn a_waker_does_as_it_likes_when_it_is_cloned() {
    check_calls(&[
        ("to wait", |scene| {
            poll(Waiting::at(&scene.child), cloning(scene))
        }),
        ("to wait in a scope", |scene| {
            poll(Waiting::in_scope(&scene.child), cloning(scene))
        }),
        ("to wait at a merge", |scene| {
            poll(Waiting::at(&merge(scene)), cloning(scene))
        }),
        ("to take the place of another", |scene| {
            let waiting = Waiting::at(&scene.child).polled(&quiet());
            poll(waiting, cloning(scene))
        }),
        ("to take the place of another in a scope", |scene| {
            let waiting = Waiting::in_scope(&scene.child).polled(&quiet());
            poll(waiting, cloning(scene))
        }),
        ("by a member of a scope", |scene| {
            poll(member(&scene.child, cloning(scene)), quiet())
        }),
    ]);
}

// guarantee B9
#[test]
fn a_waker_does_as_it_likes_when_it_is_woken() {
    check_calls(&[
        ("by a cancel", |scene| {
            let waiting = Waiting::at(&scene.child).polled(&waking(scene));
            after(waiting, cancel(scene))
        }),
        ("in a scope, by a cancel", |scene| {
            let waiting = Waiting::in_scope(&scene.child).polled(&waking(scene));
            after(waiting, cancel(scene))
        }),
        ("as a member of a scope, by a cancel", |scene| {
            let waiting = member(&scene.child, waking(scene)).polled(&quiet());
            after(waiting, cancel(scene))
        }),
        ("at a merge, by a cancel", |scene| {
            let waiting = Waiting::at(&merge(scene)).polled(&waking(scene));
            after(waiting, cancel(scene))
        }),
        ("by the drop of a canceller", |scene| {
            let (context, canceller) = scene.child.with_cancel();
            let waiting = Waiting::at(&context).polled(&waking(scene));
            after(waiting, Box::new(move || drop(canceller)))
        }),
        ("by a completion", |scene| {
            let (sender, receiver) = oneshot::channel::<&str>();
            let context = (scene.child).with_future(async { receiver.await.unwrap_or_default() });
            let waiting = Waiting::at(&context).polled(&waking(scene));
            let complete = move || sender.send("position").unwrap_or_default();
            after(waiting, Box::new(complete))
        }),
    ]);
}

/// `position`, while somebody still waits.
fn after(waiting: Waiting, position: Position) -> Position {
    Box::new(move || {
        position();
        drop(waiting);
    })
}

// guarantee B9
#[test]
fn a_waker_does_as_it_likes_when_a_deadline_wakes_it() {
    let settings: [(&'static str, Setting); 3] = [
        ("woken", |scene| {
            let (context, passing) = scene.timed();
            let waiting = Waiting::at(&context).polled(&waking(scene));
            after(waiting, Box::new(|| passing.pass()))
        }),
        ("woken in a scope below", |scene| {
            let (context, passing) = scene.timed();
            let waiting = Waiting::in_scope(&context.with_timeout(LONG).with_name("below"));
            let waiting = waiting.polled(&waking(scene));
            after(waiting, Box::new(|| passing.pass()))
        }),
        ("dropped", |scene| {
            let (context, passing) = scene.timed();
            let waiting = Waiting::at(&context).polled(&dropping(scene));
            after(waiting, Box::new(|| passing.pass()))
        }),
    ];
    for (name, setting) in settings {
        check(name, setting, &ACTS, DRIVERS);
    }
}

// guarantee B9; an await above one that has looked before the cancel asks for one more poll
#[test]
fn a_waker_does_as_it_likes_when_it_is_woken_by_reference() {
    check_calls(&[("in a poll that the cancel overtakes", |scene| {
        let (context, canceller) = (scene.child.clone(), scene.canceller.clone());
        let scope = async move {
            let inner = context.run(pending::<()>());
            let cancel = async {
                canceller.cancel_with("position");
                pending::<()>().await;
            };
            let both = context.run(async { futures::join!(inner, cancel) });
            both.await.unwrap_err();
        };
        poll(Waiting(Box::pin(scope)), waking(scene))
    })]);
}

// guarantee B9
#[test]
fn a_waker_does_as_it_likes_when_it_is_dropped() {
    check_calls(&[
        ("for another one", |scene| {
            let waiting = Waiting::at(&scene.child).polled(&dropping(scene));
            poll(waiting, quiet())
        }),
        ("for another one in a scope", |scene| {
            let waiting = Waiting::in_scope(&scene.child).polled(&dropping(scene));
            poll(waiting, quiet())
        }),
        ("since nobody waits any more", |scene| {
            let waiting = Waiting::at(&scene.child).polled(&dropping(scene));
            Box::new(move || drop(waiting))
        }),
        ("since nobody waits at a merge any more", |scene| {
            let waiting = Waiting::at(&merge(scene)).polled(&dropping(scene));
            Box::new(move || drop(waiting))
        }),
        ("since a scope is gone", |scene| {
            let waiting = Waiting::in_scope(&scene.child).polled(&dropping(scene));
            Box::new(move || drop(waiting))
        }),
        ("after a cancel has woken it", |scene| {
            let waiting = Waiting::at(&scene.child).polled(&dropping(scene));
            after(waiting, cancel(scene))
        }),
    ]);
}
