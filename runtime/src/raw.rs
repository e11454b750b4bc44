//! A handle that is one pointer wide: one of two roots without memory, or a shared value; values that are
//! set once, as wide ([`once`]); the way up from a node ([`upward`]); and a slot that lends a value to whatever
//! runs in a closure, without counting.
//!
//! The only files with `unsafe`.
//!
//! Invariants:
//! 1. `pointer` is the address [`BACKGROUND`] or [`TODO`], or it came from [`Arc::into_raw`] and
//!    this handle owns one strong count of that `Arc`.
//! 2. No `Arc` has one of those two addresses: they are smaller than the alignment of `usize`,
//!    which the counts of an `Arc` force upon its value's allocation, and lie in the page that is
//!    never mapped.
//! 3. A [`Slot`] holds the address of a static value, or of one that `lend` borrows: it is put there by
//!    `lend`, and taken away before `lend` returns, by a return as by a panic.
//! 4. The pointer of a [`Tagged`] is odd if it came from [`Box::into_raw`], whose box this owns, and was
//!    made odd; otherwise it is that of a value that is borrowed for `'a`. What is in the box was borrowed
//!    for `'a` when the `Tagged` was made; outside of one, nobody looks at it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread::LocalKey;

pub(crate) use once::{Found, Mark, OnceArc, OnceBox};
pub(crate) use upward::{ONWARD, Upward, Word};

mod once;
mod upward;

/// The address of the handle that says so.
pub(crate) const BACKGROUND: usize = 1;
const TODO: usize = 2;
const BOXED: usize = 1;

/// Either root, or an `Arc<T>`.
pub(crate) struct Handle<T> {
    pointer: NonNull<T>,
    owns: PhantomData<Arc<T>>,
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

    pub(crate) fn is_todo(&self) -> bool {
        self.pointer.addr().get() == TODO
    }

    /// The shared value.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        if self.pointer.addr().get() <= TODO {
            return None;
        }
        // SAFETY: valid for reads for the lifetime of `self`: by invariant 1 this handle owns a
        // count, and an `Arc` never gives out a unique reference while a count is owned here.
        Some(unsafe { self.pointer.as_ref() })
    }

    /// The shared value, without another count.
    #[inline]
    pub(crate) fn shared_value(&self) -> Option<Borrowed<'_, T>> {
        Some(Borrowed(self.borrow_arc()?, PhantomData))
    }

    /// The `Arc` this handle owns a count of, which must not be dropped.
    #[inline]
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
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.pointer.addr().get()
    }
}

/// The `Arc` that a [`Handle`] owns a count of, borrowed from it.
pub(crate) struct Borrowed<'a, T>(ManuallyDrop<Arc<T>>, PhantomData<&'a Handle<T>>);

impl<T> Deref for Borrowed<'_, T> {
    type Target = Arc<T>;

    #[inline]
    fn deref(&self) -> &Arc<T> {
        &self.0
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

/// A value that can be boxed together with what somebody borrows.
pub(crate) struct Loose<A, B> {
    borrowed: Option<NonNull<A>>,
    pub(crate) value: B,
}

impl<A, B> Loose<A, B> {
    pub(crate) fn new(value: B) -> Self {
        let borrowed = None;
        Self { borrowed, value }
    }
}

/// A borrowed `A`, alone or in a box together with a `B`; one word.
pub(crate) struct Tagged<'a, A, B> {
    pointer: NonNull<u8>,
    holds: PhantomData<(&'a A, Box<Loose<A, B>>)>,
}

impl<'a, A, B> Tagged<'a, A, B> {
    #[inline]
    pub(crate) fn new(borrowed: &'a A) -> Self {
        const { assert!(align_of::<A>() > BOXED) };
        Self {
            pointer: NonNull::from(borrowed).cast(),
            holds: PhantomData,
        }
    }

    pub(crate) fn boxed(borrowed: &'a A, mut value: Box<Loose<A, B>>) -> Self {
        value.borrowed = Some(NonNull::from(borrowed));
        let pointer = Box::into_raw(value).cast::<u8>().wrapping_add(BOXED);
        // SAFETY: non-null: the address of a box, which is even, and one.
        let pointer = unsafe { NonNull::new_unchecked(pointer) };
        Self {
            pointer,
            holds: PhantomData,
        }
    }

    #[inline]
    fn is_boxed(&self) -> bool {
        self.pointer.addr().get() & BOXED != 0
    }

    /// Of one that is boxed.
    fn box_pointer(&self) -> *mut Loose<A, B> {
        self.pointer.as_ptr().wrapping_sub(BOXED).cast()
    }

    /// What is borrowed, unless it is boxed.
    #[inline]
    pub(crate) fn alone(&self) -> Option<&'a A> {
        // SAFETY: by invariant 4 it was borrowed for `'a`.
        (!self.is_boxed()).then(|| unsafe { self.pointer.cast().as_ref() })
    }

    pub(crate) fn borrowed(&self) -> &'a A {
        self.alone().unwrap_or_else(|| {
            // SAFETY: by invariant 4 it is that of a box which this owns.
            let borrowed = unsafe { (*self.box_pointer()).borrowed };
            let borrowed = borrowed.expect("a box has what it was made with");
            // SAFETY: by invariant 4 it was borrowed for `'a`.
            unsafe { borrowed.as_ref() }
        })
    }

    /// Takes the box out.
    #[inline]
    pub(crate) fn take_box(&mut self) -> Option<Box<Loose<A, B>>> {
        self.is_boxed().then(|| self.take_present_box())
    }

    #[cold]
    #[inline(never)]
    fn take_present_box(&mut self) -> Box<Loose<A, B>> {
        let (borrowed, pointer) = (self.borrowed(), self.box_pointer());
        self.pointer = NonNull::from(borrowed).cast();
        // SAFETY: by invariant 4 it is that of a box which this owned until here.
        unsafe { Box::from_raw(pointer) }
    }
}

impl<A, B> Drop for Tagged<'_, A, B> {
    #[inline]
    fn drop(&mut self) {
        drop(self.take_box());
    }
}

// SAFETY: the pointer is dead weight: only a `Tagged` looks at it, which is a `&A` and a `Box<B>`.
unsafe impl<A: Sync, B: Send> Send for Loose<A, B> {}
// SAFETY: as above.
unsafe impl<A: Sync, B: Sync> Sync for Loose<A, B> {}
// SAFETY: it is a `&A`, and a `Box<B>` maybe.
unsafe impl<A: Sync, B: Send> Send for Tagged<'_, A, B> {}
// SAFETY: as above.
unsafe impl<A: Sync, B: Sync> Sync for Tagged<'_, A, B> {}

/// Uses a thread-local without a destructor; as [`LocalKey::with`], but always inlined, whatever `action` is.
#[inline]
pub(crate) fn with_local<T, R>(key: &'static LocalKey<T>, action: impl FnOnce(&T) -> R) -> R {
    const { assert!(!std::mem::needs_drop::<T>()) };
    let value = key.with(std::ptr::from_ref);
    // SAFETY:
    // - valid for reads: without a destructor it lives as long as its thread, so longer than this call.
    // - of this thread only: the reference cannot leave `action`.
    action(unsafe { &*value })
}

/// What a [`Slot`] may lend: a value that borrows for `'a`.
pub(crate) trait Lend {
    type Value<'a>;

    /// Says that a value may pass for one that borrows for a shorter time.
    fn shorten<'short, 'long: 'short>(
        value: &'short Self::Value<'long>,
    ) -> &'short Self::Value<'short>;
}

/// Lends a value to whatever runs in a closure; outside of one there is a value that stays.
pub(crate) struct Slot<L: Lend>(Cell<NonNull<L::Value<'static>>>);

impl<L: Lend> Slot<L> {
    pub(crate) const fn new(value: &'static L::Value<'static>) -> Self {
        // SAFETY: non-null: it comes from a reference.
        let value = unsafe { NonNull::new_unchecked(std::ptr::from_ref(value).cast_mut()) };
        Self(Cell::new(value))
    }

    /// Runs `action` with `value` in the slot.
    #[inline]
    pub(crate) fn lend<R>(&self, value: &L::Value<'_>, action: impl FnOnce() -> R) -> R {
        let present = self.0.replace(NonNull::from(value).cast());
        let _restored = Restored(&self.0, present);
        action()
    }

    /// Looks at the value in the slot.
    #[inline]
    pub(crate) fn look<R>(&self, look: impl for<'a> FnOnce(&'a L::Value<'a>) -> R) -> R {
        // SAFETY:
        // - valid for reads: by invariant 3 it is static, or a call of `lend` around this one still
        //   borrows it, and with it all that it borrows itself.
        // - not changed meanwhile: that borrow is a shared one.
        // - what it borrows need not be static: nobody but `shorten` sees it as if it were, and `look`
        //   may count on no more than that it lasts for this call.
        let value = unsafe { self.0.get().as_ref() };
        look(L::shorten(value))
    }
}

/// Puts back what was in a slot.
struct Restored<'a, T>(&'a Cell<NonNull<T>>, NonNull<T>);

impl<T> Drop for Restored<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

#[cfg(test)]
mod tests;
