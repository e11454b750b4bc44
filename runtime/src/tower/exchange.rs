//! A request on its way to its answer.

use std::panic::Location;
use std::sync::Arc;

use super::causes::Told;
use super::end::RequestEnd;
use crate::cancelled::{Cause, Origin};
use crate::canceller::Canceller;

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

    /// Ends the context.
    pub(super) fn end(mut self, end: RequestEnd) {
        self.cancel(end);
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
