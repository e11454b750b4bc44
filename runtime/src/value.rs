//! A value that a context carries, and how it is found.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};

/// What can be carried: anything, and what it is called.
trait Named: Any + Send + Sync {
    fn type_name(&self) -> &'static str;
}

impl<T: Any + Send + Sync> Named for T {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }
}

/// A value with a digest of its type, so that the way up passes over others without asking them.
pub(crate) struct Value {
    digest: u64,
    value: Box<dyn Named>,
}

impl Value {
    pub(crate) fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self {
            digest: digest_of::<T>(),
            value: Box::new(value),
        }
    }

    #[inline]
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        if self.digest != digest_of::<T>() {
            return None;
        }
        let value: &dyn Any = &*self.value;
        value.downcast_ref()
    }

    pub(crate) fn type_name(&self) -> &'static str {
        (*self.value).type_name()
    }
}

/// Equal for equal types, and mostly not for others.
#[inline]
fn digest_of<T: Any>() -> u64 {
    let mut digest = Digest(0);
    TypeId::of::<T>().hash(&mut digest);
    digest.0
}

/// Adds up what it is given; the bits of a `TypeId` are well mixed.
struct Digest(u64);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
}
