//! Random trees against a reference that knows the contract only, and works every end out at once.
//!
//! Each case is a list of steps: contexts are derived, merged, cancelled and dropped, deadlines are moved
//! and pass, and others wait. After each step the contexts are compared with the reference, or only those that
//! the step looks at, so that ends are also found late. What fails is reduced to the steps that it takes.
//!
//! It prints its seed. To repeat a run, set `PROPTEST_RNG_SEED` to it; for longer runs, `PROPTEST_CASES`.

mod clock;
mod compare;
mod generate;
mod parts;
mod system;
mod transition;
mod tree;
mod why;
mod world;

use std::env;
use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use crate::transition::Transition;
use crate::world::{Reference, World};

/// Steps of a case, at most.
const STEPS: usize = 60;

/// Runs this many cases, unless `PROPTEST_CASES` says otherwise.
fn check<R>(cases: u32)
where
    R: ReferenceStateMachine<State = World, Transition = Transition>,
    R: StateMachineTest<Reference = R>,
{
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if matches!(config.rng_seed, RngSeed::Random) {
        config.rng_seed = RngSeed::Fixed(RandomState::new().hash_one(0));
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    let mut runner = TestRunner::new(config.clone());
    let outcome = runner.run(
        &R::sequential_strategy(1..=STEPS),
        |(world, steps, seen)| {
            R::test_sequential(config.clone(), world, steps, seen);
            Ok(())
        },
    );
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

// guarantees B2 to B5, B7, B8, B11, C1, C2
#[cfg(feature = "tokio")]
#[test]
fn random_trees_on_a_paused_clock_do_as_the_contract_says() {
    check::<Reference<true>>(1000);
}

// guarantees B2 to B5, B7, B8, B11, C1
#[test]
fn random_trees_without_a_runtime_do_as_the_contract_says() {
    check::<Reference<false>>(1000);
}
