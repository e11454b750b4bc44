//! How an await without a context of its own leaves its function: with a value, or by being dropped.
//!
//! The attribute cannot know whether a return type can say "cancelled"; rustc finds out, also in generic
//! code and for aliases. `Leave::<T>::new().how()` is looked up on `Leave<T>` first, where it exists
//! for `T: FromCancelled`, and then, through `Deref`, on what holds for every `T`.

#![expect(
    clippy::unused_self,
    reason = "the methods are chosen by the type of `self`"
)]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::implicit::{Await, Left, Parked, Returning, is_over};
use crate::leaving::FromCancelled;
use crate::site::{At, Site};

/// How a function is left at one of its awaits.
pub trait Exit {
    /// Without a value, so that it has to be parked.
    const PARKS: bool;
}

/// The function is known to have no value to leave with.
#[derive(Debug)]
pub struct Unwound;

/// The function returns a `T`, which can say "cancelled".
pub struct Returns<T>(PhantomData<fn() -> T>);

/// The function returns a `T`, which cannot.
pub struct Unwinds<T>(PhantomData<fn() -> T>);

impl Exit for Unwound {
    const PARKS: bool = true;
}

impl<T> Exit for Unwinds<T> {
    const PARKS: bool = true;
}

impl<T> Exit for Returns<T> {
    const PARKS: bool = false;
}

/// Asks how a function that returns `T` leaves: `Leave::<T>::new().how()` is a [`Returns`] where
/// `T: FromCancelled`, also in generic code, since methods are looked up here first; and otherwise
/// an `Unwinds`, found by `Deref`.
pub struct Leave<T>(Otherwise<T>);

/// Where the method is found that holds for every `T`.
pub struct Otherwise<T>(PhantomData<fn() -> T>);

impl<T> Leave<T> {
    /// For a function that returns a `T`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "named by the attribute only")]
    pub const fn new() -> Self {
        Self(Otherwise(PhantomData))
    }
}

impl<T: FromCancelled> Leave<T> {
    /// With a value.
    #[must_use]
    pub const fn how(&self) -> Returns<T> {
        Returns(PhantomData)
    }
}

impl<T> Deref for Leave<T> {
    type Target = Otherwise<T>;

    fn deref(&self) -> &Otherwise<T> {
        &self.0
    }
}

impl<T> Otherwise<T> {
    /// By being dropped.
    #[must_use]
    pub const fn how(&self) -> Unwinds<T> {
        Unwinds(PhantomData)
    }
}

impl Returns<()> {
    /// For a function whose attribute says what a cancelled call returns.
    pub const ON_CANCEL: Self = Self(PhantomData);
}

impl<T: FromCancelled> Returns<T> {
    /// What follows the body that was left.
    pub fn with(self, left: Left) -> Returning<T> {
        Returning::new(left)
    }
}

impl<T> Unwinds<T> {
    /// What follows the body that was left.
    pub fn with(self, left: Left) -> Parked<T> {
        Parked::new(left)
    }
}

macro_rules! awaits {
    ($($exit:ident),*) => {
        $(impl<T> $exit<T> {
            /// The check as an await begins, before its operand is evaluated.
            #[inline]
            pub fn is_over(self, site: &'static Site) -> bool {
                is_over::<Self>(site)
            }

            /// The future around an await that has begun.
            #[inline]
            pub const fn guard<F, S: At>(self, (): (), future: F, site: S) -> Await<F, Self, S> {
                Await::new(future, site)
            }
        })*
    };
}

awaits!(Returns, Unwinds);

macro_rules! copy {
    ($($name:ident),*) => {
        $(impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $name<T> {})*
    };
}

copy!(Returns, Unwinds);

macro_rules! debug_by_name {
    ($($name:ident),*) => {
        $(impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}

debug_by_name!(Leave, Otherwise, Returns, Unwinds);
