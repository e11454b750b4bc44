use cancel_context::{Cancelled, Context, cancellable};

#[cancellable]
async fn work() -> Result<(), Cancelled> {
    println!("{:?}", Context::background()); //~ ERROR `Context::background` is never cancelled; pass `ctx` on, or derive from it
    tokio::select! {
        () = std::future::ready(()) => {}
        () = std::future::pending() => std::process::exit(1), //~ ERROR `process::exit` runs no `Drop` of any task; return an error instead
    }
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
