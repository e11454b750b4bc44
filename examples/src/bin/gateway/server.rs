//! The gateway: one context per request, three tasks per request.
//!
//! The handler's future is dropped by the server when the client disconnects. So the canceller of the
//! request's context lives in it, and the branches are tasks of their own, which that context ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cancel_context::{Canceller, Context};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::branches::{self, Failure, IdentityClient};
use crate::database::Database;
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
            root: root.clone(),
            identity: IdentityClient::new(identity_server),
            database: Arc::new(Database::create()?),
            requests: sender,
            count: AtomicU64::new(0),
        };
        let address = serve(&mut tasks, root, router(gateway)).await?;
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
    root: Context,
    identity: IdentityClient,
    database: Arc<Database>,
    requests: mpsc::UnboundedSender<watch::Receiver<RequestLog>>,
    count: AtomicU64,
}

fn router(gateway: Gateway) -> Router {
    let with_timeout = |timeout| {
        get(
            move |State(gateway): State<Arc<Gateway>>, id, work| async move {
                gateway.checkout(id, work, timeout).await
            },
        )
    };
    Router::new()
        .route("/orders/{id}", with_timeout(PATIENT_TIMEOUT))
        .route("/quick/orders/{id}", with_timeout(QUICK_TIMEOUT))
        .with_state(Arc::new(gateway))
}

/// The answer to a request that was not cancelled.
#[derive(Serialize)]
struct Checkout {
    identity: String,
    total_cents: i64,
    token: u64,
}

impl Gateway {
    async fn checkout(
        &self,
        Path(id): Path<u32>,
        Query(work): Query<Work>,
        timeout: Duration,
    ) -> Response {
        // Relaxed: a plain counter.
        let number = 1 + self.count.fetch_add(1, Ordering::Relaxed);
        let (request, canceller) = self
            .root
            .with_name(format!("request {number}"))
            .with_cancel();
        let mut connection = Connection::of(canceller);
        let cause = format!("route timeout of {} ms", timeout.as_millis());
        let ctx = request.with_timeout_cause(timeout, cause);

        let outcome = self.fan_out(&ctx, id, work).await;
        connection.is_answered = true;
        match outcome {
            Ok(checkout) => Json(checkout).into_response(),
            Err(failure) => refusal(&failure),
        }
    }

    /// Runs the three branches as tasks; the first one that fails ends the request.
    async fn fan_out(&self, ctx: &Context, id: u32, work: Work) -> Result<Checkout, Failure> {
        let recorder = Recorder::new(ctx, work);
        // It fails only if nobody wants to know.
        self.requests.send(recorder.subscribe()).ok();
        let identity = start(recorder.branch(ctx, "identity"), |ctx| {
            branches::identity(ctx, self.identity.clone(), work.identity())
        });
        let order = start(recorder.branch(ctx, "order"), |ctx| {
            branches::order(ctx, Arc::clone(&self.database), id, work.order())
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

fn refusal(failure: &Failure) -> Response {
    let status = match failure {
        Failure::Cancelled(cancelled) if cancelled.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
        Failure::Cancelled(_) => StatusCode::SERVICE_UNAVAILABLE,
        Failure::NoOrder(_) => StatusCode::NOT_FOUND,
        Failure::Failed(_) => StatusCode::BAD_GATEWAY,
    };
    (status, format!("{failure}\n")).into_response()
}

/// Lives in the handler's future: if it is dropped before there is an answer, the client has gone.
/// After an answer, too, the request's context ends with it.
struct Connection {
    canceller: Canceller,
    is_answered: bool,
}

impl Connection {
    fn of(canceller: Canceller) -> Self {
        Self {
            canceller,
            is_answered: false,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_answered {
            self.canceller.cancel_with("client disconnected");
        }
    }
}
