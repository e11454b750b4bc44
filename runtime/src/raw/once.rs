//! Cells one pointer wide that are set once: a shared value; and an owned one, in whose place there may be
//! a number before.
//!
//! Invariants:
//! 1. The pointer of a [`OnceArc`] is null, or it came from [`Arc::into_raw`] and the `OnceArc` owns one
//!    strong count; once it is not null, it stays.
//! 2. The pointer of a [`OnceBox`] is null, or odd, or it came from [`Box::into_raw`], whose box the
//!    `OnceBox` owns; that is even, and once it is there, it stays. An odd one is a number, doubled, and one.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::sync::{self, AtomicPtr, Ordering};

const NUMBER: usize = 1;

/// A shared value that is set once.
pub(crate) struct OnceArc<T> {
    pointer: AtomicPtr<T>,
    owns: PhantomData<Arc<T>>,
}

impl<T> OnceArc<T> {
    pub(crate) fn new() -> Self {
        Self {
            pointer: AtomicPtr::new(std::ptr::null_mut()),
            owns: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the exchange in `set`.
        let pointer = NonNull::new(self.pointer.load(Ordering::Acquire))?;
        // SAFETY: valid for reads for the lifetime of `self`: by invariant 1 this owns a count of the value,
        // and never gives it up.
        Some(unsafe { pointer.as_ref() })
    }

    /// As [`get`](Self::get). If it is not set, whoever sets it later sees all that came before this.
    pub(crate) fn look(&self) -> Option<&T> {
        let null = std::ptr::null_mut();
        // Release: pairs with the exchange in `set`, which reads the null that is written here. Acquire: as
        // in `get`.
        let found =
            (self.pointer).compare_exchange(null, null, Ordering::AcqRel, Ordering::Acquire);
        let pointer = NonNull::new(found.err()?)?;
        // SAFETY: valid for reads for the lifetime of `self`: as in `get`.
        Some(unsafe { pointer.as_ref() })
    }

    pub(crate) fn get_arc(&self) -> Option<Arc<T>> {
        // Acquire: pairs with the exchange in `set`.
        let pointer = NonNull::new(self.pointer.load(Ordering::Acquire))?;
        // SAFETY:
        // - from `Arc::into_raw`, with the same `T`: by invariant 1.
        // - the count is not given away: it goes into `ManuallyDrop`.
        let arc = ManuallyDrop::new(unsafe { Arc::from_raw(pointer.as_ptr()) });
        Some(Arc::clone(&arc))
    }

    /// Sets it, unless it is set; gives back what was not needed.
    pub(crate) fn set(&self, value: Arc<T>) -> Option<Arc<T>> {
        let new = Arc::into_raw(value).cast_mut();
        // Release: who sees the pointer, sees the value. Acquire: who finds another one, may look at that.
        let set = self.pointer.compare_exchange(
            std::ptr::null_mut(),
            new,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        // SAFETY: from `Arc::into_raw` above, and the exchange did not give it away.
        set.err().map(|_| unsafe { Arc::from_raw(new) })
    }
}

impl<T> Drop for OnceArc<T> {
    #[inline]
    fn drop(&mut self) {
        let pointer = sync::latest(&mut self.pointer);
        if !pointer.is_null() {
            // SAFETY:
            // - from `Arc::into_raw`, with the same `T`: by invariant 1.
            // - not given away twice: nobody looks at `self` any more.
            drop(unsafe { Arc::from_raw(pointer) });
        }
    }
}

// SAFETY: it is an `Option<Arc<T>>` that threads may set; so it may cross threads whenever that may.
unsafe impl<T: Send + Sync> Send for OnceArc<T> {}
// SAFETY: as above; the pointer is an atomic.
unsafe impl<T: Send + Sync> Sync for OnceArc<T> {}

/// An owned value that is set once; before that there is nothing, or a number.
pub(crate) struct OnceBox<T> {
    pointer: AtomicPtr<T>,
    owns: PhantomData<Box<T>>,
}

impl<T> OnceBox<T> {
    pub(crate) fn new() -> Self {
        const { assert!(align_of::<T>() > NUMBER) };
        Self {
            pointer: AtomicPtr::new(std::ptr::null_mut()),
            owns: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the exchange in `set`.
        let pointer = NonNull::new(self.pointer.load(Ordering::Acquire))?;
        if pointer.addr().get() & NUMBER != 0 {
            return None;
        }
        // SAFETY: valid for reads for the lifetime of `self`: by invariant 2 this owns the box, and never
        // gives it up.
        Some(unsafe { pointer.as_ref() })
    }

    /// Whether it is set, or there is a number.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        // Acquire: as in `get`, and in `number`.
        !self.pointer.load(Ordering::Acquire).is_null()
    }

    /// The number in its place.
    #[inline]
    pub(crate) fn number(&self) -> Option<usize> {
        // Acquire: pairs with the exchange in `change`.
        let address = self.pointer.load(Ordering::Acquire).addr();
        (address & NUMBER != 0).then_some(address >> 1)
    }

    /// Has a number in its place, if it is not set and there is none; whether that is so now.
    pub(crate) fn enter_number(&self, number: usize) -> bool {
        number <= usize::MAX >> 1 && self.change(std::ptr::null_mut(), Self::odd(number))
    }

    /// Takes the number away that is in its place. Whoever does, and whoever sets it instead of a number,
    /// excludes the others by a lock; otherwise what is set meanwhile might never be dropped.
    pub(crate) fn take_number(&self) {
        // Release: who enters another one, comes after whoever took this one away.
        self.pointer.store(std::ptr::null_mut(), Ordering::Release);
    }

    /// Sets it, if there is `number` in its place, or nothing; gives back what was not taken.
    pub(crate) fn set(&self, number: Option<usize>, value: Box<T>) -> Result<&T, Box<T>> {
        let new = Box::into_raw(value);
        if self.change(number.map_or(std::ptr::null_mut(), Self::odd), new) {
            // SAFETY: valid for reads for the lifetime of `self`: as in `get`.
            return Ok(unsafe { &*new });
        }
        // SAFETY: from `Box::into_raw` above, and the exchange did not give it away.
        Err(unsafe { Box::from_raw(new) })
    }

    /// Whether it is set, for who has it alone.
    #[inline]
    pub(crate) fn is_set(&mut self) -> bool {
        let pointer = sync::latest(&mut self.pointer);
        !pointer.is_null() && pointer.addr() & NUMBER == 0
    }

    fn odd(number: usize) -> *mut T {
        std::ptr::without_provenance_mut(number << 1 | NUMBER)
    }

    fn change(&self, from: *mut T, to: *mut T) -> bool {
        // Release: who sees the pointer, sees the value. Acquire: who comes after a change, sees what came
        // before it.
        let changed =
            (self.pointer).compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }
}

impl<T> Drop for OnceBox<T> {
    #[inline]
    fn drop(&mut self) {
        if self.is_set() {
            let pointer = sync::latest(&mut self.pointer);
            // SAFETY:
            // - from `Box::into_raw`, with the same `T`: by invariant 2.
            // - not given away twice: nobody looks at `self` any more.
            drop(unsafe { Box::from_raw(pointer) });
        }
    }
}

// SAFETY: it is an `Option<Box<T>>` that threads may set; so it may cross threads whenever that may.
unsafe impl<T: Send> Send for OnceBox<T> {}
// SAFETY: whoever shares it may get a `&T`, and may set a `T` that another one drops.
unsafe impl<T: Send + Sync> Sync for OnceBox<T> {}
