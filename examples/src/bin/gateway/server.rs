//! The gateway: one context per request, three tasks per request.
//!
//! The context comes from the layers around the router: it ends when the client disconnects, the route's timeout
//! passes, or the gateway ends. The branches are tasks of their own, which end with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cancel_context::Context;
use cancel_context::tower::{ContextLayer, TimeoutLayer};
use examples::orders::Orders;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::branches::{self, Failure, IdentityClient};
use crate::identity_server;
use crate::record::{Branch, Recorder, RequestLog, Work};

const PATIENT_TIMEOUT: Duration = Duration::from_secs(30);
const QUICK_TIMEOUT: Duration = Duration::from_millis(50);

/// Both servers, running.
pub(crate) struct Servers {
    pub(crate) address: SocketAddr,
    /// The log of each request, as it begins.
    pub(crate) requests: mpsc::UnboundedReceiver<watch::Receiver<RequestLog>>,
    tasks: JoinSet<std::io::Result<()>>,
}

impl Servers {
    /// Starts them on ports of the system's choice; they end gracefully when `root` does.
    pub(crate) async fn start(root: &Context) -> Result<Self, Box<dyn std::error::Error>> {
        let mut tasks = JoinSet::new();
        let identity_server = serve(&mut tasks, root, identity_server::router()).await?;
        let (sender, requests) = mpsc::unbounded_channel();
        let gateway = Gateway {
            identity: IdentityClient::new(identity_server),
            orders: Arc::new(Orders::create("gateway")?),
            requests: sender,
        };
        let address = serve(&mut tasks, root, router(root, gateway)).await?;
        Ok(Self {
            address,
            requests,
            tasks,
        })
    }

    /// Waits until both have ended.
    pub(crate) async fn ended(&mut self) -> std::io::Result<()> {
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn serve(
    tasks: &mut JoinSet<std::io::Result<()>>,
    root: &Context,
    router: Router,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let root = root.clone();
    let shutdown = async move {
        root.cancelled_owned().await;
    };
    tasks.spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(shutdown)
            .await
    });
    Ok(address)
}

struct Gateway {
    identity: IdentityClient,
    orders: Arc<Orders>,
    requests: mpsc::UnboundedSender<watch::Receiver<RequestLog>>,
}

fn router(root: &Context, gateway: Gateway) -> Router {
    let patient = TimeoutLayer::new(PATIENT_TIMEOUT);
    let quick = TimeoutLayer::new(QUICK_TIMEOUT);
    Router::new()
        .route("/orders/{id}", get(checkout).layer(patient))
        .route("/quick/orders/{id}", get(checkout).layer(quick))
        .with_state(Arc::new(gateway))
        .layer(ContextLayer::new(root))
}

/// The answer to a request that was not cancelled.
#[derive(Serialize)]
struct Checkout {
    identity: String,
    total_cents: i64,
    token: u64,
}

async fn checkout(
    ctx: Context,
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<u32>,
    Query(work): Query<Work>,
) -> Result<Json<Checkout>, Failure> {
    gateway.fan_out(&ctx, id, work).await.map(Json)
}

impl Gateway {
    /// Runs the three branches as tasks; the first one that fails ends the request.
    async fn fan_out(&self, ctx: &Context, id: u32, work: Work) -> Result<Checkout, Failure> {
        let recorder = Recorder::new(ctx, work);
        // It fails only if nobody wants to know.
        self.requests.send(recorder.subscribe()).ok();
        let identity = start(recorder.branch(ctx, "identity"), |ctx| {
            branches::identity(ctx, self.identity.clone(), work.identity())
        });
        let order = start(recorder.branch(ctx, "order"), |ctx| {
            branches::order(ctx, Arc::clone(&self.orders), id, work.order())
        });
        let token = start(recorder.branch(ctx, "token"), |ctx| {
            branches::token(ctx, work.token())
        });
        let (identity, total_cents, token) = tokio::try_join!(identity, order, token)?;
        Ok(Checkout {
            identity,
            total_cents,
            token,
        })
    }
}

/// Starts a branch as a task, whatever becomes of the future that waits for it.
fn start<T, F>(
    ctx: Context,
    branch: impl FnOnce(Context) -> F,
) -> impl Future<Output = Result<T, Failure>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let returning = branch(ctx.clone());
    let task = ctx.clone().spawn(async move {
        Branch::started(&ctx);
        let outcome = returning.await;
        Branch::returned(&ctx, &outcome);
        outcome
    });
    async { task.await? }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Cancelled(cancelled) => return cancelled.into_response(),
            Self::NoOrder(_) => StatusCode::NOT_FOUND,
            Self::Failed(_) => StatusCode::BAD_GATEWAY,
        };
        (status, format!("{self}\n")).into_response()
    }
}
