//! The second process: the shop asks it over HTTP/2, and it asks the ledger over gRPC.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use cancel_context::tonic::{RequestExt, client_layer};
use cancel_context::tower::{CauseLayer, CauseService, ClientService, ContextLayer};
use cancel_context::{Cancelled, Context, cancellable};
use serde::Deserialize;
use tokio::net::TcpListener;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use tower::Layer;

use crate::ledger;
use crate::ledger::ledger_client::LedgerClient;
use crate::refusal::Refusal;
use crate::{log, until};

type Ledger = LedgerClient<ClientService<CauseService<Channel>>>;

/// What is asked of the ledger.
#[derive(Deserialize)]
struct Work {
    milliseconds: u32,
}

pub(crate) async fn serve(
    root: &Context,
    listener: TcpListener,
    ledger: SocketAddr,
) -> Result<(), Box<dyn Error>> {
    let channel = Endpoint::from_shared(format!("http://{ledger}"))?.connect_lazy();
    let channel = CauseLayer::new().layer(channel);
    let ledger = LedgerClient::new(client_layer().layer(channel));
    let router = Router::new()
        .route("/totals/{id}", get(total))
        .with_state(ledger)
        .layer(ContextLayer::new(root).share_causes());
    let server = axum::serve(listener, router).with_graceful_shutdown(until(root.clone()));
    Ok(server.await?)
}

#[cancellable]
async fn total(
    ctx: Context,
    State(mut ledger): State<Ledger>,
    Path(order): Path<u32>,
    Query(Work { milliseconds }): Query<Work>,
) -> Result<String, Refusal> {
    log::follow(ctx.clone());
    let query = ledger::Query {
        order,
        milliseconds,
    };
    match ledger.total(Request::new(query).within(&ctx)).await {
        Ok(total) => Ok(total.into_inner().to_string()),
        Err(status) => Err(Cancelled::try_from(status).map_or_else(Refusal::from, Refusal::from)),
    }
}
