//! Cells one pointer wide that are set once: a shared value, in whose place there may be a mark before; and an
//! owned one, in whose place there may be a number before.
//!
//! Invariants:
//! 1. The pointer of a [`OnceArc`] is null, or odd, or it came from [`Arc::into_raw`] and the `OnceArc` owns one
//!    strong count; that is even, and once it is there, it stays. An odd one is the address of a static `M` and
//!    one, and two if it is marked for the second reason; once it is there, only a shared value takes its place.
//! 2. The pointer of a [`OnceBox`] is null, or odd, or it came from [`Box::into_raw`], whose box the
//!    `OnceBox` owns; that is even, and once it is there, it stays. An odd one is a number, doubled, and one.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::sync::{self, AtomicPtr, Ordering};

const NUMBER: usize = 1;
const MARK: usize = 1;
const SECOND_REASON: usize = 2;

/// A shared value that is set once; before that there is nothing, or a mark.
pub(crate) struct OnceArc<T, M: 'static> {
    pointer: AtomicPtr<T>,
    owns: PhantomData<(Arc<T>, &'static M)>,
}

/// What may be in the place of a shared value.
pub(crate) struct Mark<M: 'static> {
    pub(crate) at: &'static M,
    /// For which of two reasons.
    pub(crate) is_second: bool,
}

/// What there is.
pub(crate) enum Found<'a, T, M: 'static> {
    Nothing,
    Mark(Mark<M>),
    Value(&'a T),
}

impl<T, M> OnceArc<T, M> {
    pub(crate) fn new() -> Self {
        const { assert!(align_of::<T>() > MARK) };
        const { assert!(align_of::<M>() > MARK | SECOND_REASON) };
        Self {
            pointer: AtomicPtr::new(std::ptr::null_mut()),
            owns: PhantomData,
        }
    }

    /// What there is, by one load.
    #[inline]
    pub(crate) fn look(&self) -> Found<'_, T, M> {
        // Acquire: pairs with the exchange in `change`.
        let Some(pointer) = NonNull::new(self.pointer.load(Ordering::Acquire)) else {
            return Found::Nothing;
        };
        let address = pointer.addr().get();
        if address & MARK == 0 {
            // SAFETY: valid for reads for the lifetime of `self`: by invariant 1 this owns a count of the value,
            // and never gives it up.
            return Found::Value(unsafe { pointer.as_ref() });
        }
        let at = pointer.as_ptr().cast_const().cast::<M>();
        let at = at.map_addr(|address| address & !(MARK | SECOND_REASON));
        // SAFETY: valid for reads for ever: by invariant 1 it is that of a static `M`.
        let at = unsafe { &*at };
        let is_second = address & SECOND_REASON != 0;
        Found::Mark(Mark { at, is_second })
    }

    /// The value, if that is set.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        match self.look() {
            Found::Value(value) => Some(value),
            Found::Mark(_) | Found::Nothing => None,
        }
    }

    /// Whether it is empty, without a mark even. Then whoever sets or marks it later sees all that came before
    /// this.
    pub(crate) fn is_before_set(&self) -> bool {
        let null = std::ptr::null_mut();
        // Release: pairs with the exchange in `change`, which reads the null that is written here. Acquire: as
        // in `look`.
        let found =
            (self.pointer).compare_exchange(null, null, Ordering::AcqRel, Ordering::Acquire);
        found.is_ok()
    }

    pub(crate) fn get_arc(&self) -> Option<Arc<T>> {
        // Acquire: as in `look`.
        let pointer = self.pointer.load(Ordering::Acquire);
        if pointer.is_null() || pointer.addr() & MARK != 0 {
            return None;
        }
        // SAFETY:
        // - from `Arc::into_raw`, with the same `T`: by invariant 1.
        // - the count is not given away: it goes into `ManuallyDrop`.
        let arc = ManuallyDrop::new(unsafe { Arc::from_raw(pointer) });
        Some(Arc::clone(&arc))
    }

    /// Sets it, unless it is set or marked; gives back what was not needed.
    pub(crate) fn set(&self, value: Arc<T>) -> Option<Arc<T>> {
        self.set_instead(std::ptr::null_mut(), value)
    }

    /// Marks it, unless it is set or marked; whether that was done.
    #[inline]
    pub(crate) fn set_mark(&self, mark: &Mark<M>) -> bool {
        self.change(std::ptr::null_mut(), Self::odd(mark))
    }

    /// Sets it, if it has that mark; gives back what was not needed.
    pub(crate) fn set_marked(&self, mark: &Mark<M>, value: Arc<T>) -> Option<Arc<T>> {
        self.set_instead(Self::odd(mark), value)
    }

    #[inline]
    fn odd(mark: &Mark<M>) -> *mut T {
        let reason = if mark.is_second { SECOND_REASON } else { 0 };
        let address = std::ptr::from_ref(mark.at).cast_mut().cast::<T>();
        address.map_addr(|address| address | MARK | reason)
    }

    fn set_instead(&self, present: *mut T, value: Arc<T>) -> Option<Arc<T>> {
        let new = Arc::into_raw(value).cast_mut();
        if self.change(present, new) {
            return None;
        }
        // SAFETY: from `Arc::into_raw` above, and the exchange did not give it away.
        Some(unsafe { Arc::from_raw(new) })
    }

    #[inline]
    fn change(&self, from: *mut T, to: *mut T) -> bool {
        // Release: who sees the pointer, sees the value. Acquire: who finds another one, may look at that.
        let changed =
            (self.pointer).compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }
}

impl<T, M> Drop for OnceArc<T, M> {
    #[inline]
    fn drop(&mut self) {
        let pointer = sync::latest(&mut self.pointer);
        if !pointer.is_null() && pointer.addr() & MARK == 0 {
            // SAFETY:
            // - from `Arc::into_raw`, with the same `T`: by invariant 1.
            // - not given away twice: nobody looks at `self` any more.
            drop(unsafe { Arc::from_raw(pointer) });
        }
    }
}

// SAFETY: it is an `Option<Arc<T>>`, or a `&M`, that threads may set; so it may cross threads whenever those may.
unsafe impl<T: Send + Sync, M: Sync> Send for OnceArc<T, M> {}
// SAFETY: as above; the pointer is an atomic.
unsafe impl<T: Send + Sync, M: Sync> Sync for OnceArc<T, M> {}

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
