//! A request on its way to its answer.

use std::panic::Location;
use std::sync::Arc;

use super::causes::Told;
use super::end::RequestEnd;
use crate::cancelled::Cause;
use crate::canceller::Canceller;
use crate::context::Context;
#[cfg(feature = "tracing")]
use crate::logged;
use crate::origin::Origin;

/// What ends the context of a request: when it is known how, or when this is dropped, which means that the client
/// has gone.
pub(super) struct Exchange {
    canceller: Option<Canceller>,
    /// As long as the caller may say why it cancels.
    _told: Option<Told>,
    /// Where the layer was made.
    place: &'static Location<'static>,
}

impl Exchange {
    pub(super) const fn new(
        canceller: Canceller,
        told: Option<Told>,
        place: &'static Location<'static>,
    ) -> Self {
        Self {
            canceller: Some(canceller),
            _told: told,
            place,
        }
    }

    /// Ends the context, unless nobody has kept it who could see that.
    pub(super) fn end(mut self, end: RequestEnd) {
        if let Some(canceller) = self.canceller.take_if(|canceller| canceller.is_alone()) {
            drop(canceller);
        }
        self.cancel(end);
    }

    /// Ends `context`, that of a request which is dropped before all of its answer was sent. If it has not ended
    /// before, nobody is left who could say so.
    pub(super) fn abandon(self, context: &Context) {
        self.end(RequestEnd::Disconnected);
        #[cfg(feature = "tracing")]
        if RequestEnd::of(context) == Some(RequestEnd::Disconnected) {
            context.cancelled_at(None).iter().for_each(logged::dropped);
        }
        #[cfg(not(feature = "tracing"))]
        let _ = context;
    }

    fn cancel(&mut self, end: RequestEnd) {
        if let Some(canceller) = self.canceller.take() {
            let cause: Cause = Arc::new(end);
            canceller.end(Some(cause), Origin::Cancelled(self.place));
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.cancel(RequestEnd::Disconnected);
    }
}
