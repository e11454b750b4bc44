use cancel_context::{Cancelled, cancellable};
async fn user(id: u64) -> Result<u64, Cancelled> {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("std::future::ready(id)", "implicit::user"),
    ];
    let __leave = ::cancel_context::private::Leave::<Result<u64, Cancelled>>::new()
        .how();
    let row = (
        match __leave
            .guard(
                match __leave.begin(&__SITES[0]).await {
                    ::core::result::Result::Ok(__context) => __context,
                    ::core::result::Result::Err(__cancelled) => {
                        return __leave.with(__cancelled);
                    }
                },
                ::core::future::IntoFuture::into_future(std::future::ready(id)),
                &__SITES[0],
            )
            .await
        {
            __output => {
                match __output {
                    #[allow(unreachable_code)]
                    ::core::result::Result::Ok(__value) => (__value,).0,
                    ::core::result::Result::Err(__cancelled) => {
                        return __leave.with(__cancelled);
                    }
                }
            }
        },
    )
        .0;
    Ok(row + 1)
}
