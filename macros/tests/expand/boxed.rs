use std::future::Future;
use std::pin::Pin;

use cancel_context::{Cancelled, cancellable};

trait Store {
    #[cancellable]
    fn read<'a>(
        &'a self,
        key: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<usize, Cancelled>> + Send + 'a>>;
}

impl Store for usize {
    #[cancellable]
    fn read<'a>(
        &'a self,
        key: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<usize, Cancelled>> + Send + 'a>> {
        Box::pin(async move { Ok(self + std::future::ready(key.len()).await) })
    }
}
