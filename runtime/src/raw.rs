//! A handle that is one pointer wide: one of two roots without memory, or a shared value.
//!
//! The only file with `unsafe`.
//!
//! Invariants:
//! 1. `pointer` is the address [`BACKGROUND`] or [`TODO`], or it came from [`Arc::into_raw`] and
//!    this handle owns one strong count of that `Arc`.
//! 2. No `Arc` has one of those two addresses: they are smaller than the alignment of `usize`,
//!    which the counts of an `Arc` force upon its value's allocation, and lie in the page that is
//!    never mapped.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

const BACKGROUND: usize = 1;
const TODO: usize = 2;

/// Either root, or an `Arc<T>`.
pub(crate) struct Handle<T> {
    pointer: NonNull<T>,
    owns: PhantomData<Arc<T>>,
}

/// What a [`Handle`] stands for.
pub(crate) enum Target<'a, T> {
    Background,
    Todo,
    Shared(&'a T),
}

impl<T> Handle<T> {
    pub(crate) const fn background() -> Self {
        Self::tag(BACKGROUND)
    }

    pub(crate) const fn todo() -> Self {
        Self::tag(TODO)
    }

    const fn tag(address: usize) -> Self {
        let pointer = std::ptr::without_provenance_mut(address);
        // SAFETY: non-null: both tags are greater than zero.
        let pointer = unsafe { NonNull::new_unchecked(pointer) };
        Self {
            pointer,
            owns: PhantomData,
        }
    }

    pub(crate) fn shared(value: Arc<T>) -> Self {
        let pointer = Arc::into_raw(value).cast_mut();
        // SAFETY: non-null: `Arc::into_raw` points into an allocation.
        let pointer = unsafe { NonNull::new_unchecked(pointer) };
        Self {
            pointer,
            owns: PhantomData,
        }
    }

    pub(crate) fn target(&self) -> Target<'_, T> {
        match self.pointer.addr().get() {
            BACKGROUND => Target::Background,
            TODO => Target::Todo,
            // SAFETY: valid for reads for the lifetime of `self`: by invariant 1 this handle owns a
            // count, and an `Arc` never gives out a unique reference while a count is owned here.
            _ => Target::Shared(unsafe { self.pointer.as_ref() }),
        }
    }

    /// The `Arc` this handle owns a count of, borrowed.
    fn borrow_arc(&self) -> Option<ManuallyDrop<Arc<T>>> {
        if self.pointer.addr().get() <= TODO {
            return None;
        }
        // SAFETY:
        // - from `Arc::into_raw`, with the same `T`: by invariant 1.
        // - the count is not given away: it goes into `ManuallyDrop`, and stays with the handle.
        let arc = unsafe { Arc::from_raw(self.pointer.as_ptr()) };
        Some(ManuallyDrop::new(arc))
    }

    /// Another count of the shared value.
    pub(crate) fn to_arc(&self) -> Option<Arc<T>> {
        self.borrow_arc().map(|arc| Arc::clone(&arc))
    }

    /// The shared value, taken out of its handle without touching the count.
    pub(crate) fn into_arc(self) -> Option<Arc<T>> {
        let this = ManuallyDrop::new(self);
        this.borrow_arc().map(ManuallyDrop::into_inner)
    }

    /// How many counts there are; none of a root.
    pub(crate) fn strong_count(&self) -> usize {
        self.borrow_arc().map_or(0, |arc| Arc::strong_count(&arc))
    }

    /// Equal for two handles of one value, or of the same root.
    pub(crate) fn address(&self) -> usize {
        self.pointer.addr().get()
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        // A second count goes with the copied pointer (invariant 1).
        std::mem::forget(self.to_arc());
        Self {
            pointer: self.pointer,
            owns: PhantomData,
        }
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        drop(self.borrow_arc().map(ManuallyDrop::into_inner));
    }
}

// SAFETY: a handle is an `Arc<T>` or a number; so it may cross threads whenever `Arc<T>` may.
unsafe impl<T: Send + Sync> Send for Handle<T> {}
// SAFETY: as above; all methods on `&Handle` are those of `&Arc<T>`.
unsafe impl<T: Send + Sync> Sync for Handle<T> {}

#[cfg(test)]
mod tests {
    use super::{Handle, Target};
    use std::sync::Arc;

    #[test]
    fn counts_follow_clones_and_drops() {
        let value = Arc::new(7);
        let handle = Handle::shared(Arc::clone(&value));
        let second = handle.clone();
        assert_eq!(Arc::strong_count(&value), 3);
        assert_eq!(handle.strong_count(), 3);
        assert_eq!(handle.address(), second.address());
        drop(handle);
        assert_eq!(Arc::strong_count(&value), 2);
        assert_eq!(second.into_arc().as_deref(), Some(&7));
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn roots_have_no_value_and_no_count() {
        let background = Handle::<u64>::background();
        assert!(matches!(background.clone().target(), Target::Background));
        assert!(matches!(Handle::<u64>::todo().target(), Target::Todo));
        assert_eq!(background.strong_count(), 0);
        assert!(background.into_arc().is_none());
    }
}
