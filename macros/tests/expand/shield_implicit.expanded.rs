use cancel_context::cancellable;
async fn clean() {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new(
            "std::future::ready(())",
            "shield_implicit::clean",
        ),
    ];
    #[allow(unreachable_code)]
    (
        match &::cancel_context::private::shield_context(
            &::cancel_context::Context::current(),
        ) {
            __shield => {
                match ::cancel_context::private::shielded(
                        ::cancel_context::private::at(
                            ::core::future::IntoFuture::into_future(
                                std::future::ready(()),
                            ),
                            || &__SITES[0],
                        ),
                        &__shield,
                    )
                    .await
                {
                    #[allow(unreachable_code)]
                    __value => (__value,).0,
                }
            }
        },
    )
        .0;
}
