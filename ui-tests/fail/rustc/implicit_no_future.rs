use cancel_context::cancellable;

#[cancellable(implicit)]
async fn work() -> usize {
    let block = async { 7_usize.await }; //~ ERROR `usize` is not a future
    block.await
}

fn main() {}
