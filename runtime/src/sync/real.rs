//! What has another form in the models than in `std`.

use std::time::Instant;

pub(crate) use std::sync::LazyLock;
pub(crate) use std::sync::atomic::AtomicPtr;
pub(crate) use std::sync::atomic::AtomicPtr as AtomicWord;

/// Whether the cells are those of a model.
pub(crate) const IS_MODELLED: bool = false;

/// A word that is never changed, for a `static`.
pub(crate) const fn constant<T>(value: u8) -> AtomicWord<T> {
    AtomicWord::new(std::ptr::without_provenance_mut(value as usize))
}

/// The pointer in a cell that nobody else can reach any more.
#[inline]
pub(crate) fn latest<T>(cell: &mut AtomicPtr<T>) -> *mut T {
    *cell.get_mut()
}

/// The system's clock.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}
