use cancel_context::cancellable;

#[cancellable(on_cancel = cancelled.to_string().len())]
async fn length(text: &str) -> usize {
    std::future::ready(text.len()).await
}
