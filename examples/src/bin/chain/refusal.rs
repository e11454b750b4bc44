//! Answers of HTTP when something went wrong.

use std::error::Error;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cancel_context::Cancelled;

/// Why there is no answer.
pub(crate) struct Refusal(Box<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match Cancelled::find_in(&*self.0) {
            Some(cancelled) => cancelled.clone().into_response(),
            None => (StatusCode::BAD_GATEWAY, format!("{}\n", self.0)).into_response(),
        }
    }
}
