//! Functions that call back, block or panic when they run, and what they captured when it is dropped.

use cancel_context::{AfterCancel, Context, InterruptGuard};
use futures::channel::oneshot;

use crate::support::OnDrop;
use crate::support::foreign::ACTS;
use crate::support::scene::{DRIVERS, Driver, Position, Scene, check};

/// What keeps a function at its context.
enum Handle {
    Deferred(AfterCancel),
    Interrupt(InterruptGuard),
}

impl Handle {
    fn stop(self) {
        match self {
            Self::Deferred(callback) => {
                // Whether that prevents a run depends on the setting.
                let _prevented = callback.stop();
            }
            Self::Interrupt(guard) => drop(guard),
        }
    }
}

/// Attaches a function in one of the two ways.
type Attach = fn(&Context, Box<dyn FnOnce() + Send>) -> Handle;

fn defer(context: &Context, function: Box<dyn FnOnce() + Send>) -> Handle {
    Handle::Deferred(context.after_cancel(function))
}

fn interrupt(context: &Context, function: Box<dyn FnOnce() + Send>) -> Handle {
    Handle::Interrupt(context.interrupt_with(function))
}

const ATTACH: [(&str, Attach); 2] = [("deferred", defer), ("interrupt", interrupt)];

/// A setting for a function that is attached in either way.
type FunctionSetting = fn(&Scene, Attach) -> Position;

fn check_each(settings: &[(&'static str, FunctionSetting)], drivers: &[Driver]) {
    for (name, setting) in settings {
        for (kind, attach) in ATTACH {
            let setting = *setting;
            let name = format!("{kind}, {name}");
            check(&name, move |scene| setting(scene, attach), &ACTS, drivers);
        }
    }
}

/// A function that is the foreign code.
fn runs(scene: &Scene) -> Box<dyn FnOnce() + Send> {
    Box::new(scene.action())
}

/// A function with a captured value whose destructor is the foreign code.
fn captures(scene: &Scene) -> Box<dyn FnOnce() + Send> {
    let captured = OnDrop::new(scene.action());
    Box::new(move || drop(captured))
}

/// `position`, while the function stays attached.
fn with(handle: Handle, position: impl FnOnce() + Send + 'static) -> Position {
    Box::new(move || {
        position();
        drop(handle);
    })
}

fn canceller_of(scene: &Scene) -> impl FnOnce() + Send + 'static {
    let canceller = scene.canceller.clone();
    move || canceller.cancel_with("position")
}

// guarantee B9
#[test]
fn a_function_does_as_it_likes_when_a_cancel_runs_it() {
    let settings: [(&str, FunctionSetting); 5] = [
        ("by a cancel above", |scene, attach| {
            with(attach(&scene.child, runs(scene)), canceller_of(scene))
        }),
        ("at a merge", |scene, attach| {
            let merge = Context::any([scene.child.clone(), scene.parent.with_name("other")]);
            scene.uses(&merge);
            with(attach(&merge, runs(scene)), canceller_of(scene))
        }),
        ("by the drop of a canceller", |scene, attach| {
            let (context, canceller) = scene.child.with_cancel();
            scene.uses(&context);
            with(attach(&context, runs(scene)), || drop(canceller))
        }),
        ("by a completion", |scene, attach| {
            let (sender, receiver) = oneshot::channel::<&str>();
            let context = (scene.child).with_future(async { receiver.await.unwrap_or_default() });
            scene.uses(&context);
            let handle = attach(&context, runs(scene));
            with(handle, || sender.send("position").unwrap_or_default())
        }),
        ("when it is attached too late", |scene, attach| {
            scene.child_canceller.cancel();
            let (child, function) = (scene.child.clone(), runs(scene));
            Box::new(move || attach(&child, function).stop())
        }),
    ];
    check_each(&settings, &[Driver::Mover]);
}

// guarantee B9
#[test]
fn a_function_does_as_it_likes_when_a_deadline_runs_it() {
    let settings: [(&str, FunctionSetting); 2] = [
        ("at the deadline", |scene, attach| {
            let (context, passing) = scene.timed();
            scene.uses(&context);
            with(attach(&context, runs(scene)), || passing.pass())
        }),
        ("below the deadline", |scene, attach| {
            let (context, passing) = scene.timed();
            let below = Context::all([context, scene.child.with_future(async { "ended" })]);
            scene.uses(&below);
            with(attach(&below, runs(scene)), || passing.pass())
        }),
    ];
    check_each(&settings, DRIVERS);
}

// guarantee B9
#[test]
fn what_a_function_captured_does_as_it_likes_when_it_is_dropped() {
    let settings: [(&str, FunctionSetting); 3] = [
        ("by its handle", |scene, attach| {
            let handle = attach(&scene.child, captures(scene));
            Box::new(move || handle.stop())
        }),
        ("since nothing can end it any more", |scene, attach| {
            let (context, canceller) = scene.child.without_cancel().with_cancel();
            scene.uses(&context);
            let handle = attach(&context, captures(scene));
            with(handle, || canceller.detach())
        }),
        ("since nothing could ever end it", |scene, attach| {
            let (context, function) = (scene.child.without_cancel(), captures(scene));
            Box::new(move || attach(&context, function).stop())
        }),
    ];
    check_each(&settings, &[Driver::Mover]);
}
