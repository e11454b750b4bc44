//! What has another form in loom than in `std`.

use std::marker::PhantomData;

use loom::lazy_static::Lazy;
use loom::sync::atomic::Ordering;

pub(crate) use loom::sync::atomic::AtomicPtr;

pub(crate) use super::clock::{at, now, pass};

/// Whether the cells are those of a model.
pub(crate) const IS_MODELLED: bool = true;

/// A word, which loom knows of unless it is a constant: what is in a `static` is of no execution.
#[derive(Debug)]
pub(crate) enum AtomicWord<T> {
    Constant(u8),
    Shared(AtomicPtr<T>),
}

/// A word that is never changed, for a `static`.
pub(crate) const fn constant<T>(value: u8) -> AtomicWord<T> {
    AtomicWord::Constant(value)
}

impl<T> AtomicWord<T> {
    pub(crate) fn new(value: *mut T) -> Self {
        Self::Shared(AtomicPtr::new(value))
    }

    fn shared(&self) -> &AtomicPtr<T> {
        match self {
            Self::Constant(_) => panic!("a constant was to be changed"),
            Self::Shared(cell) => cell,
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        match self {
            Self::Constant(value) => std::ptr::without_provenance_mut(usize::from(*value)),
            Self::Shared(cell) => cell.load(order),
        }
    }

    /// As an exchange: loom does not know that a store cannot come between the two halves of one, and
    /// would let both be the last.
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        self.shared().swap(value, order);
    }

    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.shared()
            .compare_exchange(current, new, success, failure)
    }
}

/// The pointer in a cell that nobody else can reach any more.
///
/// The last count of a shared value is dropped after all else that was done with it; loom does not know
/// of the counts, but that a change finds the last change before it.
pub(crate) fn latest<T>(cell: &mut AtomicPtr<T>) -> *mut T {
    let null = std::ptr::null_mut();
    let found = cell.compare_exchange(null, null, Ordering::Relaxed, Ordering::Relaxed);
    found.unwrap_or_else(|found| found)
}

/// A value that each execution of a model makes anew.
pub(crate) struct LazyLock<T: 'static>(Lazy<T>);

impl<T> LazyLock<T> {
    pub(crate) const fn new(init: fn() -> T) -> Self {
        Self(Lazy {
            init,
            _p: PhantomData,
        })
    }

    pub(crate) fn force(this: &'static Self) -> &'static T {
        this.0.get()
    }
}
