//! gRPC: tonic's own client and server, over real sockets.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use cancel_context::tonic::{RequestExt, client_layer};
use cancel_context::tower::{
    CauseLayer, CauseService, ClientService, ContextLayer, GRPC_TIMEOUT, LimitedBy, RemoteCause,
    RequestEnd,
};
use cancel_context::{Cancelled, Context, Origin, cancellable};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tower::Layer;

mod shop {
    #![allow(
        unreachable_pub,
        clippy::pedantic,
        clippy::nursery,
        reason = "generated"
    )]
    tonic::include_proto!("shop.Orders");
}

use shop::orders_client::OrdersClient;
use shop::orders_server::{Orders, OrdersServer};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(20);

/// What is asked for says how it is answered.
struct Shop(UnboundedSender<Context>);

#[cancellable]
async fn hang(ctx: Context) -> Result<String, Status> {
    std::future::pending::<()>().await;
    Ok(ctx.path())
}

#[tonic::async_trait]
impl Orders for Shop {
    type FollowStream = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

    #[cancellable(implicit)]
    async fn total(&self, request: Request<String>) -> Result<Response<String>, Status> {
        let ctx = request.context();
        // It fails if the test has seen enough.
        self.0.unbounded_send(ctx.clone()).ok();
        let answer = match request.get_ref().as_str() {
            "path" => ctx.path(),
            "remaining" => format!("{:?}", ctx.remaining().map(|time| time.as_secs())),
            "header" => format!("{:?}", request.metadata().get(GRPC_TIMEOUT.as_str())),
            // The context is that of the request, and its error becomes a status.
            "explicit" => hang(ctx).await?,
            // Leaves through the layer.
            "implicit" => std::future::pending().await,
            "not found" => return Err(Status::not_found("no such order")),
            other => panic!("{other}"),
        };
        Ok(Response::new(answer))
    }

    async fn follow(
        &self,
        request: Request<String>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        self.0.unbounded_send(request.context()).ok();
        let first = stream::iter([Ok(String::from("first"))]);
        Ok(Response::new(first.chain(stream::pending()).boxed()))
    }
}

struct Peers {
    address: SocketAddr,
    requests: UnboundedReceiver<Context>,
}

impl Peers {
    async fn start(layer: ContextLayer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = unbounded();
        let server = Server::builder()
            .layer(layer)
            .add_service(OrdersServer::new(Shop(sender)))
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(server);
        Self { address, requests }
    }

    fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        endpoint.unwrap().connect_lazy()
    }

    fn client(&self) -> OrdersClient<ClientService<Channel>> {
        OrdersClient::new(client_layer().layer(self.channel()))
    }

    /// One that tells causes.
    fn open_client(&self) -> OrdersClient<ClientService<CauseService<Channel>>> {
        let channel = CauseLayer::new().layer(self.channel());
        OrdersClient::new(client_layer().layer(channel))
    }

    /// The context of the next request that comes.
    async fn request(&mut self) -> Context {
        self.requests.next().await.expect("the server is there")
    }
}

async fn end_of(context: &Context) -> RequestEnd {
    context.cancelled().await;
    RequestEnd::of(context).expect("it has ended as requests do")
}

fn ask(text: &str, context: &Context) -> Request<String> {
    Request::new(String::from(text)).within(context)
}

fn text(answer: Result<Response<String>, Status>) -> String {
    answer.unwrap().into_inner()
}

fn remote(cancelled: &Cancelled) -> String {
    let cause = cancelled.cause();
    cause
        .downcast_ref::<RemoteCause>()
        .expect("from the peer")
        .to_string()
}

// guarantees E2, E4
#[tokio::test]
async fn a_request_has_a_context_of_its_own_and_the_time_of_the_caller() {
    let peers = Peers::start(ContextLayer::new(&Context::background().with_name("shop"))).await;
    let mut client = peers.client();
    let ctx = Context::background();
    let path = text(client.total(ask("path", &ctx)).await);
    assert_eq!(path, "shop/POST /shop.Orders/Total");
    assert_eq!(text(client.total(ask("remaining", &ctx)).await), "None");
    assert_eq!(text(client.total(ask("header", &ctx)).await), "None");
    let ctx = ctx.with_timeout(LONG);
    assert_eq!(
        text(client.total(ask("remaining", &ctx)).await),
        "Some(599)"
    );
    assert!(text(client.total(ask("header", &ctx)).await).starts_with("Some(\"599"));
    let error = client.total(ask("not found", &ctx)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::NotFound, "no such order")
    );
}

// guarantee E4
#[tokio::test]
async fn the_current_context_counts_if_the_request_has_none() {
    let peers = Peers::start(ContextLayer::new(&Context::background())).await;
    let mut client = peers.client();
    let ctx = Context::background().with_timeout(LONG);
    let request = Request::new(String::from("remaining"));
    let answer = ctx.run(client.total(request)).await.unwrap();
    assert_eq!(text(answer), "Some(599)");
}

// guarantee E4
#[tokio::test]
async fn the_callers_time_ends_both_sides() {
    let mut peers = Peers::start(ContextLayer::new(&Context::background())).await;
    for kind in ["explicit", "implicit"] {
        let ctx = Context::background().with_timeout(SHORT);
        let error = peers.client().total(ask(kind, &ctx)).await.unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
        assert!(Cancelled::try_from(error).unwrap().is_timeout());
        let end = end_of(&peers.request().await).await;
        // Which of the two was first is a matter of chance.
        let by_caller = matches!(
            end,
            RequestEnd::TimedOut {
                by: LimitedBy::Caller,
                ..
            }
        );
        assert!(by_caller || end == RequestEnd::Disconnected, "{end}");
    }
}

// guarantees E2, E4
#[tokio::test]
async fn the_servers_time_is_told_as_a_status() {
    let mut peers = Peers::start(ContextLayer::new(&Context::background()).timeout(SHORT)).await;
    for kind in ["explicit", "implicit"] {
        let error = peers
            .client()
            .total(ask(kind, &Context::background()))
            .await
            .unwrap_err();
        let said = (error.code(), error.message());
        assert_eq!(said, (Code::DeadlineExceeded, "context deadline exceeded"));
        // Not to this client.
        assert_eq!(RemoteCause::of(error.metadata().as_ref()), None);
        let cancelled = Cancelled::try_from(error).unwrap();
        assert!(matches!(cancelled.origin(), Origin::Peer));
        let by_server = RequestEnd::TimedOut {
            by: LimitedBy::Server,
            after: SHORT,
        };
        assert_eq!(end_of(&peers.request().await).await, by_server);
    }
}

// guarantee E4
#[tokio::test]
async fn a_peer_that_was_opted_in_is_told_the_cause() {
    let server = Context::background().with_name("shop");
    let peers = Peers::start(ContextLayer::new(&server).timeout(SHORT).share_causes()).await;
    for kind in ["explicit", "implicit"] {
        let error = peers
            .open_client()
            .total(ask(kind, &Context::background()))
            .await
            .unwrap_err();
        let cancelled = Cancelled::try_from(error).unwrap();
        assert!(cancelled.is_timeout());
        let expected = "server timeout of 20 ms, in shop/POST /shop.Orders/Total";
        assert_eq!(remote(&cancelled), expected);
        // One without a number of its own is not.
        let error = peers
            .client()
            .total(ask(kind, &Context::background()))
            .await
            .unwrap_err();
        assert_eq!(RemoteCause::of(error.metadata().as_ref()), None);
    }
}

// guarantee E4; the symptom: a stream whose time was over was reset, and the client was told of an internal error
#[tokio::test]
async fn a_stream_ends_with_a_status_and_the_cause() {
    let layer = ContextLayer::new(&Context::background())
        .timeout(SHORT)
        .share_causes();
    let peers = Peers::start(layer).await;
    let request = ask("all", &Context::background());
    let mut answers = peers
        .open_client()
        .follow(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap(), "first");
    let cancelled = Cancelled::try_from(answers.message().await.unwrap_err()).unwrap();
    assert!(cancelled.is_timeout());
    assert_eq!(
        remote(&cancelled),
        "server timeout of 20 ms, in POST /shop.Orders/Follow"
    );
}

// guarantees E2, E3, E4
#[tokio::test]
async fn a_cancel_resets_the_request() {
    let mut peers = Peers::start(ContextLayer::new(&Context::background())).await;
    let (ctx, canceller) = Context::background().with_cancel();
    let mut client = peers.client();
    let request = ask("implicit", &ctx);
    let answer = tokio::spawn(async move { client.total(request).await });
    let at_server = peers.request().await;
    canceller.cancel_with("the user hung up");
    assert_eq!(end_of(&at_server).await, RequestEnd::Disconnected);
    let error = answer.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Cancelled);
    let again = Cancelled::try_from(error).unwrap();
    assert_eq!(again.cause().to_string(), "the user hung up");
}

// guarantees E3, E4
#[tokio::test]
async fn a_cancel_resets_a_stream() {
    let mut peers = Peers::start(ContextLayer::new(&Context::background())).await;
    let (ctx, canceller) = Context::background().with_cancel();
    let mut answers = peers
        .client()
        .follow(ask("all", &ctx))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap(), "first");
    canceller.cancel_with("the user hung up");
    let again = Cancelled::try_from(answers.message().await.unwrap_err()).unwrap();
    assert_eq!(again.cause().to_string(), "the user hung up");
    assert_eq!(
        end_of(&peers.request().await).await,
        RequestEnd::Disconnected
    );
}

// guarantee E4
#[tokio::test]
async fn the_cause_of_the_caller_arrives_before_the_reset() {
    let layer = ContextLayer::new(&Context::background()).share_causes();
    let mut peers = Peers::start(layer).await;
    let (ctx, canceller) = Context::background().with_name("till").with_cancel();
    let mut client = peers.open_client();
    let request = ask("implicit", &ctx);
    let answer = tokio::spawn(async move { client.total(request).await });
    let mut answers = peers
        .open_client()
        .follow(ask("all", &ctx))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap(), "first");
    let at_server = [peers.request().await, peers.request().await];
    canceller.cancel_with("the user hung up");
    answers.message().await.unwrap_err();
    drop(answers);
    answer.await.unwrap().unwrap_err();
    for context in &at_server {
        let end = end_of(context).await;
        assert!(matches!(end, RequestEnd::CancelledByCaller(_)), "{end}");
        assert_eq!(
            end.to_string(),
            "caller cancelled: the user hung up, in till"
        );
    }
}

// guarantee E4; a peer that was not opted in is not told, whatever the client says
#[tokio::test]
async fn a_server_that_does_not_share_causes_hears_none() {
    let mut peers = Peers::start(ContextLayer::new(&Context::background())).await;
    let (ctx, canceller) = Context::background().with_cancel();
    let mut client = peers.open_client();
    let request = ask("implicit", &ctx);
    let answer = tokio::spawn(async move { client.total(request).await });
    let at_server = peers.request().await;
    canceller.cancel_with("the user hung up");
    answer.await.unwrap().unwrap_err();
    assert_eq!(end_of(&at_server).await, RequestEnd::Disconnected);
}

// guarantee E3
#[tokio::test]
async fn a_context_that_has_ended_opens_no_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr().unwrap()));
    let channel = endpoint.unwrap().connect_lazy();
    let mut client = OrdersClient::new(client_layer().layer(channel));
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let error = client.total(ask("implicit", &ctx)).await.unwrap_err();
    assert_eq!(error.code(), Code::Cancelled);
    assert!(listener.accept().now_or_never().is_none());
}
