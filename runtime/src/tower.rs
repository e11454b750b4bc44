//! HTTP services and clients whose requests have a context, on the traits of tower: axum, hyper, tonic.
//!
//! [`ContextLayer`] goes around a server's service. Each request has a context of its own below the server's: the
//! current one while it is answered. It ends in one of four ways, which [`RequestEnd`] tells apart. [`TimeoutLayer`]
//! goes around a route and gives it less time. [`ClientLayer`] goes around a client: it hands the remaining time on,
//! and aborts what its context does not wait for any more.
//!
//! Peers that were opted in on both sides tell each other why: [`ContextLayer::share_causes`], [`CauseLayer`].
//!
//! A header may shorten the time that a request has, and never lengthens it: see [`TIMEOUT`].

mod asked;
mod body;
mod cause;
mod causes;
mod client;
mod end;
mod exchange;
mod header;
mod layer;
mod lazy;
mod response;
mod scoped;
#[cfg(feature = "tokio")]
mod teller;
mod timeout;

#[cfg(feature = "axum")]
pub(crate) use self::asked::status;
pub use self::body::ContextBody;
pub use self::cause::{CAUSE, RemoteCause};
pub use self::client::{ClientFuture, ClientLayer, ClientService};
#[cfg(feature = "reqwest")]
pub(crate) use self::client::{hand_on_time, until_cancelled};
pub use self::end::{LimitedBy, RequestEnd};
pub use self::header::{GRPC_TIMEOUT, TIMEOUT};
pub use self::layer::{ContextLayer, ContextService};
pub use self::response::ResponseFuture;
#[cfg(feature = "tokio")]
pub use self::teller::{CauseBody, CauseFuture, CauseLayer, CauseService};
pub use self::timeout::{TimeoutLayer, TimeoutService};
