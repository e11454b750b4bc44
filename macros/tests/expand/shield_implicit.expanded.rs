use cancel_context::cancellable;
async fn clean() {
    #[allow(unreachable_code)]
    (
        match &::cancel_context::private::shield_context(
            &::cancel_context::Context::current(),
        ) {
            __shield => {
                match ::cancel_context::private::shielded(
                        ::core::future::IntoFuture::into_future(std::future::ready(())),
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
