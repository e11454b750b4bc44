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
    {
        use ::cancel_context::private::Reborrow as _;
        let _ = ::cancel_context::private::context(ctx.__reborrow());
    }
    let __leave = ::cancel_context::FromCancelled::from_cancelled;
    let mut __kept = ::cancel_context::private::Kept::new();
    let block = async move {
        match ::cancel_context::private::unwind('__left: {
                #[allow(unreachable_code)]
                return {
                    match ::cancel_context::private::around(
                            if ::cancel_context::private::is_over(&__SITES[0]) {
                                break '__left (::cancel_context::private::Over::here())
                                    .at(&__SITES[0]);
                            },
                            ::core::future::IntoFuture::into_future(
                                std::future::ready(id),
                            ),
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
            })
            .await
        {}
    };
    Ok(
        match ::cancel_context::private::guard(
                {
                    use ::cancel_context::private::Reborrow as _;
                    if ::cancel_context::private::has_ended(
                        ctx.__reborrow(),
                        &__SITES[1],
                    ) {
                        return __leave(
                            ::cancel_context::private::ended(
                                ctx.__reborrow(),
                                &__SITES[1],
                            ),
                        );
                    }
                    ::cancel_context::private::context(ctx.__reborrow())
                },
                ::core::future::IntoFuture::into_future(block),
                __kept,
                || &__SITES[1],
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
                            ::cancel_context::private::left(__cancelled, &__SITES[1]),
                        );
                    }
                }
            }
        },
    )
}
