use cancel_context::{Cancelled, cancellable};
async fn user(
    __ctx: impl ::cancel_context::AsContext,
    id: u64,
) -> Result<u64, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("std::future::ready(id)", "injected::user"),
    ];
    let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(
        &__ctx,
    );
    let _ = ::cancel_context::private::context(&ctx);
    let __leave = ::cancel_context::FromCancelled::from_cancelled;
    let mut __waiter = ::cancel_context::private::Waiter::new();
    let row = (
        match ::cancel_context::private::guard(
                match ::cancel_context::private::enter(&ctx, &__SITES[0]) {
                    ::core::result::Result::Ok(__context) => __context,
                    ::core::result::Result::Err(__cancelled) => {
                        return __leave(__cancelled);
                    }
                },
                ::core::future::IntoFuture::into_future(std::future::ready(id)),
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
        .0;
    Ok(row + 1)
}
