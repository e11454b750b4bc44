//! What has another form in shuttle than in `std`.

use shuttle::lazy_static::Lazy;

pub(crate) use shuttle::sync::atomic::AtomicPtr;
pub(crate) use shuttle::sync::atomic::AtomicPtr as AtomicWord;

pub(crate) use super::clock::{at, now, pass};

/// Whether the cells are those of a model.
pub(crate) const IS_MODELLED: bool = true;

/// A word that is never changed, for a `static`.
pub(crate) const fn constant<T>(value: u8) -> AtomicWord<T> {
    AtomicWord::new(std::ptr::without_provenance_mut(value as usize))
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
