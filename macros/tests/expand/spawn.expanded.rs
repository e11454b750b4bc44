use cancel_context::cancellable;
use tokio::task::JoinSet;
async fn start(tasks: &mut JoinSet<()>) {
    static __SITES: [::cancel_context::private::Site; 1] = [
        ::cancel_context::private::Site::new("std::future::ready(())", "spawn::start"),
    ];
    ::cancel_context::private::Spawned::new(std::future::ready(()))
        .by(|__task| tasks.spawn(__task));
    ::cancel_context::private::Spawned::new(async {
            match ::cancel_context::private::around(
                    ::cancel_context::private::begin(&__SITES[0]).await,
                    ::core::future::IntoFuture::into_future(std::future::ready(())),
                    &__SITES[0],
                )
                .await
            {
                #[allow(unreachable_code)]
                __value => (__value,).0,
            }
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
