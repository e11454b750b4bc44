use cancel_context::{Cancelled, Context, cancellable};
async fn user(id: u64, ctx: &Context) -> Result<u64, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("lookup(ctx, id)", "taken::user"),
    ];
    let _ = ::cancel_context::private::context(&ctx);
    let __leave = ::cancel_context::FromCancelled::from_cancelled;
    let mut __waiter = ::cancel_context::private::Waiter::new();
    let ctx = ctx.with_name("narrowed");
    Ok(
        match ::cancel_context::private::guard(
                match ::cancel_context::private::enter_owned(&ctx, &__SITES[0]) {
                    ::core::result::Result::Ok(__context) => __context,
                    ::core::result::Result::Err(__cancelled) => {
                        return __leave(__cancelled);
                    }
                },
                ::core::future::IntoFuture::into_future(lookup(ctx, id)),
                &mut __waiter,
                &__SITES[0],
            )
            .await
        {
            __output => {
                match __output {
                    #[allow(unreachable_code)]
                    ::core::result::Result::Ok(__value) => (__value,).0,
                    ::core::result::Result::Err(__cancelled) => {
                        return __leave(__cancelled);
                    }
                }
            }
        },
    )
}
async fn lookup(_: Context, id: u64) -> u64 {
    id
}
