//! Cancels tests at random awaits; the feature `testing`.
//!
//! With this feature, each test with `#[cancellable(implicit)]` on it runs in a scope of its own, which
//! the variable `CANCEL_CONTEXT_SEED` of the environment controls:
//!
//! - not set: never cancelled;
//! - `0`: never cancelled; prints how many awaits were checked, and at how many sites;
//! - any other number: cancelled as a random await begins, which the seed and the test's name decide.
//!   It prints the seed and that await. Small numbers of awaits are likelier than large ones, up to
//!   1,024; a test with fewer awaits than that runs to its end.
//!
//! A cancelled test passes, unless it panics: what it asserts about an operation that was cancelled is
//! its own. Tasks it spawns are in the scope if its attribute says `inherit_spawns`.
//!
//! ```text
//! $ CANCEL_CONTEXT_SEED=7 cargo test -- --nocapture
//! cancel-context: seed 7: server::pub_sub was cancelled at await 23, tests/server.rs:140:10 `stream.read_exact(…)`
//! ```
//!
//! # Examples
//!
//! ```
//! use cancel_context::{Context, testing};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // What the attribute makes of a test.
//! testing::scope("my_test", async { assert!(!Context::current().is_cancelled()) }).await;
//! # }
//! ```

use std::collections::HashSet;
use std::io::Write;

use crate::canceller::Canceller;
use crate::context::Context;
use crate::scope;
use crate::site::Site;
use crate::sync::Mutex;

/// The variable of the environment.
const VARIABLE: &str = "CANCEL_CONTEXT_SEED";
/// Powers of two from which the number of the await is drawn: up to 1,024.
const MAGNITUDES: u64 = 11;

/// What a test returns.
#[diagnostic::on_unimplemented(
    message = "a cancelled test cannot return `{Self}`",
    note = "return `()` or `Result<(), E>`, or leave the attribute off this test"
)]
pub trait Outcome {
    /// What a test returns that was cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::testing::Outcome;
    ///
    /// assert_eq!(Result::<(), String>::passed(), Ok(()));
    /// ```
    fn passed() -> Self;
}

impl Outcome for () {
    fn passed() {}
}

impl<E> Outcome for Result<(), E> {
    fn passed() -> Self {
        Ok(())
    }
}

/// Counts the awaits of one test, and cancels it at one of them. A value of the test's context.
struct Countdown {
    seed: u64,
    name: String,
    /// At which await; 0 for never.
    at: u64,
    canceller: Canceller,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    awaits: u64,
    sites: HashSet<&'static Site>,
}

impl Countdown {
    fn count(&self, site: &'static Site) {
        let mut state = self.state.lock();
        state.awaits += 1;
        state.sites.insert(site);
        let awaits = state.awaits;
        drop(state);
        if awaits == self.at {
            let (seed, name) = (self.seed, &self.name);
            eprintln!(
                "cancel-context: seed {seed}: {name} was cancelled at await {awaits}, {site}"
            );
            self.canceller.cancel_with("a test of its cancellation");
        }
    }

    fn report_end(&self) {
        let (seed, name, state) = (self.seed, &self.name, self.state.lock());
        let (awaits, sites) = (state.awaits, state.sites.len());
        say(&format!(
            "seed {seed}: {name} ran to its end, {awaits} awaits were checked at {sites} sites"
        ));
    }
}

/// Prints a line, in one piece though other threads print as well.
fn say(text: &str) {
    let line = format!("cancel-context: {text}\n");
    // A test whose output is closed is to go on.
    drop(std::io::stderr().lock().write_all(line.as_bytes()));
}

/// As an await begins: counts it, if a test is around it.
pub(crate) fn on_await(context: Option<&Context>, site: &'static Site) {
    let current;
    let context = if let Some(context) = context {
        context
    } else {
        current = scope::current();
        &current
    };
    if let Some(countdown) = context.value::<Countdown>() {
        countdown.count(site);
    }
}

/// Runs a test in a scope of its own; emitted by the attribute. See the module.
///
/// # Panics
///
/// Panics if the variable is set and no number.
///
/// # Cancel safety
///
/// As for [`Context::run`].
///
/// # Examples
///
/// See the [module](self).
pub async fn scope<T: Outcome>(name: &str, test: impl Future<Output = T>) -> T {
    let Some(seed) = seed() else {
        return test.await;
    };
    let (root, canceller) = Context::background()
        .with_name(name.to_owned())
        .with_cancel();
    let context = root.with_value(Countdown {
        seed,
        name: name.to_owned(),
        at: draw(seed, name),
        canceller,
        state: Mutex::new(State::default()),
    });
    let outcome = context.run(test).await;
    match outcome {
        Ok(outcome) if !context.is_cancelled() => {
            context.value().into_iter().for_each(Countdown::report_end);
            outcome
        }
        _ => T::passed(),
    }
}

fn seed() -> Option<u64> {
    let text = std::env::var(VARIABLE).ok()?;
    let seed = text.trim().parse();
    Some(seed.unwrap_or_else(|_| panic!("{VARIABLE} is no number: {text:?}")))
}

/// The number of the await at which the test of this name is cancelled.
fn draw(seed: u64, name: &str) -> u64 {
    if seed == 0 {
        return 0;
    }
    let state = name
        .bytes()
        .fold(seed, |state, byte| mix(state ^ u64::from(byte)));
    let (first, second) = (mix(state), mix(mix(state)));
    1 + second % (1 << (first % MAGNITUDES))
}

/// One step of `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
