use cancel_context::{Cancelled, cancellable};

#[cancellable]
async fn work<T>(value: &T) -> Result<String, Cancelled> {
    std::future::ready(()).await;
    Ok(value.to_string()) //~ ERROR the method `to_string` exists for reference `&T`, but its trait bounds were not satisfied
}

fn main() {}
