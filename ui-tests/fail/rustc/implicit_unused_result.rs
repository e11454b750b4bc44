#![deny(unused_must_use)]

use cancel_context::cancellable;

async fn save() -> Result<(), String> {
    Ok(())
}

#[cancellable(implicit)]
async fn work() {
    save().await; //~ ERROR unused `Result` that must be used
}

#[cancellable(implicit)]
async fn leaves() -> Result<(), String> {
    save().await; //~ ERROR unused `Result` that must be used
    Ok(())
}

fn main() {}
