use cancel_context::{Cancelled, cancellable};
async fn user(id: u64) -> Result<u64, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("std::future::ready(id)", "implicit::user"),
    ];
    let __leave = ::cancel_context::private::Leave::<Result<u64, Cancelled>>::new()
        .how();
    __leave
        .with('__left: {
            let __value: Result<u64, Cancelled> = {
                let row = (
                    match __leave
                        .guard(
                            if __leave.is_over(&__SITES[0]) {
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
                    },
                )
                    .0;
                Ok(row + 1)
            };
            #[allow(unreachable_code)] return __value;
        })
        .await
}
