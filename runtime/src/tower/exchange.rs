//! A request on its way to its answer.

use std::sync::Arc;

use super::causes::Told;
use super::end::RequestEnd;
use crate::cancelled::Cause;
use crate::canceller::Canceller;
#[cfg(feature = "tracing")]
use crate::logged;
use crate::repeated::Repeated;

/// What ends the context of a request: when it is known how, or when this is dropped, which means that the client
/// has gone.
pub(super) struct Exchange {
    canceller: Option<Canceller>,
    /// As long as the caller may say why it cancels.
    _told: Option<Box<Told>>,
}

impl Exchange {
    pub(super) const fn new(canceller: Canceller, told: Option<Box<Told>>) -> Self {
        Self {
            canceller: Some(canceller),
            _told: told,
        }
    }

    /// Ends the context, unless nobody has kept it who could see that.
    pub(super) fn end(mut self, end: RequestEnd) {
        if let Some(canceller) = self.canceller.take_if(|canceller| canceller.is_alone()) {
            drop(canceller);
        }
        self.cancel(end);
    }

    /// Ends the context of a request that is dropped where it is pending, in `scope`. Nobody is left who could log
    /// that, unless it was logged and only a shield was pending.
    pub(super) fn abandon<T>(self, scope: &Repeated<T>) {
        self.end(RequestEnd::Disconnected);
        #[cfg(feature = "tracing")]
        if !scope.is_logged() {
            let cancelled = scope.context().cancelled_at(None);
            cancelled.iter().for_each(logged::dropped);
        }
        #[cfg(not(feature = "tracing"))]
        let _ = scope;
    }

    fn cancel(&mut self, end: RequestEnd) {
        if let Some(canceller) = self.canceller.take() {
            let cause: Cause = Arc::new(end);
            // Where the layer was made.
            canceller.end_where_made(cause);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.cancel(RequestEnd::Disconnected);
    }
}
