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
    {
        use ::cancel_context::private::Reborrow as _;
        let _ = ::cancel_context::private::context(ctx.__reborrow());
    }
    let mut __kept = ::cancel_context::private::Kept::new();
    match ::cancel_context::private::guard(
            {
                use ::cancel_context::private::Reborrow as _;
                if ::cancel_context::private::has_ended(ctx.__reborrow(), &__SITES[0]) {
                    {
                        let cancelled = ::cancel_context::private::ended(
                            ctx.__reborrow(),
                            &__SITES[0],
                        );
                        let _ = &cancelled;
                        #[allow(unreachable_code, clippy::diverging_sub_expression)]
                        return cancelled.to_string().len();
                    }
                }
                ::cancel_context::private::context(ctx.__reborrow())
            },
            ::core::future::IntoFuture::into_future(std::future::ready(text.len())),
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
                    let cancelled = ::cancel_context::private::left(
                        __cancelled,
                        &__SITES[0],
                    );
                    let _ = &cancelled;
                    #[allow(unreachable_code, clippy::diverging_sub_expression)]
                    return cancelled.to_string().len();
                }
            }
        }
    }
}
