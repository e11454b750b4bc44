//! One of those who use the tree at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::rand::{Rng, thread_rng};

use super::tree::{Ends, Tree};
use crate::callbacks::{AfterCancel, InterruptGuard};
use crate::cancelled::Cause;
use crate::canceller::{Canceller, DeadlineMover};
use crate::context::Context;
use crate::models::Waiting;
use crate::sync::{at, pass};

/// What was registered with a context, and how often it ran.
struct Callback {
    context: Context,
    handle: Option<AfterCancel>,
    runs: Arc<AtomicUsize>,
}

pub(super) struct Task {
    tree: Arc<Tree>,
    cancellers: Vec<(usize, Canceller)>,
    movers: Vec<DeadlineMover>,
    waiting: Vec<(Context, Waiting)>,
    callbacks: Vec<Callback>,
    guards: Vec<InterruptGuard>,
    /// What was seen of ends.
    causes: Vec<(Context, Cause)>,
}

fn below(limit: usize) -> usize {
    thread_rng().gen_range(0..limit)
}

/// Takes one out, if there is any.
fn take<T>(from: &mut Vec<T>) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(below(from.len())))
}

impl Task {
    pub(super) fn new(tree: &Arc<Tree>) -> Self {
        Self {
            tree: Arc::clone(tree),
            cancellers: Vec::new(),
            movers: Vec::new(),
            waiting: Vec::new(),
            callbacks: Vec::new(),
            guards: Vec::new(),
            causes: Vec::new(),
        }
    }

    pub(super) fn step(&mut self) {
        match below(16) {
            0..4 => self.derive(),
            4 => self.merge(),
            5..8 => self.wait(),
            8 => self.poll_anew(),
            9 => drop(take(&mut self.waiting)),
            10 => self.cancel(),
            11 => self.give_up(),
            12 => self.register(),
            13 => self.stop(),
            14 => self.move_deadline(),
            _ => self.look(),
        }
    }

    /// One of the contexts that are kept, and its number; often one of the first, where all meet.
    fn pick(&self) -> Option<(usize, Context)> {
        let few = if below(2) == 0 { 4 } else { usize::MAX };
        let number = below(self.tree.len().clamp(1, few));
        Some((number, self.tree.get(number)?))
    }

    fn derive(&mut self) {
        let parent = self.pick();
        let sources: Vec<usize> = parent.iter().map(|(number, _)| *number).collect();
        let parent = parent.map_or(Context::background(), |(_, parent)| parent);
        let (child, ends, deadline) = match below(8) {
            0 => (parent.with_value(7_u8), Ends::WithAny, None),
            1 => (parent.with_name("named"), Ends::WithAny, None),
            2 => (parent.without_cancel(), Ends::WithNone, None),
            3 => {
                let deadline = below(8);
                (
                    parent.with_deadline(at(deadline)),
                    Ends::WithAny,
                    Some(deadline),
                )
            }
            4 => {
                let (child, mover) = parent.with_movable_deadline(at(1 + below(8)));
                self.movers.push(mover);
                (child, Ends::WithAny, None)
            }
            _ => {
                let (child, canceller) = parent.with_cancel();
                let number = self.tree.add(&child, &sources, Ends::WithAny, None);
                self.cancellers.push((number, canceller));
                return;
            }
        };
        self.tree.add(&child, &sources, ends, deadline);
    }

    fn merge(&mut self) {
        let (Some((one, first)), Some((other, second))) = (self.pick(), self.pick()) else {
            return;
        };
        let (merge, ends) = if below(2) == 0 {
            (Context::any([first, second]), Ends::WithAny)
        } else {
            (Context::all([first, second]), Ends::WithAll)
        };
        self.tree.add(&merge, &[one, other], ends, None);
    }

    fn wait(&mut self) {
        if let Some((_, context)) = self.pick() {
            let waiting = Waiting::on(&context);
            self.waiting.push((context, waiting));
        }
    }

    fn poll_anew(&mut self) {
        if let Some((context, mut waiting)) = take(&mut self.waiting) {
            waiting.poll_anew();
            self.waiting.push((context, waiting));
        }
    }

    /// By a call, or by dropping the last canceller; or never, by detaching it.
    fn cancel(&mut self) {
        let Some((number, canceller)) = take(&mut self.cancellers) else {
            return;
        };
        match below(4) {
            0 => return canceller.detach(),
            // If nobody had the context any more, nobody can find out that it has ended.
            1 => drop(canceller),
            2 => canceller.clone().cancel(),
            _ => canceller.cancel_with("cancelled"),
        }
        if self.tree.get(number).is_some() {
            self.tree.note_cancelled(number);
        }
        self.tree.assert_ended();
    }

    fn give_up(&self) {
        if let Some((number, context)) = self.pick() {
            self.tree.give_up(number);
            drop(context);
        }
    }

    fn register(&mut self) {
        let Some((_, context)) = self.pick() else {
            return;
        };
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        if below(3) == 0 {
            self.guards.push(context.interrupt_with(count));
        } else {
            let handle = Some(context.after_cancel(count));
            self.callbacks.push(Callback {
                context,
                handle,
                runs,
            });
        }
    }

    fn stop(&mut self) {
        drop(take(&mut self.guards));
        if let Some(callback) = take(&mut self.callbacks) {
            let was_stopped = callback.handle.is_some_and(AfterCancel::stop);
            if was_stopped {
                assert_eq!(
                    callback.runs.load(Ordering::Relaxed),
                    0,
                    "it ran all the same"
                );
            } else {
                let handle = None;
                self.callbacks.push(Callback { handle, ..callback });
            }
        }
    }

    fn move_deadline(&mut self) {
        if let Some(mover) = take(&mut self.movers) {
            mover.move_to(at(below(12)));
            self.movers.push(mover);
        } else {
            pass(1);
        }
    }

    /// Who sees an end, sees all of it.
    fn look(&mut self) {
        pass(below(2));
        if let Some((_, context)) = self.pick()
            && context.is_cancelled()
        {
            let cause = context.cause();
            let cause = cause.unwrap_or_else(|| panic!("{context:?} has ended without a cause"));
            assert!(Waiting::new(&context).poll(), "it would wait");
            self.causes.push((context, cause));
        }
    }

    /// Everything has come to rest: whoever waits for what has ended, knows.
    pub(super) fn assert_told(&mut self) {
        self.tree.assert_ended();
        for (context, waiting) in &mut self.waiting {
            if context.is_cancelled() {
                waiting.assert_told();
            }
        }
        for callback in &self.callbacks {
            let runs = callback.runs.load(Ordering::Relaxed);
            let context = &callback.context;
            assert_eq!(
                runs,
                usize::from(context.is_cancelled()),
                "runs of {context:?}"
            );
        }
        for (context, cause) in &self.causes {
            let now = context.cause().expect("it had ended");
            assert!(Arc::ptr_eq(cause, &now) || cause.to_string() == now.to_string());
        }
    }

    pub(super) fn cancel_all(&mut self) {
        for (number, canceller) in std::mem::take(&mut self.cancellers) {
            canceller.cancel();
            self.tree.note_cancelled(number);
        }
    }

    /// Goes; a callback stays with a context that has not ended unless it is stopped.
    pub(super) fn leave(self) {
        let handles = self
            .callbacks
            .into_iter()
            .filter_map(|callback| callback.handle);
        handles.map(AfterCancel::stop).for_each(drop);
    }
}
