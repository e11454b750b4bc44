//! What is refused elsewhere is allowed by name, and is not refused where it does no harm.

use std::future::ready;
use std::time::Duration;

use cancel_context::{Cancelled, Context, cancellable, outside};

#[cancellable(allow(process_exit, thread_sleep))]
async fn allowed_by_the_function(exits: bool) -> Result<(), Cancelled> {
    if ready(exits).await {
        std::process::exit(1);
    }
    std::thread::sleep(Duration::from_secs(0));
    Ok(())
}

#[cancellable]
async fn allowed_by_statements() -> Result<Context, Cancelled> {
    #[cancellable(allow(dropped_canceller))]
    let (ended, _) = ctx.with_cancel();
    #[cancellable(allow(spin))]
    while !ended.is_cancelled() {
        std::hint::spin_loop();
    }
    #[cancellable(allow(block_on, thread_sleep))]
    futures::executor::block_on(async { std::thread::sleep(Duration::from_secs(0)) });
    #[cancellable(allow(root_context))]
    let root = ready(Context::todo()).await;
    Ok(root)
}

#[cancellable]
async fn harmless() -> Result<(), Cancelled> {
    let pause = || std::thread::sleep(Duration::from_secs(0));
    tokio::task::spawn_blocking(pause)
        .await
        .expect("does not panic");
    outside(|| futures::executor::block_on(ready(())));
    outside(move || futures::executor::block_on(ready(())));
    let mut rounds = 0;
    while !ctx.is_cancelled() && rounds < 3 {
        rounds += 1;
    }
    while !ctx.is_cancelled() {
        if ready(true).await {
            break;
        }
    }
    let (ctx, _canceller) = ctx.with_cancel();
    ready(ctx).await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background();
    allowed_by_the_function(&ctx, false).await.unwrap();
    assert_eq!(allowed_by_statements(&ctx).await.unwrap(), Context::todo());
    harmless(&ctx).await.unwrap();
}
