//! Contexts and tokens that are made of each other, twenty thousand times: nothing is left of them.

#[path = "../src/bin/soak/heap.rs"]
mod heap;

use std::time::Duration;

use cancel_context::Context;
use cancel_context::private::{children, waiting};
use tests::Polled;
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 20_000;
/// Less than a byte for each round, and more than what tables differ by.
const SLACK: isize = 4096;
const LONG: Duration = Duration::from_secs(600);

fn round(root: &Context, long_lived: &CancellationToken) {
    // One that is dropped.
    drop(root.with_token(long_lived));
    // One that ends with its parent, and one with its token.
    let (parent, canceller) = root.with_timeout(LONG).with_cancel();
    let child = parent.with_token(long_lived);
    let below = root.with_token(&child.cancellation_token().child_token());
    Polled::new(below.cancelled()).waits();
    canceller.cancel();
    assert!(child.is_cancelled() && below.is_cancelled());
    // Tokens whose contexts go first, or can end no more.
    let token = root.with_timeout(LONG).cancellation_token();
    let (endless, canceller) = root.with_cancel();
    let endless_token = endless.cancellation_token();
    canceller.detach();
    assert!(!token.is_cancelled() && !endless_token.is_cancelled());
}

// guarantees B8, E1; the symptom: what is kept for each at a long-lived token grows without bound
#[test]
fn contexts_and_tokens_of_each_other_leave_nothing() {
    let (root, _canceller) = Context::background().with_cancel();
    let long_lived = CancellationToken::new();
    let token = root.cancellation_token();
    for _ in 0..10 {
        round(&root, &long_lived);
    }
    let before = heap::bytes();
    for _ in 0..ROUNDS {
        round(&root, &long_lived);
    }
    let grown = heap::bytes() - before;
    assert!(grown < SLACK, "the heap has grown by {grown} bytes");
    assert_eq!((children(&root), waiting(&root)), (0, 1), "its own token");
    assert!(!token.is_cancelled() && !long_lived.is_cancelled());
}
