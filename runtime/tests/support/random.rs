//! Random numbers with a seed that is printed, and can be given.

use std::env;
use std::hash::{BuildHasher, RandomState};

/// A xorshift generator.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the variable `CANCEL_CONTEXT_SEED`, else at random; prints the seed, which the
    /// harness shows if the test fails.
    pub(crate) fn seeded() -> Self {
        let given = env::var("CANCEL_CONTEXT_SEED").ok();
        let seed = given.map_or_else(
            || RandomState::new().hash_one(0),
            |seed| seed.parse().expect("`CANCEL_CONTEXT_SEED` is a number"),
        );
        println!("CANCEL_CONTEXT_SEED={seed}");
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from((self.next() >> 11) % end).unwrap()
    }
}
