use cancel_context::cancellable;

#[cancellable(implicit)]
async fn count(id: usize) -> usize {
    std::future::ready(id).await
}
