use cancel_context::{Cancelled, Context, cancellable};

#[cancellable]
async fn user(id: u64, ctx: &Context) -> Result<u64, Cancelled> {
    let ctx = ctx.with_name("narrowed");
    Ok(lookup(ctx, id).await)
}

async fn lookup(_: Context, id: u64) -> u64 {
    id
}
