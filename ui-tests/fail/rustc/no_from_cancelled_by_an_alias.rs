use cancel_context::cancellable;

type Reply = u8;

#[cancellable]
async fn work() -> Reply { //~ ERROR a cancelled call cannot return `u8`
    std::future::ready(1).await
}

fn main() {}
