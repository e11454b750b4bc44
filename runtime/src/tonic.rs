//! tonic: [`Cancelled`] as a [`Status`] and back, the context of a request, and a layer for clients.
//!
//! A server has a [`ContextLayer`](crate::tower::ContextLayer): `Server::builder().layer(…)`. It reads
//! `grpc-timeout`, and ends the context of a request when the caller resets it. A client has [`client_layer`] around
//! its channel, which writes it, and resets the requests whose context ends. With
//! [`share_causes`](crate::tower::ContextLayer::share_causes) and [`CauseLayer`](crate::tower::CauseLayer) the two
//! tell each other why.
//!
//! # Examples
//!
//! ```
//! use cancel_context::tonic::RequestExt;
//! use cancel_context::{Context, cancellable};
//! use tonic::{Request, Response, Status};
//!
//! #[cancellable]
//! async fn total(ctx: Context, order: u32) -> Result<u32, Status> {
//!     tokio::task::yield_now().await; // checked; a `Cancelled` becomes a `Status`
//!     Ok(100 * order)
//! }
//!
//! // As in the trait that is generated for a service.
//! async fn order_total(request: Request<u32>) -> Result<Response<u32>, Status> {
//!     let ctx = request.context();
//!     Ok(Response::new(total(ctx, request.into_inner()).await?))
//! }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! assert_eq!(order_total(Request::new(7)).await.unwrap().into_inner(), 700);
//! # });
//! ```

use std::error::Error;
use std::sync::Arc;

use tonic::{Code, Request, Status, TimeoutExpired};

use crate::cancelled::{Cancelled, Kind};
use crate::context::Context;
use crate::tower::{ClientLayer, GRPC_TIMEOUT, RemoteCause};

type BoxError = Box<dyn Error + Send + Sync>;

/// `DEADLINE_EXCEEDED` after a deadline, and `CANCELLED` otherwise. The cause stays here, as the
/// [source](Error::source): a layer that shares causes tells it to the peer.
impl From<Cancelled> for Status {
    fn from(cancelled: Cancelled) -> Self {
        let code = match cancelled.kind() {
            Kind::Cancelled => Code::Cancelled,
            Kind::DeadlineExceeded => Code::DeadlineExceeded,
        };
        let mut status = Self::new(code, cancelled.kind().to_string());
        status.set_source(Arc::new(cancelled));
        status
    }
}

/// Gives what [`From`] has made a status of. One that has come from a peer says that it has ended there: its cause
/// is the [`RemoteCause`], if the peer has told it or left a message, and its [origin](Cancelled::origin) is
/// [`Peer`](crate::Origin::Peer).
///
/// # Errors
///
/// Gives the status back if it is of another code than `CANCELLED` and `DEADLINE_EXCEEDED`.
impl TryFrom<Status> for Cancelled {
    type Error = Status;

    fn try_from(status: Status) -> Result<Self, Status> {
        if let Some(own) = Self::find_in(&status) {
            return Ok(own.clone());
        }
        let kind = match status.code() {
            Code::Cancelled => Kind::Cancelled,
            Code::DeadlineExceeded => Kind::DeadlineExceeded,
            _ => return Err(status),
        };
        let cause = RemoteCause::of(status.metadata().as_ref()).or_else(|| {
            let message = status.message();
            let says_more = !message.is_empty() && message != kind.to_string();
            says_more.then(|| RemoteCause::new(message))
        });
        Ok(Self::by_peer(kind, cause))
    }
}

/// The context of a request, of a server or of a client.
pub trait RequestExt {
    /// Returns the context in the extensions of the request, where a layer has put one, or else the current one: that
    /// which the layer of a server has made.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::tonic::RequestExt;
    /// use tonic::Request;
    ///
    /// assert!(Request::new(()).context().check().is_ok());
    /// ```
    fn context(&self) -> Context;

    /// Has a request that is to be sent end with `context`, instead of with the current one.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::tonic::RequestExt;
    /// use tonic::Request;
    ///
    /// let ctx = Context::background().with_name("nightly");
    /// assert_eq!(Request::new(()).within(&ctx).context(), ctx);
    /// ```
    #[must_use]
    fn within(self, context: &Context) -> Self;
}

impl<T> RequestExt for Request<T> {
    fn context(&self) -> Context {
        let own = self.extensions().get().cloned();
        own.unwrap_or_else(Context::current)
    }

    fn within(mut self, context: &Context) -> Self {
        self.extensions_mut().insert(context.clone());
        self
    }
}

/// Makes the layer of a client: a [`ClientLayer`] that writes `grpc-timeout`, and whose errors are statuses.
///
/// It goes around a channel, and that into the client: `GreeterClient::new(client_layer().layer(channel))`. A
/// request that ends with its context is `CANCELLED` or `DEADLINE_EXCEEDED`, as
/// [`Status::from`](#impl-From<Cancelled>-for-Status) says. So is the channel's own end of the time, which it takes
/// from `grpc-timeout` as well.
///
/// # Examples
///
/// ```
/// use cancel_context::Context;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // In place of a `tonic::transport::Channel`.
/// let channel = service_fn(async |request: Request<()>| {
///     assert!(request.headers().contains_key("grpc-timeout"));
///     Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new()))
/// });
/// let channel = cancel_context::tonic::client_layer().layer(channel);
///
/// let ctx = Context::background().with_timeout(Duration::from_secs(1));
/// ctx.run(async { channel.oneshot(Request::new(())).await }).await.unwrap().unwrap();
/// # }
/// ```
#[must_use]
pub fn client_layer() -> ClientLayer {
    ClientLayer::new().header(GRPC_TIMEOUT).errors(into_status)
}

fn into_status(error: BoxError) -> BoxError {
    match error.downcast::<Cancelled>() {
        Ok(cancelled) => Status::from(*cancelled).into(),
        Err(error) if has_expired(&*error) => {
            let mut status = Status::deadline_exceeded(Kind::DeadlineExceeded.to_string());
            status.set_source(Arc::from(error));
            status.into()
        }
        Err(error) => error,
    }
}

fn has_expired(error: &(dyn Error + 'static)) -> bool {
    error.is::<TimeoutExpired>() || error.source().is_some_and(has_expired)
}
