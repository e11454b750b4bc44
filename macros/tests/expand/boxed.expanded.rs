use std::future::Future;
use std::pin::Pin;
use cancel_context::{Cancelled, cancellable};
trait Store {
    fn read<'a>(
        &'a self,
        __ctx: &::cancel_context::Context,
        key: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<usize, Cancelled>> + Send + 'a>>;
}
impl Store for usize {
    fn read<'a>(
        &'a self,
        __ctx: &::cancel_context::Context,
        key: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<usize, Cancelled>> + Send + 'a>> {
        static __SITES: [::cancel_context::private::Site; 1] = [
            ::cancel_context::private::Site::new(
                "std::future::ready(key.len())",
                "boxed::read",
            ),
        ];
        let ctx = ::cancel_context::Context::clone(
            ::cancel_context::AsContext::as_context(&__ctx),
        );
        Box::pin(async move {
            let __ctx = ctx;
            let ctx: &::cancel_context::Context = ::cancel_context::AsContext::as_context(
                &__ctx,
            );
            {
                use ::cancel_context::private::Reborrow as _;
                let _ = ::cancel_context::private::context(ctx.__reborrow());
            }
            if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                Result<usize, Cancelled>,
            > {
                return __output;
            }
            let __leave = ::cancel_context::FromCancelled::from_cancelled;
            let mut __kept = ::cancel_context::private::Kept::new();
            Ok(
                self
                    + match ::cancel_context::private::guard(
                            {
                                use ::cancel_context::private::Reborrow as _;
                                if ::cancel_context::private::has_ended(
                                    ctx.__reborrow(),
                                    &__SITES[0],
                                ) {
                                    return __leave(
                                        ::cancel_context::private::ended(
                                            ctx.__reborrow(),
                                            &__SITES[0],
                                        ),
                                    );
                                }
                                ::cancel_context::private::context(ctx.__reborrow())
                            },
                            ::core::future::IntoFuture::into_future(
                                std::future::ready(key.len()),
                            ),
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
                                    return __leave(
                                        ::cancel_context::private::left(__cancelled, &__SITES[0]),
                                    );
                                }
                            }
                        }
                    },
            )
        })
    }
}
