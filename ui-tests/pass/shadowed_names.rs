//! Names of the prelude, of std and of the crate that mean something else here.

#![allow(dead_code, non_upper_case_globals, unused_macros)]

use ::cancel_context::{Cancelled, Context as Root, cancellable};

mod std {}
mod core {}
mod cancel_context {}
mod private {}

enum Option {
    None,
    Some,
}

struct Result;
struct Context;
struct Future;
struct IntoFuture;
struct Box;
struct String;
trait AsContext {}
trait FromCancelled {}
trait Borrow {}

#[allow(non_snake_case)]
fn Ok(_: u8) {}
#[allow(non_snake_case)]
fn Err(_: u8) {}
#[allow(non_snake_case)]
fn Some(_: u8) {}
const None: u8 = 0;

macro_rules! concat {
    () => {};
}
macro_rules! module_path {
    () => {};
}
macro_rules! format_args {
    () => {};
}
macro_rules! eprintln {
    () => {};
}

type Reply = ::std::result::Result<u8, Cancelled>;

#[cancellable]
async fn work(context: u8, cancelled: u8) -> Reply {
    let (value, guard, enter, output) = (1, 2, 3, 4);
    let selected = tokio::select! {
        biased;
        arm = ::std::future::ready(value) => arm + guard,
        () = ::std::future::pending() => enter,
    };
    let (joined,) = tokio::join!(::std::future::ready(output));
    assert!(::std::future::ready(true).await);
    #[shield]
    let shielded = ::std::future::ready(context + cancelled).await;
    ::std::result::Result::Ok(selected + joined + shielded)
}

#[cancellable]
fn boxed() -> ::std::pin::Pin<::std::boxed::Box<dyn ::std::future::Future<Output = Reply>>> {
    ::std::boxed::Box::pin(async move { work(ctx, 1, 2).await })
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Root::background();
    assert_eq!(work(&ctx, 1, 2).await.unwrap(), 10);
    assert_eq!(boxed(&ctx).await.unwrap(), 10);
}
