use cancel_context::{Cancelled, cancellable};
async fn both(__ctx: impl ::cancel_context::AsContext) -> Result<u8, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("other::join!(…)", "join::both"),
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
    let (x, y) = {
        let __context = {
            use ::cancel_context::private::Reborrow as _;
            if ::cancel_context::private::has_ended(ctx.__reborrow(), &__SITES[0]) {
                return __leave(
                    ::cancel_context::private::ended(ctx.__reborrow(), &__SITES[0]),
                );
            }
            ::cancel_context::private::context(ctx.__reborrow())
        };
        let __future0 = std::future::ready(1);
        let __future1 = std::future::ready(2);
        let __output = ::cancel_context::private::guard(
                __context,
                async move { (__future0.await, __future1.await) },
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
    Ok(x + y)
}
mod other {
    pub(crate) use join;
}
