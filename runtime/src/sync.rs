//! The locks, cells and clock everything shared is made of; the one place to swap them: for those of loom
//! in the models of `loom_tests`.
//!
//! What is not swapped is invisible to the models: [`Arc`](std::sync::Arc) and its counts, cells that are
//! set before they are shared, and plain counters.
//!
//! No lock is ever held across foreign code, so a panic cannot leave one of ours poisoned with
//! half a change; poison is therefore ignored.

#[cfg(all(test, loom))]
use loom as primitives;
#[cfg(not(all(test, loom)))]
use std as primitives;

pub(crate) use primitives::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
pub(crate) use primitives::sync::{Condvar, MutexGuard};
pub(crate) use primitives::thread;
// A counter.
pub(crate) use std::sync::atomic::AtomicU64;
// Set before it is shared.
pub(crate) use std::sync::OnceLock;

#[cfg(all(test, loom))]
mod modelled;
#[cfg(all(test, loom))]
pub(crate) use modelled::{AtomicU8, IS_MODELLED, LazyLock, at, constant, latest, now, pass};

#[cfg(not(all(test, loom)))]
mod real;
#[cfg(not(all(test, loom)))]
pub(crate) use real::{AtomicU8, IS_MODELLED, LazyLock, constant, latest, now};

/// A mutex without poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(primitives::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(primitives::sync::Mutex::new(value))
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
