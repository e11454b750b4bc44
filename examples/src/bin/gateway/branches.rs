//! The three annotated functions that a request fans out to.

use std::error::Error;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Uri;
use cancel_context::task::JoinError;
use cancel_context::{Cancelled, Context, cancellable};
use examples::orders::{Orders, QueryError};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::record::Branch;

/// Why a branch has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its context ended.
    Cancelled(Cancelled),
    /// There is no order of this number.
    NoOrder(u32),
    /// Something else went wrong.
    Failed(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => cancelled.fmt(f),
            Self::NoOrder(id) => write!(f, "there is no order {id}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        match error.into_cancelled() {
            Ok(cancelled) => Self::Cancelled(cancelled),
            Err(error) => Self::Failed(error.into()),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Cancelled { cancelled, .. } => Self::Cancelled(cancelled),
            QueryError::Failed(error) => Self::Failed(error.into()),
        }
    }
}

/// Asks the identity server.
#[derive(Clone)]
pub(crate) struct IdentityClient {
    http: Client<HttpConnector, Body>,
    server: SocketAddr,
}

impl IdentityClient {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let http = Client::builder(TokioExecutor::new())
            // A connection kept for later would be an open socket at the end of a scene.
            .pool_max_idle_per_host(0)
            .build_http();
        Self { http, server }
    }

    fn uri(&self, delay: Duration) -> Result<Uri, Failure> {
        let uri = format!(
            "http://{}/identity?delay={}",
            self.server,
            delay.as_millis()
        );
        uri.parse().map_err(failed)
    }
}

/// Who the user is, says the identity server after `delay`.
#[cancellable]
pub(crate) async fn identity(client: IdentityClient, delay: Duration) -> Result<String, Failure> {
    let uri = client.uri(delay)?;
    let response = client.http.get(uri).await.map_err(failed)?;
    let body = response.into_body().collect().await.map_err(failed)?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// The total of an order, from a query that takes at least `duration`.
#[cancellable]
pub(crate) async fn order(
    orders: Arc<Orders>,
    id: u32,
    duration: Duration,
) -> Result<i64, Failure> {
    let query = ctx.spawn_blocking(move |ctx| {
        let total = orders.total(ctx, id, duration);
        if let Err(QueryError::Cancelled {
            is_interrupted: true,
            ..
        }) = total
        {
            Branch::stopped(ctx, "by SQLite's interrupt");
        }
        total
    });
    query.await??.ok_or(Failure::NoOrder(id))
}

/// The digest of a token, from a computation that takes at least `duration`.
#[cancellable]
pub(crate) async fn token(duration: Duration) -> Result<u64, Failure> {
    let digest = ctx.spawn_blocking(move |ctx| digest(ctx, duration));
    Ok(digest.await??)
}

/// Burns CPU; a thread that is busy can only be asked to stop, so it looks between two chunks.
fn digest(ctx: &Context, duration: Duration) -> Result<u64, Cancelled> {
    const ROUNDS_BETWEEN_CHECKS: u32 = 1000;
    let began = Instant::now();
    let mut digest = 0_u64;
    while began.elapsed() < duration {
        ctx.check()
            .inspect_err(|_| Branch::stopped(ctx, "by its own check"))?;
        for round in 0..ROUNDS_BETWEEN_CHECKS {
            let mut hasher = DefaultHasher::new();
            (digest, round).hash(&mut hasher);
            digest = hasher.finish();
        }
    }
    Ok(digest)
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    Failure::Failed(error.into())
}
