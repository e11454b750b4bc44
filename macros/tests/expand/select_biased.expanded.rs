use cancel_context::{Cancelled, cancellable};
async fn first() -> Result<u8, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new(
            "other::select!{…}",
            "select_biased::first",
        ),
    ];
    let __leave = ::cancel_context::private::Leave::<Result<u8, Cancelled>>::new().how();
    __leave
        .with('__left: {
            let __value: Result<u8, Cancelled> = {
                {
                    enum __Arm<T0, T1> {
                        _0(T0),
                        _1(T1),
                    }
                    let mut __arm = {
                        let __context = if __leave.is_over(&__SITES[0]) {
                            break '__left (::cancel_context::private::Over::here())
                                .at(&__SITES[0]);
                        };
                        let __future0 = std::future::ready(1);
                        let __future1 = std::future::ready(2);
                        let __output = __leave
                            .guard(
                                __context,
                                async {
                                    match ::core::convert::identity(__future0).await {
                                        __output => __Arm::_0(__output),
                                    }
                                },
                                || &__SITES[0],
                            )
                            .await;
                        match __output {
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
                    match __arm {
                        __Arm::_0(x) => return Ok(x),
                        __Arm::_1(y) => Ok(y),
                        #[allow(unreachable_patterns)]
                        _ => {
                            ::core::panicking::panic(
                                "internal error: entered unreachable code",
                            )
                        }
                    }
                }
            };
            #[allow(unreachable_code)] return __value;
        })
        .await
}
mod other {
    pub(crate) use select;
}
