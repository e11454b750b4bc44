//! What has another form in shuttle than in `std`.

use shuttle::lazy_static::Lazy;

pub(crate) use shuttle::sync::atomic::{AtomicPtr, AtomicU8};

pub(crate) use super::clock::{at, now, pass};

/// Whether the cells are those of a model.
pub(crate) const IS_MODELLED: bool = true;

/// A byte that is never changed, for a `static`.
pub(crate) const fn constant(value: u8) -> AtomicU8 {
    AtomicU8::new(value)
}

/// The pointer in a cell that nobody else can reach any more.
pub(crate) fn latest<T>(cell: &mut AtomicPtr<T>) -> *mut T {
    *cell.get_mut()
}

/// A value that each execution of a model makes anew.
pub(crate) struct LazyLock<T: Sync + 'static>(Lazy<T>);

impl<T: Sync> LazyLock<T> {
    pub(crate) const fn new(init: fn() -> T) -> Self {
        Self(Lazy::new(init))
    }

    pub(crate) fn force(this: &'static Self) -> &'static T {
        this.0.get()
    }
}
