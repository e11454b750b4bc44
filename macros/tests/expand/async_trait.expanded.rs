use async_trait::async_trait;
use cancel_context::{Cancelled, cancellable};
struct Store;
trait Read {
    #[allow(
        elided_named_lifetimes,
        clippy::type_complexity,
        clippy::type_repetition_in_bounds
    )]
    fn read<'life0, 'async_trait>(
        &'life0 self,
    ) -> ::core::pin::Pin<
        Box<
            dyn ::core::future::Future<
                Output = Result<u8, Cancelled>,
            > + ::core::marker::Send + 'async_trait,
        >,
    >
    where
        'life0: 'async_trait,
        Self: 'async_trait;
}
impl Read for Store {
    #[allow(
        elided_named_lifetimes,
        clippy::async_yields_async,
        clippy::diverging_sub_expression,
        clippy::let_unit_value,
        clippy::needless_arbitrary_self_type,
        clippy::no_effect_underscore_binding,
        clippy::shadow_same,
        clippy::type_complexity,
        clippy::type_repetition_in_bounds,
        clippy::used_underscore_binding
    )]
    fn read<'life0, 'async_trait>(
        &'life0 self,
    ) -> ::core::pin::Pin<
        Box<
            dyn ::core::future::Future<
                Output = Result<u8, Cancelled>,
            > + ::core::marker::Send + 'async_trait,
        >,
    >
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        static __SITES: [::cancel_context::private::Site; 1] = [
            ::cancel_context::private::Site::new(
                "std::future::ready(1)",
                "async_trait::read",
            ),
        ];
        Box::pin(async move {
            let __leave = ::cancel_context::private::Leave::<
                Result<u8, Cancelled>,
            >::new()
                .how();
            __leave
                .with('__left: {
                    let __value: Result<u8, Cancelled> = {
                        if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<
                            Result<u8, Cancelled>,
                        > {
                            #[allow(unreachable_code)] return __ret;
                        }
                        let __self = self;
                        let __ret: Result<u8, Cancelled> = {
                            Ok(
                                match __leave
                                    .guard(
                                        if __leave.is_over(&__SITES[0]) {
                                            break '__left (::cancel_context::private::Over::here())
                                                .at(&__SITES[0]);
                                        },
                                        ::core::future::IntoFuture::into_future(
                                            std::future::ready(1),
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
                                },
                            )
                        };
                        #[allow(unreachable_code)] __ret
                    };
                    #[allow(unreachable_code)] return __value;
                })
                .await
        })
    }
}
