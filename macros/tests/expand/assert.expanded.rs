use cancel_context::{Cancelled, cancellable};
async fn holds(__ctx: impl ::cancel_context::AsContext) -> Result<(), Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("std::future::ready(true)", "assert::holds"),
    ];
    let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(
        &__ctx,
    );
    {
        use ::cancel_context::private::Reborrow as _;
        let _ = ::cancel_context::private::context(ctx.__reborrow());
    }
    let __leave = ::cancel_context::FromCancelled::from_cancelled;
    let mut __kept = ::cancel_context::private::Kept::new();
    if !match ::cancel_context::private::guard(
            {
                use ::cancel_context::private::Reborrow as _;
                if ::cancel_context::private::has_ended(ctx.__reborrow(), &__SITES[0]) {
                    return __leave(
                        ::cancel_context::private::ended(ctx.__reborrow(), &__SITES[0]),
                    );
                }
                ::cancel_context::private::context(ctx.__reborrow())
            },
            ::core::future::IntoFuture::into_future(std::future::ready(true)),
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
    } {
        {
            ::core::panicking::panic_display(
                &"assertion failed: std::future::ready(true).await",
            );
        }
    }
    Ok(())
}
