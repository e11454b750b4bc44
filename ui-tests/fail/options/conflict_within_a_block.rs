use cancel_context::{Cancelled, Context, cancellable};

struct Store;

#[cancellable(implicit)]
impl Store {
    #[cancellable(ctx = cx)] //~ ERROR `ctx` conflicts with `implicit`, which takes no parameter; write one of them
    async fn read(&self, cx: &Context) -> Result<(), Cancelled> {
        std::future::ready(cx).await;
        Ok(())
    }
}

fn main() {}
