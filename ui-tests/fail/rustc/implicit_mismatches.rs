use cancel_context::{Cancelled, cancellable};

#[cancellable(implicit)]
async fn value() -> Result<u8, Cancelled> {
    let text: String = std::future::ready(1_u8).await; //~ ERROR mismatched types
    Ok(text.len() as u8)
}

#[cancellable(implicit)]
async fn unwound() -> usize {
    let text: String = std::future::ready(1_u8).await; //~ ERROR mismatched types
    takes(std::future::ready(1_u8).await); //~ ERROR mismatched types
    text.len()
}

#[cancellable(implicit)]
async fn tail() -> Result<u8, Cancelled> {
    std::future::ready(()).await;
    "text" //~ ERROR mismatched types
}

fn takes(_: String) {}

fn main() {}
