//! The context of a request, which is made when somebody asks for it: many a handler never does.
//!
//! Invariants, besides those of [`crate::current::Lazy`]:
//! 1. Until it is made, nothing ends it but what ends the context of the server. Whoever may (a deadline, a caller
//!    who tells a cause) has it made first; and so has an end other than that all is sent, for destructors that ask.
//! 2. Who asks is below it in a poll, or has the exchange, so mostly there is one thread; `Debug` may be another.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::end::{LimitedBy, RequestEnd};
use super::layer::ContextLayer;
use crate::cancelled::Cause;
use crate::canceller::Canceller;
use crate::context::Context;
use crate::current::{Current, Lazy};
use crate::named::Name;

pub(super) struct RequestContext {
    layer: Arc<ContextLayer>,
    name: Name,
    made: OnceLock<Made>,
}

struct Made {
    context: Context,
    /// Until it has ended.
    canceller: Option<Canceller>,
}

impl RequestContext {
    #[inline]
    pub(super) fn new(layer: &Arc<ContextLayer>, name: Name) -> Self {
        Self {
            layer: Arc::clone(layer),
            name,
            made: OnceLock::new(),
        }
    }

    #[inline]
    pub(super) fn current(&self) -> Current<'_> {
        match self.made.get() {
            Some(made) => Current::of(&made.context),
            None => Current::lazy(self.layer.ender(), self),
        }
    }

    /// Ends it after that time at the latest.
    pub(super) fn limit(&mut self, by: LimitedBy, after: Duration) {
        let context = RequestEnd::after(after, by, self.make(), self.layer.place());
        if let Some(made) = self.made.get_mut() {
            made.context = context;
        }
    }

    /// What ends it; `None` if it has ended.
    pub(super) fn canceller(&self) -> Option<Canceller> {
        self.made().canceller.clone()
    }

    pub(super) fn has_end(&self) -> bool {
        let made = self.made.get();
        made.is_some_and(|made| made.canceller.is_none())
    }

    /// Ends it, unless it has ended.
    #[cold]
    pub(super) fn end(&mut self, end: RequestEnd) {
        self.make();
        if let Some(made) = self.made.get_mut() {
            made.end(end);
        }
    }

    /// Ends it as answered, unless nobody has kept it who could see that.
    #[inline]
    pub(super) fn finish(&mut self) {
        if let Some(made) = self.made.take() {
            made.finish();
        }
    }

    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let (context, canceller) = self.layer.derive(self.name.clone());
            let canceller = Some(canceller);
            Made { context, canceller }
        })
    }
}

impl Lazy for RequestContext {
    fn context(&self) -> &Context {
        self.current().known()
    }

    #[cold]
    fn make(&self) -> &Context {
        &self.made().context
    }
}

impl Made {
    fn end(&mut self, end: RequestEnd) {
        if let Some(canceller) = self.canceller.take() {
            let cause: Cause = Arc::new(end);
            // Where the layer was made.
            canceller.end_where_made(cause);
        }
    }

    fn finish(mut self) {
        // What has a token is kept until that is cancelled.
        let has_token = self.context.may_have_token();
        let others = std::mem::replace(&mut self.context, Context::background());
        let _kept = has_token.then_some(others);
        if let Some(canceller) = self.canceller.take_if(|canceller| canceller.is_alone()) {
            // It cancels nothing that anybody could see.
            drop(canceller);
        }
        self.end(RequestEnd::Answered);
    }
}

impl Drop for Made {
    /// It has ended, unless a panic came between.
    fn drop(&mut self) {
        self.end(RequestEnd::Failed);
    }
}
