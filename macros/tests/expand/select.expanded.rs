use cancel_context::{Cancelled, cancellable};
async fn first(
    __ctx: impl ::cancel_context::AsContext,
    enabled: bool,
) -> Result<u8, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("other::select!{…}", "select::first"),
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
    {
        enum __Arm<T0, T1> {
            _0(T0),
            _1(T1),
            Else,
        }
        let mut __arm = {
            let __context = {
                use ::cancel_context::private::Reborrow as _;
                if ::cancel_context::private::has_ended(ctx.__reborrow(), &__SITES[0]) {
                    return __leave(
                        ::cancel_context::private::ended(ctx.__reborrow(), &__SITES[0]),
                    );
                }
                ::cancel_context::private::context(ctx.__reborrow())
            };
            let __condition0 = enabled;
            let __future0 = std::future::ready(Some(1));
            let __future1 = std::future::ready(2);
            let __output = ::cancel_context::private::guard(
                    __context,
                    async {
                        match ::core::convert::identity(__future0).await {
                            __output @ Some(_) if __condition0 => __Arm::_0(__output),
                            _ => ::core::panicking::panic("explicit panic"),
                        }
                    },
                    __kept,
                    || &__SITES[0],
                )
                .await;
            match __output {
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
            }
        };
        match __arm {
            __Arm::_0(Some(mut x)) => {
                x += 1;
                return Ok(x);
            }
            __Arm::_1(y) => Ok(y),
            __Arm::Else => Ok(3),
            #[allow(unreachable_patterns)]
            _ => ::core::panicking::panic("internal error: entered unreachable code"),
        }
    }
}
mod other {
    pub(crate) use select;
}
