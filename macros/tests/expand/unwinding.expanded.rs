use cancel_context::cancellable;
async fn count(id: usize) -> usize {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new(
            "std::future::ready(id)",
            "unwinding::count",
        ),
    ];
    match ::cancel_context::private::unwind('__left: {
            let __value: usize = {
                match ::cancel_context::private::around(
                        if ::cancel_context::private::is_over(&__SITES[0]) {
                            break '__left (::cancel_context::private::Over::here())
                                .at(&__SITES[0]);
                        },
                        ::core::future::IntoFuture::into_future(std::future::ready(id)),
                        || &__SITES[0],
                    )
                    .await
                {
                    __output => {
                        match __output {
                            #[allow(unreachable_code)]
                            ::core::result::Result::Ok(__value) => (__value,).0,
                            ::core::result::Result::Err(__cancelled) => {
                                break '__left (__cancelled).at(&__SITES[0]);
                            }
                        }
                    }
                }
            };
            #[allow(unreachable_code)] return __value;
        })
        .await
    {}
}
