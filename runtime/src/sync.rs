//! The locks, cells and clock everything shared is made of; the one place to swap them: for those of loom
//! in the models of `loom_tests`, for those of shuttle in `shuttle_tests`.
//!
//! What is not swapped is invisible to the models: [`Arc`](std::sync::Arc) and its counts, cells that are
//! set before they are shared, and plain counters.
//!
//! No lock is ever held across foreign code, so a panic cannot leave one of ours poisoned with
//! half a change; poison is therefore ignored.

#[cfg(all(test, any(loom, shuttle)))]
mod clock;
#[cfg(all(test, loom))]
mod for_loom;
#[cfg(all(test, shuttle))]
mod for_shuttle;
#[cfg(not(all(test, any(loom, shuttle))))]
mod real;

#[cfg(all(test, loom))]
use {for_loom as forms, loom as primitives};
#[cfg(all(test, shuttle))]
use {for_shuttle as forms, shuttle as primitives};
#[cfg(not(all(test, any(loom, shuttle))))]
use {real as forms, std as primitives};

pub(crate) use forms::{AtomicWord, IS_MODELLED, LazyLock, constant, latest, now};
#[cfg(all(test, any(loom, shuttle)))]
pub(crate) use forms::{at, pass};
pub(crate) use primitives::sync::atomic::AtomicU32 as ModelledU32;
pub(crate) use primitives::sync::atomic::{AtomicI64, AtomicPtr, AtomicUsize, Ordering};
pub(crate) use primitives::sync::{Condvar, MutexGuard};
pub(crate) use primitives::thread;
// Counters.
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64};
// Of one thread, though in a `static`.
pub(crate) use std::sync::atomic::AtomicUsize as LocalUsize;
// Set before it is shared.
pub(crate) use std::sync::OnceLock;

/// A mutex without poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(primitives::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(primitives::sync::Mutex::new(value))
    }

    /// Gives the value, for who has it alone.
    #[cfg(feature = "tokio")]
    pub(crate) fn into_inner(self) -> T {
        self.0
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Waits on `condition` with the lock behind `guard` released meanwhile; spurious wake-ups occur.
pub(crate) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition
        .wait(guard)
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
