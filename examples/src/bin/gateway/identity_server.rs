//! The second local server: says who the user is, after the delay that the request asks for.

use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use serde::Deserialize;

#[derive(Deserialize)]
struct Parameters {
    /// In milliseconds.
    delay: u64,
}

pub(crate) fn router() -> Router {
    Router::new().route("/identity", get(identity))
}

/// Dropped in the middle of its delay when the gateway closes the connection.
async fn identity(Query(Parameters { delay }): Query<Parameters>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(delay)).await;
    "alice"
}
