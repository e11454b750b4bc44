//! axum: [`Context`] as an extractor, and [`Cancelled`] as a response.
//!
//! With a [`ContextLayer`](crate::tower::ContextLayer) around the router, a handler takes its context as an
//! argument, and so can be annotated like any other function. One that is annotated with `implicit` need not: the
//! context is the current one.
//!
//! # Examples
//!
//! ```
//! use axum::Router;
//! use axum::http::StatusCode;
//! use axum::response::{IntoResponse, Response};
//! use axum::routing::get;
//! use cancel_context::tower::ContextLayer;
//! use cancel_context::{Cancelled, Context, cancellable};
//!
//! #[cancellable]
//! async fn user(ctx: Context) -> Result<String, Cancelled> {
//!     tokio::task::yield_now().await; // checked
//!     Ok(format!("Gopher, {}", ctx.path()))
//! }
//!
//! # fn main() {
//! let server = Context::background();
//! let router: Router = Router::new()
//!     .route("/user", get(user))
//!     .layer(ContextLayer::new(&server));
//! # }
//! ```

use std::convert::Infallible;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::tower::status;

/// That in the extensions of the request, where a layer has put one, or else the current one: that of
/// [`ContextLayer`](crate::tower::ContextLayer) and [`TimeoutLayer`](crate::tower::TimeoutLayer).
impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let context = parts.extensions.get().cloned();
        Ok(context.unwrap_or_else(Self::current))
    }
}

/// 504 (gateway timeout) after a deadline, and 503 (service unavailable) otherwise, without content: why a request
/// has ended is for the log.
impl IntoResponse for Cancelled {
    fn into_response(self) -> Response {
        status(&self).into_response()
    }
}
