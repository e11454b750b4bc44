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

use crate::cancelled::Cancelled;
use crate::implicit::{Await, Begin};
use crate::leaving::FromCancelled;
use crate::site::Site;

/// How an await leaves its function.
pub trait Exit {
    /// What the await gives for a value of type `T`.
    type Output<T>;
    /// Without a value to leave with, so that it has to be parked.
    const PARKS: bool;

    fn value<T>(value: T) -> Self::Output<T>;

    /// What it gives on a cancel; none if it is parked.
    fn cancelled<T>(cancelled: Cancelled) -> Option<Self::Output<T>>;
}

/// The function is known to have no value to leave with.
#[derive(Debug)]
pub struct Unwound;

/// The function returns a `T`, which can say "cancelled".
pub struct Returns<T>(PhantomData<fn() -> T>);

/// The function returns a `T`, which cannot.
pub struct Unwinds<T>(PhantomData<fn() -> T>);

/// Nothing: an await that is parked gives no error.
#[derive(Debug)]
pub struct Never(std::convert::Infallible);

impl Exit for Unwound {
    type Output<T> = T;
    const PARKS: bool = true;

    fn value<T>(value: T) -> T {
        value
    }

    fn cancelled<T>(_: Cancelled) -> Option<T> {
        None
    }
}

impl<R> Exit for Unwinds<R> {
    type Output<T> = Result<T, Never>;
    const PARKS: bool = true;

    fn value<T>(value: T) -> Result<T, Never> {
        Ok(value)
    }

    fn cancelled<T>(_: Cancelled) -> Option<Result<T, Never>> {
        None
    }
}

impl<R> Exit for Returns<R> {
    type Output<T> = Result<T, Cancelled>;
    const PARKS: bool = false;

    fn value<T>(value: T) -> Result<T, Cancelled> {
        Ok(value)
    }

    fn cancelled<T>(cancelled: Cancelled) -> Option<Result<T, Cancelled>> {
        Some(Err(cancelled))
    }
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
    /// What the function returns.
    #[must_use]
    pub fn with(&self, cancelled: Cancelled) -> T {
        T::from_cancelled(cancelled)
    }
}

impl<T> Unwinds<T> {
    /// Never called.
    #[must_use]
    pub fn with(&self, Never(never): Never) -> T {
        match never {}
    }
}

macro_rules! awaits {
    ($($exit:ident),*) => {
        $(impl<T> $exit<T> {
            /// The check as an await begins, before its operand is evaluated.
            pub fn begin(&self, site: &'static Site) -> Begin<Self> {
                Begin::new(site)
            }

            /// The future around an await that has begun.
            pub fn guard<F>(&self, (): (), future: F, site: &'static Site) -> Await<F, Self> {
                Await::new(future, site)
            }
        })*
    };
}

awaits!(Returns, Unwinds);

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
