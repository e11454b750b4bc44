//! Functions that `macro_rules!` write, with fragments of every kind.

use std::future::ready;

use cancel_context::{Cancelled, Context, cancellable};

macro_rules! function {
    ($visibility:vis $name:ident($($argument:ident: $type:ty),*) -> $output:ty $body:block) => {
        #[cancellable]
        $visibility async fn $name($($argument: $type),*) -> $output $body
    };
}

function!(pub(crate) sum(left: u8, right: u8) -> Result<u8, Cancelled> {
    Ok(ready(left).await + ready(right).await)
});

macro_rules! awaits {
    ($name:ident: $future:expr, $pattern:pat => $value:expr) => {
        #[cancellable]
        async fn $name() -> Result<u8, Cancelled> {
            let $pattern = $future.await;
            let again = format!("{}", $future.await.0);
            Ok($value + again.len() as u8)
        }
    };
}

awaits!(pair: ready((1, 2)), (left, right) => left + right);

macro_rules! item {
    ($item:item) => {
        #[cancellable]
        $item
    };
}

item! {
    async fn whole() -> Result<u8, Cancelled> {
        let value = ready(7).await;
        Ok(value)
    }
}

macro_rules! method {
    ($type:ident.$name:ident) => {
        impl $type {
            #[cancellable]
            async fn $name(&self) -> Result<u8, Cancelled> {
                Ok(ready(self.0).await)
            }
        }
    };
}

struct Number(u8);
method!(Number.value);

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let ctx = Context::background();
    assert_eq!(sum(&ctx, 1, 2).await.unwrap(), 3);
    assert_eq!(pair(&ctx).await.unwrap(), 4);
    assert_eq!(whole(&ctx).await.unwrap(), 7);
    assert_eq!(Number(7).value(&ctx).await.unwrap(), 7);
}
