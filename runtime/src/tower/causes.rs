//! The requests whose callers may say why they cancel: the server's side of [`super::teller`].
//!
//! A caller gives its request a random number, and tells the cause in a request of its own, to [`PATH`], before it
//! resets the first one. The answer to that says that the context has ended. HTTP has no text in a reset.
//!
//! Invariants:
//! 1. A number is here as long as the exchange that it came with. The first one that comes with it has it.
//! 2. The lock is a leaf: nothing is cancelled or dropped under it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::Location;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, Request};

use super::cause::RemoteCause;
use super::end::RequestEnd;
use crate::cancelled::Cause;
use crate::canceller::Canceller;
use crate::origin::Origin;
use crate::sync::Mutex;

/// Where causes are told.
pub(super) const PATH: &str = "/cancel-context/cause";

/// The number of a request.
pub(super) const NUMBER: HeaderName = HeaderName::from_static("x-cancel-number");

/// Nobody but the caller knows it. On the wire it is 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Number(u128);

impl Number {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(NUMBER)?.to_str().ok()?;
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u128::from_str_radix(text, 16).ok().map(Self))?
    }
}

#[derive(Debug, Default)]
pub(super) struct Causes(Mutex<HashMap<Number, Canceller>>);

/// A number that may be used to tell a cause, until this is dropped.
#[derive(Debug)]
pub(super) struct Told {
    causes: Arc<Causes>,
    number: Number,
}

impl Causes {
    /// Has what `canceller` gives told of the cause of `request`, if that has a number.
    pub(super) fn listen<B>(
        self: &Arc<Self>,
        request: &Request<B>,
        canceller: impl FnOnce() -> Option<Canceller>,
    ) -> Option<Box<Told>> {
        let number = Number::of(request.headers())?;
        // Made before, and dropped after the lock, if somebody else has the number.
        let canceller = canceller()?;
        match self.0.lock().entry(number) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(entry) => _ = entry.insert(canceller),
        }
        let causes = Arc::clone(self);
        Some(Box::new(Told { causes, number }))
    }

    /// Ends the context of the request that `request` is about, if that is what it is for. `Some(false)` if there
    /// is none.
    pub(super) fn tell<B>(
        &self,
        request: &Request<B>,
        place: &'static Location<'static>,
    ) -> Option<bool> {
        if request.uri().path() != PATH || request.method() != Method::POST {
            return None;
        }
        let told = Number::of(request.headers()).zip(RemoteCause::of(request.headers()));
        let (number, cause) = told?;
        let canceller = self.0.lock().get(&number).cloned();
        let is_known = canceller.map(|canceller| {
            let cause: Cause = Arc::new(RequestEnd::CancelledByCaller(cause));
            canceller.end(Some(cause), Origin::Cancelled(place));
        });
        Some(is_known.is_some())
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let canceller = self.causes.0.lock().remove(&self.number);
        drop(canceller);
    }
}
