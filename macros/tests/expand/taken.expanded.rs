use cancel_context::{Cancelled, Context, cancellable};
async fn user(id: u64, ctx: &Context) -> Result<u64, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("lookup(ctx, id)", "taken::user"),
    ];
    {
        use ::cancel_context::private::Reborrow as _;
        let _ = ::cancel_context::private::context(ctx.__reborrow());
    }
    let __leave = ::cancel_context::FromCancelled::from_cancelled;
    let mut __kept = ::cancel_context::private::Kept::new();
    let ctx = ctx.with_name("narrowed");
    Ok(
        match ::cancel_context::private::guard(
                {
                    use ::cancel_context::private::Reborrow as _;
                    if ::cancel_context::private::has_ended(
                        ctx.__reborrow(),
                        &__SITES[0],
                    ) {
                        return __leave(
                            ::cancel_context::private::ended(
                                ctx.__reborrow(),
                                &__SITES[0],
                            ),
                        );
                    }
                    ::cancel_context::private::hold(&ctx)
                },
                ::core::future::IntoFuture::into_future(lookup(ctx, id)),
                __kept,
                || &__SITES[0],
            )
            .await
        {
            __output => {
                match __output {
                    #[allow(unreachable_code)]
                    ::core::result::Result::Ok((__value, __back)) => {
                        __kept = __back;
                        (__value,).0
                    }
                    ::core::result::Result::Err(__cancelled) => {
                        return __leave(
                            ::cancel_context::private::left(__cancelled, &__SITES[0]),
                        );
                    }
                }
            }
        },
    )
}
async fn lookup(_: Context, id: u64) -> u64 {
    id
}
