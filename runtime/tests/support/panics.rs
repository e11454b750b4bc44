//! Panics that tests cause on purpose, as the panic hook sees them.

use std::panic;
use std::sync::{Mutex, Once, PoisonError};

static REPORTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static HOOK: Once = Once::new();

/// Has the hook note panics from now on; those that say "on purpose" are not printed.
pub(crate) fn watch() {
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref().map(String::as_str));
            let text = text.unwrap_or_default();
            let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
            reported.push(String::from(text));
            drop(reported);
            if !text.contains("on purpose") {
                previous(info);
            }
        }));
    });
}

/// How many panics with this text have been reported.
pub(crate) fn reported(text: &str) -> usize {
    let reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    reported.iter().filter(|other| *other == text).count()
}

/// Panics, where the type of what never comes has to be said.
pub(crate) fn breaks(text: &'static str) -> &'static str {
    panic!("{text}")
}
