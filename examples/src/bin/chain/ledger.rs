//! The third process: it has the database, and is asked over gRPC.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cancel_context::tonic::RequestExt;
use cancel_context::tower::ContextLayer;
use cancel_context::{Context, cancellable};
use examples::orders::{Orders, QueryError};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::{log, until};

#[expect(
    unreachable_pub,
    clippy::pedantic,
    clippy::nursery,
    reason = "it is generated"
)]
mod generated {
    tonic::include_proto!("chain.Ledger");
}

pub(crate) use generated::ledger_client;
use generated::ledger_server::{Ledger, LedgerServer};

/// Asks for the total of an order, in cents.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Query {
    #[prost(uint32, tag = "1")]
    pub(crate) order: u32,
    /// How long the query takes.
    #[prost(uint32, tag = "2")]
    pub(crate) milliseconds: u32,
}

struct Database(Arc<Orders>);

pub(crate) async fn serve(root: &Context, listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let database = Database(Arc::new(Orders::create("chain")?));
    let server = Server::builder()
        .layer(ContextLayer::new(root).share_causes())
        .add_service(LedgerServer::new(database))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), until(root.clone()));
    Ok(server.await?)
}

#[tonic::async_trait]
impl Ledger for Database {
    async fn total(&self, request: Request<Query>) -> Result<Response<i64>, Status> {
        let ctx = request.context();
        log::follow(ctx.clone());
        let orders = Arc::clone(&self.0);
        total(ctx, orders, request.into_inner())
            .await
            .map(Response::new)
    }
}

#[cancellable]
async fn total(ctx: Context, orders: Arc<Orders>, query: Query) -> Result<i64, Status> {
    let time = Duration::from_millis(query.milliseconds.into());
    let total = ctx.spawn_blocking(move |ctx| {
        log::say("the query begins");
        let total = orders.total(ctx, query.order, time);
        match &total {
            Err(QueryError::Cancelled { cancelled, .. }) => {
                log::say(format_args!("the query stops: {cancelled}"));
            }
            _ => log::say("the query is done"),
        }
        total
    });
    match total
        .await
        .map_err(|error| Status::internal(error.to_string()))?
    {
        Ok(total) => total.ok_or_else(|| Status::not_found("there is no such order")),
        Err(QueryError::Cancelled { cancelled, .. }) => Err(cancelled.into()),
        Err(error) => Err(Status::internal(error.to_string())),
    }
}
