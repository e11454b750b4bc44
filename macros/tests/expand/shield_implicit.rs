use cancel_context::cancellable;

#[cancellable(implicit)]
async fn clean() {
    #[shield]
    std::future::ready(()).await;
}
