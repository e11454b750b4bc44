//! Functions that count their calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Hands out functions that count; tells how often they ran, and whether they are gone.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn counting(&self) -> impl FnOnce() + Send + 'static {
        let calls = Arc::clone(&self.0);
        move || {
            calls.fetch_add(1, SeqCst);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    /// How many of the functions have neither run nor been dropped.
    pub(crate) fn kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Whether no function that counts is kept any more.
    pub(crate) fn is_free(&self) -> bool {
        self.kept() == 0
    }
}
