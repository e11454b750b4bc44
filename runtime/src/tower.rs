//! HTTP services and clients whose requests have a context, on the traits of tower: axum, hyper, tonic.
//!
//! [`ContextLayer`] goes around a server's service. Each request has a context of its own below the server's: the
//! current one while it is answered, and to be found in the request's extensions. It ends in one of four ways,
//! which [`RequestEnd`] tells apart. [`TimeoutLayer`] goes around a route and gives it less time. [`ClientLayer`]
//! goes around a client: it hands the remaining time on, and aborts what its context does not wait for any more.
//!
//! A header may shorten the time that a request has, and never lengthens it: see [`TIMEOUT`].

mod body;
mod client;
mod end;
mod exchange;
mod header;
mod layer;
mod response;
mod scoped;
mod timeout;

pub use self::body::ContextBody;
pub use self::client::{ClientFuture, ClientLayer, ClientService};
pub use self::end::{LimitedBy, RequestEnd};
pub use self::header::{GRPC_TIMEOUT, TIMEOUT};
pub use self::layer::{ContextLayer, ContextService};
pub use self::response::ResponseFuture;
#[cfg(feature = "axum")]
pub(crate) use self::response::status;
pub use self::timeout::{TimeoutLayer, TimeoutService};
