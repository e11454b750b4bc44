//! reqwest: requests that end with a context.
//!
//! In an annotated function `client.get(url).send().await` ends with the context as any other await does, and is
//! dropped then, which aborts it. What is here also hands the remaining time on, and has the body of the answer end
//! with the context wherever it is read.

use std::error::Error;
use std::fmt;
use std::panic::Location;

use ::reqwest::{Body, RequestBuilder, Response, ResponseBuilderExt};

use crate::cancelled::{Cancelled, Left};
use crate::context::Context;
use crate::tower::{self, TIMEOUT};

/// Ends requests with a context; implemented for reqwest's [`RequestBuilder`].
pub trait CancellableRequest {
    /// Sends the request, and ends it with `context`.
    ///
    /// One whose context has ended is not sent, and opens no connection. When it ends before the answer is there, or
    /// before all of its body is, the request is aborted on the wire: HTTP/1.1 closes the connection, HTTP/2 resets the
    /// stream. The body then fails with an error in whose sources [`Cancelled::find_in`] finds why.
    ///
    /// The remaining time goes out as [`TIMEOUT`], unless the request has a shorter one.
    ///
    /// # Errors
    ///
    /// [`SendError::Cancelled`] if the context has ended, and [`SendError::Failed`] with the error of reqwest.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future aborts the request.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::Context;
    /// use cancel_context::reqwest::{CancellableRequest, SendError};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::ZERO);
    /// let request = reqwest::Client::new().get("http://127.0.0.1:9/orders");
    /// let error = request.send_until_cancelled(&ctx).await.unwrap_err();
    /// assert!(matches!(error, SendError::Cancelled(_)));
    /// # }
    /// ```
    #[track_caller]
    fn send_until_cancelled(
        self,
        context: &Context,
    ) -> impl Future<Output = Result<Response, SendError>> + Send;
}

impl CancellableRequest for RequestBuilder {
    #[track_caller]
    fn send_until_cancelled(
        self,
        context: &Context,
    ) -> impl Future<Output = Result<Response, SendError>> + Send {
        let (context, place) = (context.clone(), Location::caller());
        let leave = move |cancelled: Cancelled| cancelled.left_at(Left::Place(place));
        async move {
            context.check().map_err(leave)?;
            let (client, request) = self.build_split();
            let mut request = request.map_err(SendError::Failed)?;
            tower::hand_on_time(&context, &TIMEOUT, request.headers_mut());
            let answer = context.run(client.execute(request)).await.map_err(leave)?;
            let answer = answer.map_err(SendError::Failed)?;
            Ok(until_cancelled(&context, answer))
        }
    }
}

/// Has the body end with `context`, too.
fn until_cancelled(context: &Context, answer: Response) -> Response {
    let url = answer.url().clone();
    let answer = http::Response::<Body>::from(answer);
    let mut answer = tower::until_cancelled(context, answer).map(Body::wrap);
    // It would be lost: only the extensions survive the way there and back.
    let with_url = http::Response::builder().url(url).body(());
    let extensions = with_url.map(|with_url| with_url.into_parts().0.extensions);
    answer
        .extensions_mut()
        .extend(extensions.unwrap_or_default());
    answer.into()
}

/// Why a request has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// Its context has ended.
    Cancelled(Cancelled),
    /// It could not be made or sent, or was not answered.
    Failed(::reqwest::Error),
}

impl SendError {
    /// Gives why its context has ended.
    ///
    /// # Errors
    ///
    /// Returns the error of reqwest if that is not the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use cancel_context::{Cancelled, Context};
    /// use cancel_context::reqwest::CancellableRequest;
    ///
    /// async fn stop(ctx: &Context) -> Result<Cancelled, reqwest::Error> {
    ///     let request = reqwest::Client::new().get("http://127.0.0.1:9/orders");
    ///     let error = request.send_until_cancelled(ctx).await.unwrap_err();
    ///     error.into_cancelled()
    /// }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let ctx = Context::background().with_timeout(std::time::Duration::ZERO);
    /// assert!(stop(&ctx).await.unwrap().is_timeout());
    /// # });
    /// ```
    pub fn into_cancelled(self) -> Result<Cancelled, ::reqwest::Error> {
        match self {
            Self::Cancelled(cancelled) => Ok(cancelled),
            Self::Failed(error) => Err(error),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => cancelled.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Cancelled(cancelled) => cancelled,
            Self::Failed(error) => error,
        })
    }
}

impl From<Cancelled> for SendError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}
