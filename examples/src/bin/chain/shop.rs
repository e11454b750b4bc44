//! The first process: users ask it for reports, and it asks the second one.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Request;
use axum::routing::get;
use cancel_context::tower::{CauseLayer, CauseService, ClientLayer, ClientService, ContextLayer};
use cancel_context::{Context, cancellable};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::{Layer, Service};

use crate::refusal::Refusal;
use crate::{log, until};

#[derive(Clone)]
struct Orders {
    client: ClientService<CauseService<Client<HttpConnector, Body>>>,
    server: SocketAddr,
}

pub(crate) async fn serve(
    root: &Context,
    listener: TcpListener,
    server: SocketAddr,
) -> Result<(), Box<dyn Error>> {
    let http = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let client = ClientLayer::new().layer(CauseLayer::new().layer(http));
    let router = Router::new()
        .route("/reports/{id}", get(report))
        .with_state(Orders { client, server })
        // Anyone may ask it: it tells nobody why.
        .layer(ContextLayer::new(root));
    let server = axum::serve(listener, router).with_graceful_shutdown(until(root.clone()));
    Ok(server.await?)
}

#[cancellable]
async fn report(
    ctx: Context,
    State(mut orders): State<Orders>,
    Path(id): Path<u32>,
    RawQuery(work): RawQuery,
) -> Result<String, Refusal> {
    log::follow(ctx.clone());
    let (server, work) = (orders.server, work.unwrap_or_default());
    let mut request = Request::get(format!("http://{server}/totals/{id}?{work}"));
    if let Some(extensions) = request.extensions_mut() {
        extensions.insert(ctx.clone());
    }
    let answer = orders.client.call(request.body(Body::empty())?).await?;
    let total = answer.into_body().collect().await?.to_bytes();
    Ok(format!(
        "order {id}: {} cents\n",
        String::from_utf8_lossy(&total)
    ))
}
