//! `main` itself: nothing is injected.

use std::future::ready;

use cancel_context::{Cancelled, cancellable};

#[cancellable]
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Cancelled> {
    ready(()).await;
    assert!(!ctx.is_cancelled());
    Ok(())
}
