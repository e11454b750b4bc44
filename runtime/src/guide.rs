//! How to bring a tokio code base to this crate, step by step, with *before* and *after*.
//!
//! - [`from_nothing`]: tasks run until the process ends, and nothing stops them.
//! - [`from_tokens`]: a `CancellationToken` goes through the code, and `select!` looks at it.
//! - [`from_go`]: the code was, or still is, written in Go, with `context.Context`.
#![cfg_attr(
    feature = "tokens",
    doc = "- [`beside_tokens`]: there are contexts here, tokens there, and both stay."
)]
//!
//! # Which mode
//!
//! | | `#[cancellable(implicit)]` | `#[cancellable]` |
//! |---|---|---|
//! | signature | stays as it is | gets the context as its first parameter |
//! | the context | the one in whose scope the task is polled | the one that the caller passes |
//! | callers | stay as they are | pass `&ctx` |
//! | no error to leave with | the function is unwound by drop | does not compile |
//! | an await that cannot be checked | left as it was; listed by the audit | does not compile |
//!
//! The two call each other, and one code base may have both. For a code base that is there already,
//! begin with implicit mode: nothing but attributes is added. New code, and code in which each call
//! has a deadline of its own, reads better with the context in its signature.
//!
//! # The order of the steps
//!
//! 1. Annotate. Outside of any scope an annotated function does what it did before.
//! 2. Open a scope. From then on what runs in it can be cancelled.
//! 3. Look at what must finish, and at what must end too: clean-up and spawned tasks.
//! 4. Have CI keep it that way.
//!
//! What is promised in each case is in [`guarantees`](crate::guarantees).

pub mod from_nothing {
    #![doc = include_str!("guide/from_nothing.md")]
}

pub mod from_tokens {
    #![doc = include_str!("guide/from_tokens.md")]
}

#[cfg(feature = "tokens")]
pub mod beside_tokens {
    #![doc = include_str!("guide/beside_tokens.md")]
}

pub mod from_go {
    #![doc = include_str!("guide/from_go.md")]
}
