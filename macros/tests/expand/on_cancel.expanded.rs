use cancel_context::cancellable;
async fn length(__ctx: impl ::cancel_context::AsContext, text: &str) -> usize {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new(
            "std::future::ready(text.len())",
            "on_cancel::length",
        ),
    ];
    let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(
        &__ctx,
    );
    let _ = ::cancel_context::private::context(&ctx);
    let mut __waiter = ::cancel_context::private::Waiter::new();
    match ::cancel_context::private::guard(
            match ::cancel_context::private::enter(&ctx, &__SITES[0]) {
                ::core::result::Result::Ok(__context) => __context,
                ::core::result::Result::Err(__cancelled) => {
                    let cancelled = __cancelled;
                    let _ = &cancelled;
                    #[allow(unreachable_code, clippy::diverging_sub_expression)]
                    return cancelled.to_string().len();
                }
            },
            ::core::future::IntoFuture::into_future(std::future::ready(text.len())),
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
                    let cancelled = __cancelled;
                    let _ = &cancelled;
                    #[allow(unreachable_code, clippy::diverging_sub_expression)]
                    return cancelled.to_string().len();
                }
            }
        }
    }
}
