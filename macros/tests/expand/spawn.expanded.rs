use cancel_context::cancellable;
use tokio::task::JoinSet;
async fn start(tasks: &mut JoinSet<()>) {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("std::future::ready(())", "spawn::start"),
    ];
    ::cancel_context::private::Spawned::new(std::future::ready(()))
        .by(|__task| tasks.spawn(__task));
    ::cancel_context::private::Spawned::new(async {
            match ::cancel_context::private::unwind('__left: {
                    #[allow(unreachable_code)]
                    return {
                        match ::cancel_context::private::around(
                                if ::cancel_context::private::is_over(&__SITES[0]) {
                                    break '__left (::cancel_context::private::Over::here())
                                        .at(&__SITES[0]);
                                },
                                ::core::future::IntoFuture::into_future(
                                    std::future::ready(()),
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
        })
        .by(|__task| tokio::spawn(__task));
    match tokio::runtime::Handle::current() {
        #[allow(unused_mut)]
        mut __spawner => {
            ::cancel_context::private::Spawned::new(std::future::ready(()))
                .by(|__task| __spawner.spawn(__task))
        }
    };
}
