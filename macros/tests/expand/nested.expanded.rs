use cancel_context::{Cancelled, cancellable};
async fn both(
    __ctx: impl ::cancel_context::AsContext,
    id: u64,
) -> Result<u64, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 2] = [
        ::cancel_context::private::Site::new("std::future::ready(id)", "nested::both"),
        ::cancel_context::private::Site::new("block", "nested::both"),
    ];
    let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(
        &__ctx,
    );
    let _ = ::cancel_context::private::context(&ctx);
    let __leave = ::cancel_context::FromCancelled::from_cancelled;
    let mut __waiter = ::cancel_context::private::Waiter::new();
    let block = async move {
        match ::cancel_context::private::around(
                ::cancel_context::private::begin(&__SITES[0]).await,
                ::core::future::IntoFuture::into_future(std::future::ready(id)),
                &__SITES[0],
            )
            .await
        {
            #[allow(unreachable_code)]
            __value => (__value,).0,
        }
    };
    Ok(
        match ::cancel_context::private::guard(
                match ::cancel_context::private::enter(&ctx, &__SITES[1]) {
                    ::core::result::Result::Ok(__context) => __context,
                    ::core::result::Result::Err(__cancelled) => {
                        return __leave(__cancelled);
                    }
                },
                ::core::future::IntoFuture::into_future(block),
                &mut __waiter,
                &__SITES[1],
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
